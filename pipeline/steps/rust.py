"""How this project calls cargo: for static x86_64-unknown-linux-musl programs, without network.

Debian has no standard library for musl, so `standard_library` builds one from rust-src; the crates that it
needs come with that package. All else comes from `crates`, the one step that uses the network.
"""

import itertools
import json
import re
import shutil
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.steps import archive, audit_data, cargo_config
from pipeline.steps.cargo_config import TARGET
from pipeline.steps.cargo_units import belongs, looked_at, units_of
from pipeline.steps.runner import Context

LIBRARY = Path("/usr/lib/rustlib/src/rust/library")

SYSROOT_CRATE = """\
[package]
name = "sysroot"
version = "0.0.0"
edition = "2024"

[lib]
path = "lib.rs"

[profile.release]
codegen-units = 1
opt-level = "s"
"""

ABORTING = """\
#!/bin/sh
case " $* " in
    *" --crate-name panic_abort "*) exec "$@" -Cpanic=abort ;;
    *) exec "$@" ;;
esac
"""
"""How cargo calls rustc for the standard library: as Rust's own builds do, so that programs can choose
whether a panic aborts or unwinds."""

DL_FIND_OBJECT = """\
/* GCC's unwinder asks glibc, by this function, where a program's tables for unwinding are; musl has
   the older dl_iterate_phdr(3) only. struct dl_find_object is that of glibc's <dlfcn.h> on x86-64. */
#define _GNU_SOURCE
#include <link.h>

struct dl_find_object {
    unsigned long long flags;
    void *map_start, *map_end;
    struct link_map *link_map;
    void *eh_frame;
    unsigned long long reserved[7];
};

struct search { char *address; struct dl_find_object *result; };

static int look(struct dl_phdr_info *object, size_t size, void *data)
{
    struct search *search = data;
    void *tables = 0;
    int inside = 0;
    (void) size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        char *start = (char *) object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_GNU_EH_FRAME)
            tables = start;
        if (part->p_type == PT_LOAD && search->address >= start
            && search->address < start + part->p_memsz) {
            inside = 1;
            search->result->map_start = start;
            search->result->map_end = start + part->p_memsz;
        }
    }
    search->result->eh_frame = tables;
    return inside && tables;
}

int _dl_find_object(void *address, void *result)
{
    struct search search = { address, result };
    search.result->flags = 0;
    search.result->link_map = 0;
    return dl_iterate_phdr(look, &search) ? 0 : -1;
}
"""


def environment(work: Path) -> dict[str, str]:
    """Return what cargo, and what build scripts call, look at. C for programs is compiled by musl-gcc."""
    triple = TARGET.replace("-", "_")
    return {
        "CARGO_HOME": f"{work}/cargo",
        "CARGO_INCREMENTAL": "0",
        "CARGO_CACHE_RUSTC_INFO": "0",  # else what rustc said is kept, in random order
        "CARGO_BUILD_BUILD_DIR": f"{work}/target",
        "CARGO_TARGET_DIR": f"{work}/target",
        "CARGO_TERM_PROGRESS_WHEN": "never",
        f"CC_{triple}": "musl-gcc",
        f"CFLAGS_{triple}": f"-ffile-prefix-map={work}/=",
    }


def rustc_flags(work: Path, sysroot: Path | None = None) -> list[str]:
    """Return the flags of all programs; `sysroot` holds the standard library for musl.

    Paths are remapped, or panic messages would tell where the program was built.
    """
    return [
        "-Clinker=musl-gcc",
        "-Clink-self-contained=no",
        "-Ctarget-feature=+crt-static",
        f"--remap-path-prefix={work}/=",
        *([f"--sysroot={sysroot}", f"-Lnative={sysroot}/native"] if sysroot else []),
    ]


def vendored(work: Path, folder: Path) -> list[str]:
    """Return cargo's options that make it take crates from `folder` and nothing from elsewhere.

    They come before a crate's own settings; what takes no options, as `cargo fmt`, finds the same in cargo's
    home.
    """
    config = work / "cargo" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        '[source.crates-io]\nreplace-with = "vendored"\n'
        f'[source.vendored]\ndirectory = "{folder}"\n'
        "[net]\noffline = true\n"
    )
    return ["--config", str(config)]


def cargo(ctx: Context, *arguments: str, env: dict[str, str], cwd: Path, locked: Path | None = None) -> None:
    """Run cargo, and show how many crates it has begun, of those in the Cargo.lock above `locked` or `cwd`.

    Its own bars would stand in logs and error messages.
    """
    start = locked or cwd
    lock = next(
        (each / "Cargo.lock" for each in (start, *start.parents) if (each / "Cargo.lock").is_file()), None
    )
    total = len(tomllib.loads(lock.read_text()).get("package", [])) if lock else 0
    begun = itertools.count(1)

    def on_line(line: str) -> None:
        if total and line.lstrip().startswith(("Compiling ", "Checking ")):
            ctx.progress(min(next(begun), total), total, "crates")

    ctx.run(["cargo", *arguments], env=env, cwd=cwd, on_line=on_line)


