"""Which crates of the repository a crate is built from, and how they are tested."""

from pathlib import Path

import pytest

from pipeline.crates import by_path
from pipeline.errors import ConfigError
from pipeline.report import Report
from pipeline.session import Session
from pipeline.testing import crate_tests
from tests.fixtures import checkout as toy

CRATE = "recipes/toy/installer"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return toy.write(tmp_path)


def test_crates_that_are_taken_by_path_are_found_through_others(root: Path) -> None:
    found = {"programs/disks", "programs/words"}
    assert {path.relative_to(root).as_posix() for path in by_path(root, root / CRATE)} == found
    assert by_path(root, root / "programs/other") == ()


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
