"""The wheels of an archive of inputs: pip is asked once for each Python and system."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from pipeline.cli import wheels
from pipeline.errors import PipelineError
from pipeline.report import Line
from pipeline.store.cache import Store
from tests.conftest import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / wheels.LOCK).write_text("one==1\n")
    return tmp_path


def test_what_pip_fetched_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("--dest") + 1])
        python = next(each for each in command if each.startswith("--python-version="))
        asked.append((python, command.count("--platform=macosx_14_0_arm64")))
        folder.mkdir()
        (folder / "one-1-py3-none-any.whl").write_bytes(b"for all")
        (folder / f"two-{python[-4:]}.whl").write_text(python)
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(subprocess, "run", pip)
    store = Store(root / "cache")
    found = wheels.wheels(root, store, Line.silent())
    names = ["one-1-py3-none-any.whl", *(f"two-{python}.whl" for python in wheels.PYTHONS)]
    assert sorted(found) == names
    assert all(store.find(blob) for blob in found.values())
    assert sorted(asked) == sorted(
        (f"--python-version={each}", mac) for each in wheels.PYTHONS for mac in (0, 0, 1)
    )
    asked.clear()
    assert wheels.wheels(root, store, Line.silent()) == found
    assert asked == []
    spoiled = root / "cache/blobs" / found["two-3.11.whl"].sha256
    spoiled.chmod(0o644)
    spoiled.write_bytes(bytes(found["two-3.11.whl"].size))
    assert wheels.wheels(root, store, Line.silent()) == found
    assert len(asked) == 12
    assert store.find(found["two-3.11.whl"])


def test_what_pip_says(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "ERROR: no\n\nmore\n")
    )
    with pytest.raises(PipelineError) as caught:
        wheels.wheels(root, Store(root / "cache"), Line.silent())
    assert caught.value.message == (
        "the wheels of requirements.lock for Python 3.11 on manylinux_2_28_x86_64 could not be fetched:"
        "\n    ERROR: no\n    more"
    )


def test_pythons_are_those_that_the_program_runs_on() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        required = tomllib.load(file)["project"]["requires-python"]
    first, behind = (int(each) for each in re.findall(r"3\.(\d+)", required))
    assert [f"3.{minor}" for minor in range(first, behind)] == list(wheels.PYTHONS)


def test_markers_in_the_lock_say_the_same_of_all_of_them() -> None:
    """pip judges them for the Python that runs it, whatever it fetches for."""
    lines = (ROOT / wheels.LOCK).read_text().splitlines()
    markers = {line.partition(" ; ")[2].rstrip(" \\") for line in lines if " ; " in line}
    assert markers <= {
        "sys_platform == 'win32'",
        "platform_python_implementation != 'PyPy'",
        "implementation_name != 'PyPy' and platform_python_implementation != 'PyPy'",
    }
