"""Builds a Linux kernel without modules out of Debian's source package and a finished configuration."""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.steps.runner import Context

SOURCES = Path("/usr/src")  # where Debian's linux-source packages put their archive
COMPILED = re.compile(r"  (?:CC|AS)  ")


def build(ctx: Context) -> None:
    """Write `vmlinuz` (a bzImage) and `kernel.release` (what `uname -r` will say).

    Inputs: `kernel.config`, as `conf` of this source left it. Params: `source` (name of the archive in
    /usr/src, without .tar.xz), `epoch` (seconds since 1970).
    Raises PipelineError where the build would change the configuration.
    """
    source = unpack(ctx)
    config = ctx.inputs["kernel.config"].read_bytes()
    (source / ".config").write_bytes(config)
    compile_kernel(ctx, source)
    if (source / ".config").read_bytes() != config:
        raise PipelineError("the kernel's build changed kernel.config: it was made for another source")
    shutil.copyfile(source / "arch/x86/boot/bzImage", ctx.out / "vmlinuz")
    shutil.copyfile(source / "include/config/kernel.release", ctx.out / "kernel.release")
    shutil.rmtree(source)  # Docker does nothing else while it removes so many files itself


def unpack(ctx: Context, *patterns: str) -> Path:
    """Unpack the kernel's source, or what of it matches one of these patterns, and return its folder."""
    name: str = ctx.params["source"]
    archive = SOURCES / f"{name}.tar.xz"
    if not archive.exists():
        raise PipelineError(
            f"{archive}: not found in the builder container",
            "name its Debian package in containers/kernel.toml, then run `./doit lock kernel`",
        )
    wanted = ["--wildcards", *(f"{name}/{pattern}" for pattern in patterns)] if patterns else []
    ctx.run(["tar", "--extract", "--xz", f"--file={archive}", f"--directory={ctx.work}", *wanted])
    return ctx.work / name


def compile_kernel(ctx: Context, source: Path) -> None:
    """Compile and link the bzImage, with progress in objects."""
    env = environment(ctx.params["epoch"])
    jobs = f"--jobs={len(os.sched_getaffinity(0))}"
    ctx.run(make(jobs, "prepare"), env=env, cwd=source)
    total = count_objects(ctx, source, env)
    ctx.run(make(jobs, "bzImage"), env=env, cwd=source, on_line=progress_counter(ctx, total))


def environment(epoch: int) -> dict[str, str]:
    """Return what kbuild puts into the kernel instead of the clock, the user and the machine's name.

    https://docs.kernel.org/kbuild/reproducible-builds.html
    """
    return {
        "KBUILD_BUILD_TIMESTAMP": datetime.fromtimestamp(epoch, UTC).strftime("%a %b %e %H:%M:%S UTC %Y"),
        "KBUILD_BUILD_USER": "builder",
        "KBUILD_BUILD_HOST": "installer-iso",
        "KBUILD_BUILD_VERSION": "1",
    }


def count_objects(ctx: Context, source: Path, env: Mapping[str, str]) -> int:
    """Return how many objects will go into vmlinux.

    A dry run prints them in a few seconds, and fails when it comes to link what it has not compiled.
    """
    dry_run = " ".join(make("--dry-run", "bzImage"))
    text = ctx.run(["sh", "-c", f'{dry_run} 2>&1 | grep -cE "echo \'  (CC|AS)  "'], env=env, cwd=source)
    return int(text)


def progress_counter(ctx: Context, total: int) -> Callable[[str], None]:
    """Return a function that takes make's lines and shows progress.

    The few objects that linking itself compiles come after all others, and are not counted.
    """
    done = 0

    def count(line: str) -> None:
        nonlocal done
        if COMPILED.match(line) and done < total:
            done += 1
            ctx.progress(done, total, "objects")

    return count


def make(*arguments: str) -> list[str]:
    """Return make's command line; ARCH is named so that no builder's own machine decides it."""
    return ["make", "--no-print-directory", "ARCH=x86_64", *arguments]