def standard_library(ctx: Context) -> None:
    """Build std for musl from rust-src: `sysroot.tar`, to be unpacked and given to rustc's --sysroot."""
    crate = ctx.work / "crate"
    crate.mkdir()
    (crate / "Cargo.toml").write_text(SYSROOT_CRATE)
    (crate / "lib.rs").write_text("#![no_std]\n")
    wrapper = ctx.work / "rustc-for-std"
    wrapper.write_text(ABORTING)
    wrapper.chmod(0o755)
    # -Zbuild-std is for nightly compilers; this makes a stable one take it.
    env = environment(ctx.work) | {"RUSTC_BOOTSTRAP": "1", "RUSTC_WRAPPER": str(wrapper)}
    flags = [*rustc_flags(ctx.work), "-Cembed-bitcode=yes"]  # for programs that are optimised as a whole
    given = [*vendored(ctx.work, LIBRARY / "vendor"), *cargo_config.arguments([], ctx.work, flags)]
    build = ["build", "--release", "--offline", f"--target={TARGET}", "-Zbuild-std=std,panic_abort"]
    cargo(ctx, *given, *build, env=env, cwd=crate, locked=LIBRARY)
    root = ctx.work / "sysroot"
    libraries = root / "lib/rustlib" / TARGET / "lib"
    libraries.mkdir(parents=True)
    for path in (ctx.work / "target" / TARGET / "release/deps").glob("*.rlib"):
        if not path.name.startswith("libsysroot-"):
            shutil.copy(path, libraries)
    _unwinder(ctx, root / "native")
    archive.pack(root, ctx.out / "sysroot.tar", ctx.params["epoch"])


def _unwinder(ctx: Context, folder: Path) -> None:
    """Make the libunwind.a that std links: GCC's own, completed for musl."""
    folder.mkdir()
    source = ctx.work / "dl_find_object.c"
    source.write_text(DL_FIND_OBJECT)
    gcc_eh = ctx.run(["gcc", "-print-file-name=libgcc_eh.a"]).strip()
    shutil.copyfile(gcc_eh, folder / "libunwind.a")
    ctx.run(["musl-gcc", "-Os", "-c", source.name, "-o", "dl_find_object.o"])
    ctx.run(["ar", "rD", str(folder / "libunwind.a"), "dl_find_object.o"])


REPOSITORY = "repository"
"""Where in the work folder crates lie as they do in the repository: they find each other by their paths."""


def fetch_crates(ctx: Context) -> None:
    """Fetch the crates that the Cargo.lock in `params.workspace` names, checked by cargo: `crates.tar`."""
    root, _ = _skeleton(ctx)
    env = {"CARGO_HOME": f"{ctx.work}/cargo", "CARGO_HTTP_CAINFO": str(ctx.inputs["ca.pem"])}
    vendor = ["cargo", "vendor", "--locked", "--versioned-dirs", str(ctx.work / "crates")]
    ctx.run(vendor, env=env, cwd=root / ctx.params["workspace"])
    archive.pack(ctx.work / "crates", ctx.out / "crates.tar", ctx.params["epoch"])


def _skeleton(ctx: Context) -> tuple[Path, list[str]]:
    """Complete the repository by its manifests; return its folder, and the names of all packages there.

    Crates whose sources are not there get nothing in their programs. What is built from these, the
    dependencies, stays good until a Cargo.lock or Cargo.toml changes.
    """
    root = ctx.work / REPOSITORY
    whole = {file.parent for file in root.rglob("Cargo.toml")}
    shutil.copytree(ctx.inputs["manifests"], root, copy_function=shutil.copyfile, dirs_exist_ok=True)
    names = []
    for file in sorted(root.rglob("Cargo.toml")):
        manifest = tomllib.loads(file.read_text())
        if "package" not in manifest:  # the root of a workspace
            continue
        names.append(manifest["package"]["name"])
        for path, text in () if file.parent in whole else skeleton_sources(manifest).items():
            (file.parent / path).parent.mkdir(parents=True, exist_ok=True)
            (file.parent / path).write_text(text)
    return root, names


def _sources(ctx: Context) -> Path:
    """Return the repository's folder: crates, those that they take by path, and manifests of others."""
    root = ctx.work / REPOSITORY
    shutil.copytree(ctx.inputs["sources"], root, copy_function=shutil.copyfile)
    _skeleton(ctx)
    return root


TARGET_FOLDERS = {"bin": "src/bin", "example": "examples", "test": "tests", "bench": "benches"}
"""Where cargo looks for a target of each kind whose Cargo.toml says no path."""


def skeleton_sources(manifest: dict[str, Any]) -> dict[str, str]:
    """Return empty programs for every target that a Cargo.toml has or may have: path to text."""
    package = manifest.get("package", {})
    programs = ["src/main.rs"]
    for kind, folder in TARGET_FOLDERS.items():
        for target in manifest.get(kind, []):
            name = target.get("name", "")
            # cargo takes src/main.rs for the program that is called as its package
            if "path" in target or name != package.get("name"):
                programs.append(target.get("path", f"{folder}/{name}.rs"))
    build = package.get("build", True)
    if isinstance(build, str):
        programs.append(build)
    elif build and ("links" in package or "build-dependencies" in manifest):
        programs.append("build.rs")
    library = manifest.get("lib", {}).get("path", "src/lib.rs")
    return {library: ""} | dict.fromkeys(programs, "fn main() {}\n")


