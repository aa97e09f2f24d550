"""Which crates of the repository a crate is built from, and how they are tested."""

from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli.run_tests import crate_tests
from pipeline.errors import ConfigError
from pipeline.project.crates import built_from, loaded_with, packages, workspace_of
from pipeline.report import Report
from tests.fixtures import checkout

CRATE = "recipes/toy/installer"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return checkout.write(tmp_path)


def below(root: Path, folders: tuple[Path, ...]) -> list[str]:
    return [folder.relative_to(root).as_posix() for folder in folders]


def test_crates_that_are_taken_by_path_are_found_through_others(root: Path) -> None:
    found = [CRATE, "programs/disks", "programs/words"]
    assert below(root, built_from(root, root / CRATE)) == found
    assert below(root, loaded_with(root, root / CRATE)) == found
    assert built_from(root, root / "programs/other") == (root / "programs/other",)


def test_what_cargo_only_looks_at_is_not_what_a_crate_is_built_from(root: Path) -> None:
    for name, text in {
        "ws/Cargo.toml": '[workspace]\nmembers = ["crates/*", "tool"]\nexclude = ["crates/old"]\n'
        '[workspace.dependencies]\ndisks = { path = "../programs/disks" }\nserde = "1"\n'
        '[patch.crates-io]\npatched = { path = "patched" }\n',
        "ws/patched/Cargo.toml": '[package]\nname = "patched"\n',
        "ws/crates/one/Cargo.toml": '[package]\nname = "one"\n'
        "[dependencies]\nserde.workspace = true\ndisks = { workspace = true }\n",
        "ws/crates/old/Cargo.toml": '[package]\nname = "old"\n',
        "ws/tool/Cargo.toml": '[package]\nname = "tool"\n[dependencies]\nfar = { path = "../../far" }\n'
        'near = { path = "../../near/crate" }\n',
        "far/Cargo.toml": '[package]\nname = "far"\nworkspace = "../ws"\n',
        "near/Cargo.toml": '[workspace]\nmembers = ["crate", "another"]\n',
        "near/crate/Cargo.toml": '[package]\nname = "near"\nversion.workspace = true\n',
        "near/another/Cargo.toml": '[package]\nname = "another"\n',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    shared = ["programs/disks", "programs/words"]
    assert below(root, built_from(root, root / "ws/tool")) == ["ws/tool", "far", "near/crate", "ws/patched"]
    assert below(root, built_from(root, root / "ws/crates/one")) == ["ws/crates/one", *shared, "ws/patched"]
    all_crates = [*shared, "ws/crates/one", "ws/patched"]
    assert below(root, packages(root, root / "ws/tool")) == ["ws/tool", "far", "near/crate", *all_crates]
    seen = ["ws/tool", "far", "near", "near/crate", *shared, "ws", "ws/crates/one", "ws/patched"]
    assert below(root, loaded_with(root, root / "ws/tool")) == seen
    for crate, workspace in (("far", "ws"), ("ws/crates/old", "ws/crates/old"), (CRATE, CRATE)):
        assert workspace_of(root, root / crate) == root / workspace
    (root / "Cargo.toml").write_text("[workspace]\n")
    with pytest.raises(ConfigError) as caught:
        built_from(root, root / CRATE)
    assert caught.value.mistakes == [f"Cargo.toml: the workspace of {CRATE} is the whole repository"]


@pytest.mark.parametrize(
    ("manifest", "mistake"),
    [
        (
            '[dependencies]\nx = { path = "../../../../x" }',
            "x: path '../../../../x' leads out of the repository",
        ),
        ('[build-dependencies]\nx = { path = "/x" }', "x: path '/x' leads out of the repository"),
        ('[dependencies.x]\npath = "../x"', "x: there is no crate in '../x'"),
        ("[dependencies", "Expected ']' at the end of a table declaration (at end of document)"),
    ],
)
def test_a_path_that_leads_to_no_crate_of_the_repository(root: Path, manifest: str, mistake: str) -> None:
    (root / CRATE / "Cargo.toml").write_text(manifest)
    with pytest.raises(ConfigError) as caught:
        built_from(root, root / CRATE)
    assert caught.value.mistakes == [f"{CRATE}/Cargo.toml: {mistake}"]


def test_a_crate_without_a_workspace_is_tested_by_itself(root: Path) -> None:
    steps = {step.name: step for step in crate_tests(Session(root, Report()))}
    assert list(steps) == [f"crate-tests:{crate}" for crate in ("programs/disks", "programs/words", CRATE)]
    assert [name for name in steps[f"crate-tests:{CRATE}"].inputs if name.startswith("sources/")] == [
        "sources/programs/disks",
        "sources/programs/words",
        f"sources/{CRATE}",
    ]
    assert steps["crate-tests:programs/disks"].needs()[0].name == "crates:programs/disks"


def test_a_workspace_says_how_its_members_are_checked(root: Path) -> None:
    checkout.write_workspace(root)
    steps = {step.name: step for step in crate_tests(Session(root, Report()))}
    assert list(steps) == ["crate-tests:ws"]
    step = steps["crate-tests:ws"]
    assert [name for name in step.inputs if name.startswith("sources/")] == [
        f"sources/ws/{crate}" for crate in ("common", "one", "two")
    ]
    assert "manifests/ws/clippy.toml" in step.inputs
    assert step.needs()[0].name == "crates:ws"
