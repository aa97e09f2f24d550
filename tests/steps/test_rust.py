import json
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.steps import archive, rust
from tests.conftest import lacking
from tests.fixtures.context import Played, played

EPOCH = 1795219200
TARGET = "--target=x86_64-unknown-linux-musl"
RELEASE = ["--release", "--offline", TARGET]
CARGO_TOML = '[package]\nname = "toy"\n[dependencies]\nall-disks = { path = "../../../programs/disks" }\n'
CRATE = "recipes/r/toy"


def environment(work: Path) -> dict[str, str]:
    return {
        "CARGO_HOME": f"{work}/cargo",
        "CARGO_INCREMENTAL": "0",
        "CARGO_CACHE_RUSTC_INFO": "0",
        "CARGO_BUILD_BUILD_DIR": f"{work}/target",
        "CARGO_TARGET_DIR": f"{work}/target",
        "CARGO_TERM_PROGRESS_WHEN": "never",
        "CC_x86_64_unknown_linux_musl": "musl-gcc",
        "CFLAGS_x86_64_unknown_linux_musl": f"-ffile-prefix-map={work}/=",
    }


def config(folder: Path) -> str:
    return (
        '[source.crates-io]\nreplace-with = "vendored"\n'
        f'[source.vendored]\ndirectory = "{folder}"\n'
        "[net]\noffline = true\n"
    )


def given_to(work: Path, *more: str) -> list[str]:
    """Return the options with which cargo builds for the target."""
    flags = [
        "-Clinker=musl-gcc",
        "-Clink-self-contained=no",
        "-Ctarget-feature=+crt-static",
        f"--remap-path-prefix={work}/=",
        *more,
    ]
    place = "target.'cfg(all(target_env = \"musl\"))'.rustflags"
    return ["cargo", "--config", f"{work}/cargo/config.toml", "--config", f"{place}={json.dumps(flags)}"]


def with_sysroot(work: Path) -> list[str]:
    return given_to(work, f"--sysroot={work}/sysroot", f"-Lnative={work}/sysroot/native")


