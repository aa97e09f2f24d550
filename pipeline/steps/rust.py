"""Owns how this project calls cargo: for static x86_64-unknown-linux-musl programs, without network.

Debian has no standard library for musl, so `standard_library` builds one from rust-src; the crates that it
needs come with that package. All else comes from `crates`, the one step that uses the network.
"""

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.inside import Context
from pipeline.steps import archive

TARGET = "x86_64-unknown-linux-musl"
LIBRARY = Path("/usr/lib/rustlib/src/rust/library")
BUILDING = re.compile(r"Building \[[=> ]*\] (\d+)/(\d+)")

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
panic = "abort"
"""

DL_FIND_OBJECT = """\
/* GCC's unwinder asks glibc for the tables of a program; musl has no such function. It is never
   called: panics abort. */
int _dl_find_object(void *address, void *result) { return -1; }
"""


def environment(work: Path, sysroot: Path | None = None) -> dict[str, str]:
    """Return what cargo and rustc look at; `sysroot` holds the standard library for musl.

    Paths are remapped, or panic messages would tell where the program was built.
    """
    flags = [
        "-Clinker=musl-gcc",
        "-Clink-self-contained=no",
        "-Ctarget-feature=+crt-static",
        f"--remap-path-prefix={work}/=",
        *([f"--sysroot={sysroot}", f"-Lnative={sysroot}/native"] if sysroot else []),
    ]
    return {
        "CARGO_HOME": f"{work}/cargo",
        "CARGO_INCREMENTAL": "0",
        "CARGO_CACHE_RUSTC_INFO": "0",  # else what rustc said is kept, in random order
        "CARGO_TARGET_DIR": f"{work}/target",
        "CARGO_TERM_PROGRESS_WHEN": "always",
        "CARGO_TERM_PROGRESS_WIDTH": "100",
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
    }


def use_vendored(work: Path, folder: Path) -> None:
    """Tell cargo, for this work folder, to take crates from `folder` and nothing from elsewhere."""
    config = work / "cargo" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        '[source.crates-io]\nreplace-with = "vendored"\n'
        f'[source.vendored]\ndirectory = "{folder}"\n'
        "[net]\noffline = true\n"
    )


def cargo(ctx: Context, *arguments: str, env: dict[str, str], cwd: Path) -> None:
    """Run cargo and pass its progress on."""

    def on_line(line: str) -> None:
        for match in BUILDING.finditer(line):
            ctx.progress(int(match[1]), int(match[2]), "crates")

    ctx.run(["cargo", *arguments], env=env, cwd=cwd, on_line=on_line)


def standard_library(ctx: Context) -> None:
    """Build std for musl from rust-src: `sysroot.tar`, to be unpacked and given to rustc's --sysroot."""
    crate = ctx.work / "crate"
    crate.mkdir()
    (crate / "Cargo.toml").write_text(SYSROOT_CRATE)
    (crate / "lib.rs").write_text("#![no_std]\n")
    use_vendored(ctx.work, LIBRARY / "vendor")
    # -Zbuild-std is for nightly compilers; this makes a stable one take it.
    env = environment(ctx.work) | {"RUSTC_BOOTSTRAP": "1"}
    build = ["build", "--release", "--offline", f"--target={TARGET}", "-Zbuild-std=std,panic_abort"]
    cargo(ctx, *build, env=env, cwd=crate)
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
    """Fetch the crates that Cargo.lock names, checked by cargo against it: `crates.tar`."""
    crate, _ = _skeleton(ctx)
    env = {"CARGO_HOME": f"{ctx.work}/cargo", "CARGO_HTTP_CAINFO": str(ctx.inputs["ca.pem"])}
    ctx.run(["cargo", "vendor", "--locked", "--versioned-dirs", str(ctx.work / "crates")], env=env, cwd=crate)
    archive.pack(ctx.work / "crates", ctx.out / "crates.tar", ctx.params["epoch"])


