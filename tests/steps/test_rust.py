import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.session import Session
from pipeline.steps import archive, rust
from tests.conftest import lacking
from tests.fixtures.context import Played, played

EPOCH = 1795219200
TARGET = "--target=x86_64-unknown-linux-musl"
BUILD = ["cargo", "build", "--release", "--locked", "--offline", TARGET]
CARGO_TOML = '[package]\nname = "toy"\n[dependencies]\nall-disks = { path = "../../../programs/disks" }\n'
CRATE = "recipes/r/toy"


def flags(work: Path, *more: str) -> str:
    return "\x1f".join(
        [
            "-Clinker=musl-gcc",
            "-Clink-self-contained=no",
            "-Ctarget-feature=+crt-static",
            f"--remap-path-prefix={work}/=",
            *more,
        ]
    )


def environment(work: Path, *more: str) -> dict[str, str]:
    return {
        "CARGO_HOME": f"{work}/cargo",
        "CARGO_INCREMENTAL": "0",
        "CARGO_CACHE_RUSTC_INFO": "0",
        "CARGO_TARGET_DIR": f"{work}/target",
        "CARGO_TERM_PROGRESS_WHEN": "always",
        "CARGO_TERM_PROGRESS_WIDTH": "100",
        "CARGO_ENCODED_RUSTFLAGS": flags(work, *more),
    }


def config(work: Path, folder: Path) -> str:
    return (
        '[source.crates-io]\nreplace-with = "vendored"\n'
        f'[source.vendored]\ndirectory = "{folder}"\n'
        "[net]\noffline = true\n"
    )


