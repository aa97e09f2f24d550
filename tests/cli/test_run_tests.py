"""What `./doit test` runs, here and in a project for another product."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli import run_tests
from pipeline.report import Report
from tests.fixtures import checkout


@pytest.mark.parametrize("ours", [False, True])
def test_python_is_tested_where_there_is_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, ours: bool
) -> None:
    root = checkout.write(tmp_path)
    if ours:
        (root / "pyproject.toml").touch()
    ran: list[str] = []

    def run(_session: Session, command: Sequence[str]) -> bool:
        ran.append(command[0])
        return True

    monkeypatch.setattr(run_tests, "_run", run)
    assert run_tests.run_tests(Session(root, Report()), fast=True)
    assert ran == (["ruff", "ruff", "mypy", "pytest"] if ours else [])


def test_programs_that_come_with_the_pipeline_are_tested_there(tmp_path: Path) -> None:
    root = checkout.write(tmp_path)
    assert run_tests.crate_tests(Session(root, Report())) != []
    recipe = root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().replace('crate = "installer"', 'builtin = "installer"'))
    assert run_tests.crate_tests(Session(root, Report())) == []
