"""The command of an installed package finds the project that it is called in."""

import os
import sys
from pathlib import Path

import pytest

from pipeline.cli import entry, program, script


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, list[str]]]:
    calls: list[tuple[Path, list[str]]] = []

    def main(root: Path, arguments: list[str]) -> int:
        calls.append((root, arguments))
        return 0

    monkeypatch.setattr(entry, "main", main)
    monkeypatch.delenv("INSTALLER_ISO_CALLED_FROM", raising=False)
    return calls


@pytest.mark.parametrize("below", ["", "recipes/toy"])
def test_the_project_around_is_meant(
    tmp_path: Path, below: str, calls: list[tuple[Path, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/manifest.toml").touch()
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / below)
    monkeypatch.setattr(sys, "argv", ["installer-iso", "iso", "-n", "0"])
    assert script.main() == 0
    assert calls == [(tmp_path, ["iso", "-n", "0"])]
    assert os.environ["INSTALLER_ISO_CALLED_FROM"] == str(tmp_path / below)


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "x"],
        ["verify", "x"],
        ["diff", "x", "y"],
        ["new", "x", "--product", "ACME"],
        ["doctor"],
        ["list"],
        ["help", "iso"],
        ["--help"],
        ["iso", "-h"],
    ],
)
def test_what_needs_no_project(
    tmp_path: Path, calls: list[tuple[Path, list[str]]], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["installer-iso", *arguments])
    assert script.main() == 0
    assert calls == [(tmp_path, arguments)]


@pytest.mark.parametrize("arguments", [[], ["iso"], ["burn", "inspect"]])
def test_what_needs_a_project(
    tmp_path: Path,
    arguments: list[str],
    calls: list[tuple[Path, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["installer-iso", *arguments])
    assert script.main() == 1
    assert calls == []
    assert capsys.readouterr().err == (
        f"error: {tmp_path} is in no project: no manifests/manifest.toml in it or above it\n"
        "  hint: change to one; `installer-iso new FOLDER --product NAME` makes one\n"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["new", "--help"], ["list"]])
def test_nothing_is_left_where_there_is_no_project(tmp_path: Path, arguments: list[str]) -> None:
    assert program.run(tmp_path, arguments) == 0
    assert list(tmp_path.iterdir()) == []