def sysroot(work: Path) -> tuple[str, str]:
    return f"--sysroot={work}/sysroot", f"-Lnative={work}/sysroot/native"


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
        "sources/programs/disks/src/lib.rs": "pub fn disks() {}",
        "manifests/recipes/r/toy/Cargo.toml": CARGO_TOML,
        "manifests/recipes/r/toy/Cargo.lock": "version = 4\n",
        "manifests/programs/disks/Cargo.toml": '[package]\nname = "all-disks"\n',
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "ca.pem").touch()
    packed = tmp_path / "packed"
    for name, file in (
        ("crates", "serde/lib.rs"),
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
            return "   Building [====>   ] 3/21: core\n"
        return ""

    monkeypatch.setattr(rust, "LIBRARY", Path("/library"))
    ctx = played(tmp_path, tool, epoch=EPOCH)
    rust.standard_library(ctx)
    work = ctx.work
    assert ctx.calls == [
        ["cargo", "build", "--release", "--offline", TARGET, "-Zbuild-std=std,panic_abort"],
        ["gcc", "-print-file-name=libgcc_eh.a"],
        ["musl-gcc", "-Os", "-c", "dl_find_object.c", "-o", "dl_find_object.o"],
        ["ar", "rD", f"{work}/sysroot/native/libunwind.a", "dl_find_object.o"],
    ]
    assert ctx.envs == [environment(work) | {"RUSTC_BOOTSTRAP": "1"}, {}, {}, {}]
    assert (work / "cargo/config.toml").read_text() == config(work, Path("/library/vendor"))
    assert ctx.shown == [(3, 21, "crates")]
    libraries = "lib/rustlib/x86_64-unknown-linux-musl/lib"
    assert names(ctx.out / "sysroot.tar") == [
        f"{libraries}/libcore-2.rlib",
        f"{libraries}/libstd-1.rlib",
        "native/libunwind.a",
    ]


def test_fetching_crates(given: Path) -> None:
    def tool(argv: list[str], cwd: Path) -> str:
        assert (cwd / "Cargo.lock").read_text() == "version = 4\n"
        assert (cwd / "src/main.rs").exists()
        assert (cwd / "../../../programs/disks/src/lib.rs").read_text() == ""
        folder = Path(argv[-1])
        folder.mkdir()
        (folder / "serde.rs").touch()
        return ""

    ctx = played(given, tool, epoch=EPOCH, crate=CRATE)
    rust.fetch_crates(ctx)
    assert ctx.calls == [["cargo", "vendor", "--locked", "--versioned-dirs", f"{ctx.work}/crates"]]
    assert ctx.envs == [{"CARGO_HOME": f"{ctx.work}/cargo", "CARGO_HTTP_CAINFO": str(ctx.inputs["ca.pem"])}]
    assert names(ctx.out / "crates.tar") == ["serde.rs"]


def test_dependencies_are_compiled_without_the_program(given: Path) -> None:
    def tool(argv: list[str], _cwd: Path) -> str:
        target = given / "work/target"
        target.mkdir(exist_ok=True)
        (target / argv[1]).touch()
        return ""

    ctx = played(given, tool, epoch=EPOCH, crate=CRATE)
    rust.dependencies(ctx)
    packages = ["--package=all-disks", "--package=toy"]
    assert ctx.calls == [BUILD, ["cargo", "clean", "--release", "--offline", TARGET, *packages]]
    assert ctx.envs == [environment(ctx.work, *sysroot(ctx.work))] * 2
    assert (ctx.work / "cargo/config.toml").read_text() == config(ctx.work, ctx.work / "crates")
    assert (ctx.work / "sysroot/lib/std.rlib").exists()
    assert names(ctx.out / "target.tar") == ["build", "clean"]


@pytest.mark.container
def test_what_cargo_asked_of_rustc_stays_out(session: Session) -> None:
    """It writes that down in the order of a hash table, which is another one each time."""
    steps = [step for image in session.images.values() for step in image if step.run is rust.dependencies]
    for step in steps:
        result = session.around.result(step)
        path = session.store.find(result.outputs["target.tar"]) if result else None
        if path is None:
            lacking(f"{step.name} has not been built: run `./doit iso`")
        assert ".rustc_info.json" not in names(path)


def build_program(argv: list[str], cwd: Path) -> str:
    work = cwd.parents[3]
    assert (work / "target/deps/serde.rlib").stat().st_mtime == EPOCH
    assert (cwd / "../../../programs/disks/src/lib.rs").read_text() == "pub fn disks() {}"
    made = work / "target/x86_64-unknown-linux-musl/release/toy"
    made.parent.mkdir(parents=True)
    made.write_text((cwd / "src/main.rs").read_text())
    return ""


def test_the_program_is_built_on_top_of_its_dependencies(given: Path) -> None:
    ctx = played(given, build_program, epoch=EPOCH, crate=CRATE, binary="toy", program="toy")
    rust.program(ctx)
    assert (ctx.calls, ctx.envs) == ([BUILD], [environment(ctx.work, *sysroot(ctx.work))])
    assert (ctx.out / "toy").read_text() == "fn main() {}"


def test_a_crate_without_that_program(given: Path) -> None:
    ctx = played(given, build_program, epoch=EPOCH, crate=CRATE, binary="other", program="other")
    with pytest.raises(PipelineError) as caught:
        rust.program(ctx)
    assert str(caught.value) == (
        "the crate built without making a program called 'other'\n"
        '  hint: give it a [[bin]] with name = "other", or call the package so'
    )


def test_the_crate_s_own_checks(given: Path) -> None:
    def tool(argv: list[str], _cwd: Path) -> str:
        good = "test result: ok. 7 passed; 0 failed\n"
        return f"{good}  test result: ok. 9 passed\n{good}" if argv[1] == "test" else ""

    ctx = played(given, tool, crate=CRATE)
    rust.check_sources(ctx)
    assert ctx.calls == [
        ["cargo", "fmt", "--check"],
        ["cargo", "clippy", "--locked", "--offline", "--all-targets", "--", "--deny=warnings"],
        ["cargo", "test", "--locked", "--offline"],
    ]
    assert ctx.envs == [environment(ctx.work) | {"CARGO_ENCODED_RUSTFLAGS": ""}] * 3
    assert (ctx.out / "passed").read_text() == "14\n"


MAIN = "fn main() {}\n"


@pytest.mark.parametrize(
    ("manifest", "sources"),
    [
        ({}, {"src/lib.rs": "", "src/main.rs": MAIN}),
        ({"package": {"build": True}}, {"src/lib.rs": "", "src/main.rs": MAIN}),
        ({"package": {"build": "b.rs"}}, {"src/lib.rs": "", "src/main.rs": MAIN, "b.rs": MAIN}),
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


def test_progress_is_what_cargo_shows_last(tmp_path: Path) -> None:
    line = "\r    Building [=>  ] 1/9: a\r    Building [===>] 9/9: toy(bin)"
    ctx: Played = played(tmp_path, lambda _argv, _cwd: line)
    rust.cargo(ctx, "build", env={}, cwd=tmp_path)
    assert ctx.shown[-1] == (9, 9, "crates")
