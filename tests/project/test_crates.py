"""Which crates of the repository a crate is built from, and how they are tested."""

from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli.run_tests import crate_tests
from pipeline.errors import ConfigError
from pipeline.project.crates import built_from, by_path, workspace_of
from pipeline.report import Report
from tests.fixtures import checkout

CRATE = "recipes/toy/installer"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return checkout.write(tmp_path)


def test_crates_that_are_taken_by_path_are_found_through_others(root: Path) -> None:
    found = {"programs/disks", "programs/words"}
    assert {path.relative_to(root).as_posix() for path in by_path(root, root / CRATE)} == found
    assert by_path(root, root / "programs/other") == ()


def test_a_crate_is_built_from_its_whole_workspace(root: Path) -> None:
    for name, text in {
        "ws/Cargo.toml": '[workspace]\nmembers = ["crates/*", "tool"]\nexclude = ["crates/old"]\n'
        '[workspace.dependencies]\ndisks = { path = "../programs/disks" }\n',
        "ws/crates/one/Cargo.toml": '[package]\nname = "one"\n',
        "ws/crates/old/Cargo.toml": '[package]\nname = "old"\n',
        "ws/tool/Cargo.toml": '[package]\nname = "tool"\n[dependencies]\nfar = { path = "../../far" }\n',
        "far/Cargo.toml": '[package]\nname = "far"\nworkspace = "../ws"\n',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    found = [path.relative_to(root).as_posix() for path in built_from(root, root / "ws/tool")]
    assert found == ["ws/tool", "far", "programs/disks", "programs/words", "ws", "ws/crates/one"]
    tested = [path.relative_to(root).as_posix() for path in by_path(root, root / "ws/tool")]
    assert tested == ["far", "programs/disks", "programs/words", "ws/crates/one"]
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
        by_path(root, root / CRATE)
    assert caught.value.mistakes == [f"{CRATE}/Cargo.toml: {mistake}"]


def test_crates_that_programs_share_are_tested_once_and_first(root: Path) -> None:
    steps = {step.name: step for step in crate_tests(Session(root, Report()))}
    assert list(steps) == [
        "crate-tests:programs/disks",
        "crate-tests:programs/words",
        "crate-tests:toy/toy",
    ]
    assert [name for name in steps["crate-tests:toy/toy"].inputs if name != "crates.tar"] == [
        f"sources/{CRATE}",
        "sources/programs/disks",
        "sources/programs/words",
    ]
    assert steps["crate-tests:programs/disks"].needs()[0].name == "crates:programs/disks"
