from pathlib import Path

import pytest

from pipeline.steps.cargo_units import belongs, looked_at, units_of

A, B = "0123456789abcdef", "fedcba9876543210"


def test_units_are_those_of_artifacts_and_of_build_scripts() -> None:
    messages = (
        f'{{"reason":"compiler-artifact","filenames":["/t/release/deps/libserde-{A}.rlib"]}}\n'
        f'{{"reason":"build-script-executed","out_dir":"/t/release/build/libc-{B}/out"}}\n'
    )
    assert units_of(messages) == {A, B}


@pytest.mark.parametrize(
    ("path", "its"),
    [
        ("CACHEDIR.TAG", True),
        ("release/deps", True),
        (f"release/deps/libserde-{A}.rmeta", True),
        (f"release/.fingerprint/serde-{A}/dep-lib-serde", True),
        (f"release/deps/libserde-{B}.rmeta", False),
        (f"release/build/libc-{B}/output", False),
        (f"release/deps/none-{B}0", True),
    ],
)
def test_paths_of_a_unit(path: str, its: bool) -> None:
    assert belongs(Path(path), {A}) is its


def test_what_decides_whether_a_unit_is_fresh(tmp_path: Path) -> None:
    crates, target = tmp_path / "crates", tmp_path / "target"
    for name in (
        "c-1/Cargo.toml",
        "c-1/src/lib.rs",
        "c-1/src/other.rs",
        "c-1/probe.rs",
        "c-1/data/x/y",
        "d-1/probe.rs",
    ):
        (crates / name).parent.mkdir(parents=True, exist_ok=True)
        (crates / name).touch()
    output = target / f"x86/release/build/c-{A}/output"
    output.parent.mkdir(parents=True)
    output.write_text(
        "cargo:rerun-if-changed=probe.rs\ncargo::rerun-if-changed=data\ncargo:rustc-cfg=x\n"
        f"cargo:rerun-if-changed={tmp_path}/elsewhere\n"
    )
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/header.h").touch()
    assert all(path.is_relative_to(crates) for path in looked_at(crates, target))
    found = sorted(path.relative_to(crates).as_posix() for path in looked_at(crates, target) if path.exists())
    assert found == [
        "c-1/Cargo.toml",
        "c-1/data",
        "c-1/data/x",
        "c-1/data/x/y",
        "c-1/probe.rs",
        "c-1/src/lib.rs",
    ]


def test_a_crate_may_depend_on_no_other(tmp_path: Path) -> None:
    assert looked_at(tmp_path / "crates", tmp_path / "target") == set()