def _skeleton(ctx: Context) -> tuple[Path, list[str]]:
    """Return the crate `params.crate`, with nothing in its programs, and the names of all packages there.

    It has the real Cargo.lock and Cargo.toml, and beside it lie the crates that it takes by path. What is
    built from it, the dependencies, stays good until one of these files changes.
    """
    root = ctx.work / REPOSITORY
    shutil.copytree(ctx.inputs["manifests"], root, copy_function=shutil.copyfile)
    names = []
    for file in sorted(root.rglob("Cargo.toml")):
        manifest = tomllib.loads(file.read_text())
        names.append(manifest["package"]["name"])
        for path, text in skeleton_sources(manifest).items():
            (file.parent / path).parent.mkdir(parents=True, exist_ok=True)
            (file.parent / path).write_text(text)
    return root / ctx.params["crate"], names


def _sources(ctx: Context) -> Path:
    """Return the crate `params.crate`, beside the crates that it takes by path."""
    root = ctx.work / REPOSITORY
    shutil.copytree(ctx.inputs["sources"], root, copy_function=shutil.copyfile)
    return root / str(ctx.params["crate"])


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
    if isinstance(build := package.get("build"), str):
        programs.append(build)
    library = manifest.get("lib", {}).get("path", "src/lib.rs")
    return {library: ""} | dict.fromkeys(programs, "fn main() {}\n")


def _prepare(ctx: Context) -> dict[str, str]:
    """Unpack the standard library and the crates; return cargo's environment for them."""
    archive.unpack(ctx.inputs["sysroot.tar"], ctx.work / "sysroot")
    archive.unpack(ctx.inputs["crates.tar"], ctx.work / "crates")
    use_vendored(ctx.work, ctx.work / "crates")
    return environment(ctx.work, ctx.work / "sysroot")


BUILD = ("build", "--release", "--locked", "--offline", f"--target={TARGET}")


def dependencies(ctx: Context) -> None:
    """Compile all that the crate depends on: `target.tar`, the folder that cargo goes on from."""
    crate, names = _skeleton(ctx)
    env = _prepare(ctx)
    cargo(ctx, *BUILD, env=env, cwd=crate)
    clean = [
        "clean",
        "--release",
        "--offline",
        f"--target={TARGET}",
        *(f"--package={name}" for name in names),
    ]
    ctx.run(["cargo", *clean], env=env, cwd=crate)
    archive.pack(ctx.work / "target", ctx.out / "target.tar", ctx.params["epoch"])


def program(ctx: Context) -> None:
    """Build the crate's program `params.binary` on top of its compiled dependencies: `params.program`."""
    env = _prepare(ctx)
    archive.unpack(ctx.inputs["target.tar"], ctx.work / "target")
    crate = _sources(ctx)
    cargo(ctx, *BUILD, env=env, cwd=crate)
    name = ctx.params["binary"]
    made = ctx.work / "target" / TARGET / "release" / name
    if not made.is_file():
        raise PipelineError(
            f"the crate built without making a program called {name!r}",
            f'give it a [[bin]] with name = "{name}", or call the package so',
        )
    shutil.copyfile(made, ctx.out / ctx.params["program"])


def check_sources(ctx: Context) -> None:
    """Run the crate's own checks in the container: rustfmt, clippy and its tests, on glibc."""
    archive.unpack(ctx.inputs["crates.tar"], ctx.work / "crates")
    use_vendored(ctx.work, ctx.work / "crates")
    env = environment(ctx.work) | {"CARGO_ENCODED_RUSTFLAGS": ""}
    crate = _sources(ctx)
    ctx.run(["cargo", "fmt", "--check"], env=env, cwd=crate)
    offline = ("--locked", "--offline", "--all-targets")
    cargo(ctx, "clippy", *offline, "--", "--deny=warnings", env=env, cwd=crate)
    said = ctx.run(["cargo", "test", "--locked", "--offline"], env=env, cwd=crate)
    passed = sum(int(count) for count in re.findall(r"^test result: ok\. (\d+) passed", said, re.MULTILINE))
    (ctx.out / "passed").write_text(f"{passed}\n")
