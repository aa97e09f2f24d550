"""The script `./doit`, with a PATH that holds only what a test puts there."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

TOOLS = ("sh", "cmp", "cp", "dirname", "readlink", "grep", "mkdir", "rm", "cat", "chmod")

OLD = """\
case "$1 $2" in
    "--version ") echo "Python 3.9.2" ;;
    "-I -c") exit 1 ;;
esac
"""

GOOD = """\
case "$1 $2" in
    "--version ") echo "Python 3.12.1" ;;
    "-I make_venv.py")
        shift 2
        echo "made by $0${1:+ for $*}" >> calls
        [ -z "${FAIL:-}" ] || exit 1
        rm -rf .venv
        mkdir -p .venv/bin
        cp requirements.lock .venv/requirements.lock
        printf '#!/bin/sh\\necho "$*" >> calls\\n' > .venv/bin/python
        chmod +x .venv/bin/python
        ;;
esac
"""
RUN = "-I -X utf8 dodo.py"


def checkout(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("doit", "dodo.py", "make_venv.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "requirements.lock").write_text("one\n")
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return checkout(tmp_path)


def install(here: Path, name: str, script: str) -> Path:
    path = here / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)
    return path


def doit(
    here: Path, *arguments: str, script: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script or here / "doit", *arguments],
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


NAME_IT = "\n  hint: install one of them, or name it in INSTALLER_ISO_PYTHON\n"


def test_an_old_python(here: Path) -> None:
    install(here, "python3", OLD)
    done = doit(here, "iso")
    assert done.returncode == 1
    assert done.stderr == f"error: Python 3.11 to 3.14 is needed, python3 is Python 3.9.2{NAME_IT}"
    assert not (here / ".venv").exists()


def test_no_python(here: Path) -> None:
    done = doit(here, "iso")
    assert done.returncode == 1
    assert done.stderr.startswith("error: Python 3.11 to 3.14 is needed, python3 is ")
    assert done.stderr.endswith(f"not found{NAME_IT}")


def test_a_newer_python_beside_an_old_one(here: Path) -> None:
    install(here, "python3", OLD)
    path = install(here, "python3.12", GOOD)
    done = doit(here, "iso")
    assert (done.returncode, done.stderr) == (0, "")
    assert calls(here) == [f"made by {path} for iso", f"{RUN} iso"]


@pytest.mark.parametrize("name", ["mine", "my own"])
def test_the_python_that_is_named(here: Path, name: str) -> None:
    install(here, "python3", GOOD)
    path = install(here, name, GOOD)
    assert doit(here, INSTALLER_ISO_PYTHON=str(path)).returncode == 0
    assert calls(here)[0] == f"made by {path}"


@pytest.mark.parametrize("name", ["/nowhere/python", "python3 -s"])
def test_the_python_that_is_named_and_is_not_there(here: Path, name: str) -> None:
    install(here, "python3", GOOD)
    done = doit(here, INSTALLER_ISO_PYTHON=name)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: INSTALLER_ISO_PYTHON: there is no program '{name}'\n"
        "  hint: name one Python, without options, or unset it\n",
    )


def test_the_python_that_is_named_and_is_too_old(here: Path) -> None:
    install(here, "python3", GOOD)
    path = install(here, "old", OLD)
    done = doit(here, INSTALLER_ISO_PYTHON="old")
    assert done.stderr == f"error: Python 3.11 to 3.14 is needed, old is Python 3.9.2{NAME_IT}"
    assert path.exists()


def test_the_second_call_makes_nothing(here: Path) -> None:
    install(here, "python3", GOOD)
    doit(here)
    calls(here)
    done = doit(here, "boot-test", "--way", "cd rom")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert calls(here) == [f"{RUN} boot-test --way cd rom"]


def test_changed_requirements_make_it_anew(here: Path) -> None:
    path = install(here, "python3", GOOD)
    doit(here)
    calls(here)
    (here / "requirements.lock").write_text("two\n")
    doit(here, "gc")
    assert calls(here) == [f"made by {path} for gc", f"{RUN} gc"]


def test_a_python_that_was_upgraded_away_makes_it_anew(here: Path) -> None:
    path = install(here, "python3", GOOD)
    doit(here)
    calls(here)
    (here / ".venv/bin/python").unlink()
    (here / ".venv/bin/python").symlink_to("/nowhere/python3.11")
    doit(here, "gc")
    assert calls(here) == [f"made by {path} for gc", f"{RUN} gc"]


def test_nothing_runs_in_an_environment_that_could_not_be_made(here: Path) -> None:
    path = install(here, "python3", GOOD)
    assert doit(here, FAIL="1").returncode == 1
    assert calls(here) == [f"made by {path}"]
    assert doit(here).returncode == 0


def test_a_link_runs_the_checkout_that_it_leads_to(here: Path) -> None:
    path = install(here, "python3", GOOD)
    other = here / "other"
    (other / ".venv").mkdir(parents=True)
    (other / "requirements.lock").write_text("another project's\n")
    (other / "near").symlink_to("../doit")
    (other / "doit").symlink_to("near")
    assert doit(here, "list", script=other / "doit").stderr == ""
    assert calls(here) == [f"made by {path} for list", f"{RUN} list"]
    assert sorted(each.name for each in other.iterdir()) == [".venv", "doit", "near", "requirements.lock"]


def test_a_copy_in_another_project_touches_nothing(here: Path) -> None:
    install(here, "python3", GOOD)
    other = checkout(here / "other")
    (other / "make_venv.py").unlink()
    (other / ".venv").mkdir()
    done = doit(here, script=other / "doit")
    assert (done.returncode, done.stderr) == (
        1,
        f"error: {other} is not a project of installer-iso\n"
        "  hint: call the doit of one, or make a symbolic link to it\n",
    )
    assert list((other / ".venv").iterdir()) == []


def test_the_range_of_pythons_is_one(here: Path) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        required = tomllib.load(file)["project"]["requires-python"]
    first, behind = (int(each) for each in re.findall(r"3\.(\d+)", required))
    script = (ROOT / "doit").read_text()
    assert f"(3, {first}) <= sys.version_info < (3, {behind})" in script
    assert f"Python 3.{first} to 3.{behind - 1} is needed" in script
    assert all(f"python3.{minor} " in script for minor in range(first, behind))
    assert f"Python 3.{first} to 3.{behind - 1}" in (ROOT / "README.md").read_text()


def test_it_works_from_any_folder_and_is_posix(here: Path) -> None:
    assert os.access(ROOT / "doit", os.X_OK)
    assert (ROOT / "doit").read_text().startswith("#!/bin/sh\n")
    if checker := shutil.which("shellcheck"):
        assert subprocess.run([checker, ROOT / "doit"], check=False).returncode == 0