def names(tar: Path) -> list[str]:
    with tarfile.open(tar) as archived:
        return [member.name for member in archived if member.isfile()]


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A folder whose `in` holds whatever a step of ours takes."""
    folder = tmp_path / "in"
    for name, text in {
        "sources/recipes/r/toy/Cargo.toml": CARGO_TOML,
        "sources/recipes/r/toy/src/main.rs": "fn main() {}",
        "sources/programs/disks/Cargo.toml": '[package]\nname = "all-disks"\n',
        "sources/programs/disks/src/lib.rs": "pub fn disks() {}",
        "manifests/recipes/r/toy/Cargo.toml": CARGO_TOML,
        "manifests/recipes/r/toy/Cargo.lock": "version = 4\n",
        "manifests/programs/disks/Cargo.toml": '[package]\nname = "all-disks"\n',
        "manifests/programs/other/Cargo.toml": '[package]\nname = "other"\n',
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "ca.pem").touch()
    packed = tmp_path / "packed"
    for name, file in (
        ("crates", "serde/Cargo.toml"),
        ("sysroot", "lib/std.rlib"),
        ("target", "deps/serde.rlib"),
    ):
        (packed / name / file).parent.mkdir(parents=True)
        (packed / name / file).write_text(file)
        archive.pack(packed / name, folder / f"{name}.tar", EPOCH)
    return tmp_path


def test_the_standard_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gcc_eh = tmp_path / "libgcc_eh.a"
    gcc_eh.write_text("unwinder")

    def tool(argv: list[str], cwd: Path) -> str:
        if argv[0] == "gcc":
            return f"{gcc_eh}\n"
        if argv[0] == "cargo":
            assert (cwd / "lib.rs").read_text() == "#![no_std]\n"
            deps = cwd.parent / "target/x86_64-unknown-linux-musl/release/deps"
            deps.mkdir(parents=True)
            for name in ("libstd-1.rlib", "libcore-2.rlib", "libsysroot-3.rlib", "libstd-1.rmeta"):
                (deps / name).touch()
            return "   Compiling core v0.0.0\n   Compiling std v0.0.0\n"
        return ""

    library = tmp_path / "library"
    library.mkdir()
    (library / "Cargo.lock").write_text('[[package]]\nname = "core"\n[[package]]\nname = "std"\n')
    monkeypatch.setattr(rust, "LIBRARY", library)
    ctx = played(tmp_path, tool, epoch=EPOCH)
    rust.standard_library(ctx)
    work = ctx.work
    assert ctx.calls == [
        [*given_to(work, "-Cembed-bitcode=yes"), "build", *RELEASE, "-Zbuild-std=std,panic_abort"],
        ["gcc", "-print-file-name=libgcc_eh.a"],
        ["musl-gcc", "-Os", "-c", "dl_find_object.c", "-o", "dl_find_object.o"],
        ["ar", "rD", f"{work}/sysroot/native/libunwind.a", "dl_find_object.o"],
    ]
    nightly = {"RUSTC_BOOTSTRAP": "1", "RUSTC_WRAPPER": f"{work}/rustc-for-std"}
    assert ctx.envs == [environment(work) | nightly, {}, {}, {}]
    assert (work / "cargo/config.toml").read_text() == config(library / "vendor")
    assert ctx.shown == [(1, 2, "crates"), (2, 2, "crates")]
    libraries = "lib/rustlib/x86_64-unknown-linux-musl/lib"
    assert names(ctx.out / "sysroot.tar") == [
        f"{libraries}/libcore-2.rlib",
        f"{libraries}/libstd-1.rlib",
        "native/libunwind.a",
    ]


def test_fetching_crates(given: Path) -> None:
    def tool(argv: list[str], cwd: Path) -> str:
        assert (cwd / "Cargo.lock").read_text() == "version = 4\n"
        assert (cwd / "src/main.rs").read_text() == MAIN
        assert (cwd / "../../../programs/disks/src/lib.rs").read_text() == ""
        folder = Path(argv[-1])
        folder.mkdir()
        (folder / "serde.rs").touch()
        return ""

    ctx = played(given, tool, epoch=EPOCH, workspace=CRATE)
    rust.fetch_crates(ctx)
    assert ctx.calls == [["cargo", "vendor", "--locked", "--versioned-dirs", f"{ctx.work}/crates"]]
    assert ctx.envs == [{"CARGO_HOME": f"{ctx.work}/cargo", "CARGO_HTTP_CAINFO": str(ctx.inputs["ca.pem"])}]
    assert names(ctx.out / "crates.tar") == ["serde.rs"]


def test_dependencies_are_compiled_without_the_program(given: Path) -> None:
    folders = []

    def tool(argv: list[str], cwd: Path) -> str:
        folders.append(cwd)
        own = "1" if cwd.name == "toy" else "2"
        for unit in (own, "3"):
            made = given / f"work/target/deps/serde-{unit * 16}.d"
            made.parent.mkdir(parents=True, exist_ok=True)
            made.touch()
        return f"/deps/serde-{own * 16}.d /deps/serde-{'3' * 16}.d" if "--message-format=json" in argv else ""

    ctx = played(given, tool, epoch=EPOCH, crates=[CRATE, "programs/disks"])
    rust.dependencies(ctx)
    packages = ["--package=all-disks", "--package=other", "--package=toy"]
    cargo = with_sysroot(ctx.work)
    assert (
        ctx.calls
        == [
            [*cargo, "build", *RELEASE, "--locked"],
            [*cargo, "build", *RELEASE, "--locked", "--message-format=json"],
            [*cargo, "clean", *RELEASE, *packages],
        ]
        * 2
    )
    assert folders == [ctx.work / "repository" / each for each in (CRATE, "programs/disks") for _ in "blc"]
    assert ctx.envs == [environment(ctx.work)] * 6
    assert (ctx.work / "cargo/config.toml").read_text() == config(ctx.work / "crates")
    assert (ctx.work / "sysroot/lib/std.rlib").exists()
    for place, own in ((CRATE, "1"), ("programs/disks", "2")):
        assert names(ctx.out / f"target/{place}.tar") == [f"deps/serde-{unit * 16}.d" for unit in (own, "3")]
    assert names(ctx.out / "crates.tar") == ["serde/Cargo.toml"]


@pytest.mark.container
def test_what_cargo_asked_of_rustc_stays_out(session: Session) -> None:
    """It writes that down in the order of a hash table, which is another one each time."""
    steps = [step for image in session.images.values() for step in image if step.run is rust.dependencies]
    for step in steps:
        result = session.builder.result(step)
        for output in step.outputs:
            path = session.store.find(result.outputs[output]) if result else None
            if path is None:
                lacking(f"{step.name} has not been built: run `./doit iso`")
            assert ".rustc_info.json" not in names(path)


MAIN = "fn main() {}\n"


GRAPH = json.dumps(
    {
        "version": 1,
        "units": [
            {
                "pkg_id": "path+file:///build/toy#0.1.0",
                "target": {"kind": ["bin"], "name": "toy"},
                "platform": "x86_64-unknown-linux-musl",
                "mode": "build",
                "dependencies": [],
            }
        ],
        "roots": [0],
    }
)


def build_program(argv: list[str], cwd: Path) -> str:
    if "--unit-graph" in argv:
        return f"warning: one that nobody asked for\n{GRAPH}\n"
    if argv[0] == "objcopy":
        section = Path(argv[1].partition("=")[2].partition("=")[2])
        said = zlib.decompress(section.read_bytes()).decode()
        Path(argv[3]).write_text(Path(argv[2]).read_text() + said)
        return ""
    work = cwd.parents[3]
    assert (work / "target/deps/serde.rlib").stat().st_mtime == EPOCH
    disks = cwd / "../../../programs/disks/src"
    assert {file.name: file.read_text() for file in disks.iterdir()} == {"lib.rs": "pub fn disks() {}"}
    assert (cwd / "../../../programs/other/src/main.rs").read_text() == MAIN
    made = work / "target/x86_64-unknown-linux-musl/release/toy"
    made.parent.mkdir(parents=True)
    made.write_text((cwd / "src/main.rs").read_text())
    return ""


def test_the_program_is_built_on_top_of_its_dependencies(given: Path) -> None:
    ctx = played(given, build_program, epoch=EPOCH, crate=CRATE, binary="toy", program="toy")
    rust.program(ctx)
    build = [*with_sysroot(ctx.work), "build", *RELEASE, "--locked"]
    made = f"{ctx.work}/target/x86_64-unknown-linux-musl/release/toy"
    assert ctx.calls == [
        build,
        [*build, "--unit-graph", "-Zunstable-options"],
        ["objcopy", f"--add-section=.dep-v0={ctx.work}/.dep-v0", made, f"{ctx.out}/toy"],
    ]
    assert ctx.envs == [environment(ctx.work), environment(ctx.work) | {"RUSTC_BOOTSTRAP": "1"}, {}]
    assert (ctx.out / "toy").read_text() == (
        'fn main() {}{"packages":[{"name":"toy","version":"0.1.0","source":"local","root":true}],"format":8}'
    )


def test_a_crate_without_that_program(given: Path) -> None:
    ctx = played(given, build_program, epoch=EPOCH, crate=CRATE, binary="other", program="other")
    with pytest.raises(PipelineError) as caught:
        rust.program(ctx)
    assert str(caught.value) == (
        "the crate built without making a program called 'other'\n"
        '  hint: give it a [[bin]] with name = "other", or call the package so'
    )


def test_a_workspace_s_own_checks(given: Path) -> None:
    def tool(argv: list[str], _cwd: Path) -> str:
        good = "test result: ok. 7 passed; 0 failed\n"
        return f"{good}  test result: ok. 9 passed\n{good}" if "test" in argv else ""

    ctx = played(given, tool, workspace=CRATE)
    rust.check_sources(ctx)
    cargo, offline = (
        ["cargo", "--config", f"{ctx.work}/cargo/config.toml"],
        ["--workspace", "--locked", "--offline"],
    )
    assert ctx.calls == [
        ["cargo", "fmt", "--all", "--check"],
        [*cargo, "clippy", *offline, "--all-targets", "--", "--deny=warnings"],
        [*cargo, "test", *offline, "--no-fail-fast"],
    ]
    host = {"CARGO_BUILD_TARGET": "x86_64-unknown-linux-gnu", "TMPDIR": f"{ctx.work}/tests"}
    assert ctx.envs == [environment(ctx.work) | host] * 3
    assert (ctx.out / "passed").read_text() == "14\n"


@pytest.mark.parametrize(
    ("manifest", "sources"),
    [
        ({}, {"src/lib.rs": "", "src/main.rs": MAIN}),
        ({"package": {"build": True}}, {"src/lib.rs": "", "src/main.rs": MAIN}),
        ({"package": {"build": "b.rs"}}, {"src/lib.rs": "", "src/main.rs": MAIN, "b.rs": MAIN}),
        ({"package": {"links": "z"}}, {"src/lib.rs": "", "src/main.rs": MAIN, "build.rs": MAIN}),
        ({"build-dependencies": {"cc": "1"}}, {"src/lib.rs": "", "src/main.rs": MAIN, "build.rs": MAIN}),
        (
            {"package": {"build": False}, "build-dependencies": {"cc": "1"}},
            {"src/lib.rs": "", "src/main.rs": MAIN},
        ),
        ({"lib": {"path": "l.rs"}}, {"l.rs": "", "src/main.rs": MAIN}),
        (
            {
                "package": {"name": "p"},
                "bin": [{"name": "x", "path": "x.rs"}, {"name": "y"}, {"name": "p"}],
            },
            {"src/lib.rs": "", "src/main.rs": MAIN, "x.rs": MAIN, "src/bin/y.rs": MAIN},
        ),
        (
            {"example": [{"name": "e"}], "test": [{"name": "t", "path": "t.rs"}]},
            {"src/lib.rs": "", "src/main.rs": MAIN, "examples/e.rs": MAIN, "t.rs": MAIN},
        ),
    ],
)
def test_sources_of_the_skeleton(manifest: dict[str, Any], sources: dict[str, str]) -> None:
    assert rust.skeleton_sources(manifest) == sources


def test_progress_never_says_more_than_there_is(tmp_path: Path) -> None:
    said = "   Compiling toy v1\n    Checking toy v1\n    Finished\n"
    (tmp_path / "ws/crate").mkdir(parents=True)
    (tmp_path / "ws/Cargo.lock").write_text('[[package]]\nname = "toy"\n')
    ctx: Played = played(tmp_path, lambda _argv, _cwd: said)
    rust.cargo(ctx, "build", env={}, cwd=tmp_path / "ws/crate")
    assert ctx.shown == [(1, 1, "crates")] * 2
