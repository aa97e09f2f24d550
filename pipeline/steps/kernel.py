"""Builds a Linux kernel without modules out of Debian's source package and config fragments."""

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, PipelineError
from pipeline.formats import kconfig
from pipeline.formats.kconfig import Option
from pipeline.inside import Context

SOURCES = Path("/usr/src")  # where Debian's linux-source packages put their archive
COMPILED = re.compile(r"  (?:CC|AS)  ")

PROBE = "\nconfig ASKED_FOR_BY_FRAGMENTS\n\tdef_bool y\n"


def build(ctx: Context) -> None:
    """Write `vmlinuz` (a bzImage), `kernel.config` and `kernel.release` (what `uname -r` will say).

    Inputs: a `<name>.config` for each of `params.fragments`, in which order does not matter. Params:
    `source` (name of the archive in /usr/src, without .tar.xz), `fragments`, `epoch` (seconds since
    1970), `localversion` (what the release ends in).
    Raises ConfigError for fragments that are malformed, contradict each other, or ask for what Kconfig
    does not give.
    """
    asked = read_fragments(ctx.inputs, ctx.params)
    source = unpack(ctx)
    configure(ctx, source, asked)
    compile_kernel(ctx, source)
    shutil.copyfile(source / "arch/x86/boot/bzImage", ctx.out / "vmlinuz")
    shutil.copyfile(source / ".config", ctx.out / "kernel.config")
    shutil.copyfile(source / "include/config/kernel.release", ctx.out / "kernel.release")


def read_fragments(inputs: Mapping[str, Path], params: Mapping[str, Any]) -> list[Option]:
    """Return the options that the step's fragments and its own parameters ask for."""
    files = [f"{name}.config" for name in params["fragments"]]
    fragments = [kconfig.parse(inputs[file].read_text(), file) for file in files]
    own = [Option("LOCALVERSION", f'"{params["localversion"]}"', "the step's localversion")]
    return kconfig.merge([*fragments, own])


def unpack(ctx: Context) -> Path:
    """Unpack the kernel's source and return its folder."""
    name: str = ctx.params["source"]
    archive = SOURCES / f"{name}.tar.xz"
    if not archive.exists():
        raise PipelineError(
            f"{archive}: not found in the builder container",
            "name its Debian package in containers/kernel.toml, then run `./doit lock kernel`",
        )
    ctx.run(["tar", "--extract", "--xz", f"--file={archive}", f"--directory={ctx.work}"])
    return ctx.work / name


def configure(ctx: Context, source: Path, asked: Sequence[Option]) -> None:
    """Write `.config`: what is asked for, and off whatever can be off.

    Raises ConfigError that lists every option that did not come out as asked, with the reason.
    """
    fragment = ctx.work / "asked.config"
    fragment.write_text(kconfig.render(asked))
    ctx.run(make("allnoconfig"), env={"KCONFIG_ALLCONFIG": str(fragment)}, cwd=source)
    config = source / ".config"
    values = {option.name: option.value for option in kconfig.parse(config.read_text(), ".config")}
    dropped = kconfig.dropped(asked, values)
    if dropped:
        reasons = find_unmet(ctx, source, [option.name for option in dropped])
        raise ConfigError(
            [describe(option, values.get(option.name), reasons.get(option.name)) for option in dropped],
            "ask for what is missing in a fragment too, or take the option out",
        )


def find_unmet(ctx: Context, source: Path, names: Sequence[str]) -> dict[str, kconfig.Unmet]:
    """Return the unmet dependencies of options, by option.

    Kconfig is asked: one more option that selects them all makes `conf` warn about each whose
    dependencies do not hold. Those that depend on one another hold while all are selected, so what has
    been explained is left out, until a round explains nothing.
    """
    found: dict[str, kconfig.Unmet] = {}
    remaining = list(names)
    while remaining:
        selects = "".join(f"\tselect {name}\n" for name in remaining)
        (ctx.work / "Kconfig.probe").write_text((source / "Kconfig").read_text() + PROBE + selects)
        shutil.copyfile(source / ".config", ctx.work / "probe.config")
        log = ctx.run(
            make("olddefconfig"),
            env={
                "KBUILD_KCONFIG": str(ctx.work / "Kconfig.probe"),
                "KCONFIG_CONFIG": str(ctx.work / "probe.config"),
            },
            cwd=source,
        )
        explained = {name: reason for name, reason in kconfig.unmet(log).items() if name in remaining}
        if not explained:
            break
        found |= explained
        remaining = [name for name in remaining if name not in explained]
    return found


def describe(option: Option, value: str | None, unmet: kconfig.Unmet | None) -> str:
    """Return the sentence that says why `option` came out as `value`; None is: not in `.config`."""
    lost = f"{option.place}: {option} was dropped"
    if unmet:
        missing = f"; missing: {', '.join(unmet.missing)}" if unmet.missing else ""
        return f"{lost}: it depends on {unmet.expression}{missing}"
    if value is None:
        return f"{lost}: this kernel has no such option, or none that a fragment can set"
    return f"{lost}: a choice, a range or an option that selects it makes it {value}"


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