def _unpack(ctx: Context) -> None:
    """Unpack the standard library and the crates."""
    archive.unpack(ctx.inputs["sysroot.tar"], ctx.work / "sysroot")
    archive.unpack(ctx.inputs["crates.tar"], ctx.work / "crates")


def _given(ctx: Context, crate: Path) -> tuple[str, ...]:
    """Return cargo's options to build `crate` with what `_unpack` unpacks."""
    top = ctx.work / REPOSITORY
    files = cargo_config.files_of(crate, top)
    own = cargo_config.arguments(files, top, rustc_flags(ctx.work, ctx.work / "sysroot"))
    return (*vendored(ctx.work, ctx.work / "crates"), *own)


RELEASE = ("--release", "--offline", f"--target={TARGET}")


def dependencies(ctx: Context) -> None:
    """Compile all that `params.crates` depend on: in `target/`, for each a tar that cargo goes on from.

    One crate after the other: each gets its own choice of its dependencies' features, as when it is built.
    `crates.tar` has what cargo looks at then of crates that it does not compile again.
    """
    root, names = _skeleton(ctx)
    _unpack(ctx)
    env, packages = environment(ctx.work), [f"--package={name}" for name in names]
    target, units = ctx.work / "target", {}
    for place in ctx.params["crates"]:
        crate = root / place
        given = _given(ctx, crate)
        cargo(ctx, *given, "build", *RELEASE, "--locked", env=env, cwd=crate)
        listing = ["cargo", *given, "build", *RELEASE, "--locked", "--message-format=json"]
        units[place] = units_of(ctx.run(listing, env=env, cwd=crate))
        ctx.run(["cargo", *given, "clean", *RELEASE, *packages], env=env, cwd=crate)
    epoch = ctx.params["epoch"]
    for place, own in units.items():
        made = ctx.out / f"target/{place}.tar"
        made.parent.mkdir(parents=True, exist_ok=True)
        archive.pack(target, made, epoch, partial(belongs, units=own))
    crates = ctx.work / "crates"
    archive.pack(crates, ctx.out / "crates.tar", epoch, looked_at(crates, target).__contains__)


def program(ctx: Context) -> None:
    """Build the crate's program `params.binary` on top of its compiled dependencies: `params.program`.

    It says itself which packages it is compiled from, in a section that is not loaded.
    """
    archive.unpack(ctx.inputs["target.tar"], ctx.work / "target")
    crate = _sources(ctx) / str(ctx.params["crate"])
    _unpack(ctx)
    given, env = _given(ctx, crate), environment(ctx.work)
    cargo(ctx, *given, "build", *RELEASE, "--locked", env=env, cwd=crate)
    name = ctx.params["binary"]
    made = ctx.work / "target" / TARGET / "release" / name
    if not made.is_file():
        raise PipelineError(
            f"the crate built without making a program called {name!r}",
            f'give it a [[bin]] with name = "{name}", or call the package so',
        )
    # --unit-graph is for nightly compilers; this makes a stable one take it.
    asked = ["cargo", *given, "build", *RELEASE, "--locked", "--unit-graph", "-Zunstable-options"]
    said = ctx.run(asked, env=env | {"RUSTC_BOOTSTRAP": "1"}, cwd=crate)
    graph = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    section = ctx.work / audit_data.SECTION
    section.write_bytes(audit_data.audit_data(graph, name))
    added = f"--add-section={audit_data.SECTION}={section}"
    ctx.run(["objcopy", added, str(made), str(ctx.out / ctx.params["program"])])


HOST = "x86_64-unknown-linux-gnu"
"""What the container itself runs, whatever the crate is built for."""


def check_sources(ctx: Context) -> None:
    """Run the checks of `params.workspace` in the container: rustfmt, clippy and all tests, on glibc."""
    archive.unpack(ctx.inputs["crates.tar"], ctx.work / "crates")
    given = vendored(ctx.work, ctx.work / "crates")
    scratch = ctx.work / "tests"  # the container runs nothing that lies in its /tmp, and tests write programs
    scratch.mkdir()
    env = environment(ctx.work) | {"CARGO_BUILD_TARGET": HOST, "TMPDIR": str(scratch)}
    workspace = _sources(ctx) / str(ctx.params["workspace"])
    ctx.run(["cargo", "fmt", "--all", "--check"], env=env, cwd=workspace)
    offline = ("--workspace", "--locked", "--offline")
    cargo(ctx, *given, "clippy", *offline, "--all-targets", "--", "--deny=warnings", env=env, cwd=workspace)
    said = ctx.run(["cargo", *given, "test", *offline, "--no-fail-fast"], env=env, cwd=workspace)
    passed = sum(int(count) for count in re.findall(r"^test result: ok\. (\d+) passed", said, re.MULTILINE))
    (ctx.out / "passed").write_text(f"{passed}\n")
