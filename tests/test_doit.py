"""The script `./doit`, with a PATH that holds only what a test puts there."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

TOOLS = ("sh", "cmp", "cp", "dirname", "rm", "mkdir", "cat", "chmod")

OLD = """\
case "$1" in
    --version) echo "Python 3.9.2" ;;
    -c) exit 1 ;;
esac
"""

NO_VENV = """\
case "$1 $2" in
    *ensurepip*) exit 1 ;;
    *) echo "Python 3.12.1" ;;
esac
"""

GOOD = """\
case "$1" in
    --version) echo "Python 3.12.1" ;;
    -m)
        echo "venv $3" >> calls
        mkdir -p "$3/bin"
        exec > "$3/bin/python"
        printf '#!/bin/sh\\nshift\\necho "$*" >> calls\\n'
        echo "[ \\$1 = doit ] || exit ${PIP_STATUS:-0}"
        chmod +x "$3/bin/python"
        ;;
esac
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    shutil.copy(ROOT / "doit", tmp_path / "doit")
    (tmp_path / "requirements.lock").write_text("one\n")
    return tmp_path


def install(here: Path, name: str, script: str) -> None:
    path = here / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)


def doit(here: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [here / "doit", *arguments],
        cwd="/",
        env={"PATH": str(here / "bin")} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def calls(here: Path) -> list[str]:
    path = here / "calls"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


PIP = "pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock"
NAME_IT = ": install it, or name it in INSTALLER_ISO_PYTHON\n"


def test_an_old_python(here: Path) -> None:
    install(here, "python3", OLD)
    done = doit(here, "iso")
    assert done.returncode == 1
    assert done.stderr == f"error: Python 3.11 or newer is needed, found Python 3.9.2{NAME_IT}"
    assert not (here / ".venv").exists()


def test_no_python(here: Path) -> None:
    done = doit(here, "iso")
    assert done.returncode == 1
    assert done.stderr.startswith("error: Python 3.11 or newer is needed, found ")
    assert done.stderr.endswith(f"not found{NAME_IT}")


def test_a_newer_python_beside_an_old_one(here: Path) -> None:
    install(here, "python3", OLD)
    install(here, "python3.12", GOOD)
    done = doit(here, "iso")
    assert (done.returncode, done.stderr) == (0, "making .venv with Python 3.12.1\n")
    assert calls(here) == ["venv .venv", PIP, "doit iso"]


def test_the_python_that_is_named(here: Path) -> None:
    install(here, "python3", OLD)
    install(here, "mine", GOOD)
    assert doit(here, INSTALLER_ISO_PYTHON=str(here / "bin/mine")).returncode == 0


def test_no_venv_module(here: Path) -> None:
    install(here, "python3", NO_VENV)
    done = doit(here, "iso")
    assert done.returncode == 1
    assert done.stderr == (
        "error: python3 has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)\n"
    )


def test_the_second_call_installs_nothing(here: Path) -> None:
    install(here, "python3", GOOD)
    doit(here)
    calls(here)
    done = doit(here, "boot-test", "--way", "cd rom")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert calls(here) == ["doit boot-test --way cd rom"]


def test_changed_requirements_make_it_anew(here: Path) -> None:
    install(here, "python3", GOOD)
    doit(here)
    calls(here)
    (here / "requirements.lock").write_text("two\n")
    (here / ".venv" / "old").touch()
    doit(here)
    assert calls(here) == ["venv .venv", PIP, "doit"]
    assert not (here / ".venv" / "old").exists()


def test_requirements_that_could_not_be_installed_are_tried_again(here: Path) -> None:
    install(here, "python3", GOOD)
    done = doit(here, PIP_STATUS="1")
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert said[-1] == "error: the requirements could not be installed: pip says why above"
    calls(here)
    assert doit(here).returncode == 0
    assert calls(here) == ["venv .venv", PIP, "doit"]


def test_it_works_from_any_folder_and_is_posix(here: Path) -> None:
    assert os.access(ROOT / "doit", os.X_OK)
    assert (ROOT / "doit").read_text().startswith("#!/bin/sh\n")
    if checker := shutil.which("shellcheck"):
        assert subprocess.run([checker, ROOT / "doit"], check=False).returncode == 0
