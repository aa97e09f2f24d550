"""The wheels of this program: pip fetches them for an archive of inputs; uv asks whether they are there."""

import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from pipeline.cli import wheels
from pipeline.errors import PipelineError
from pipeline.report import Line
from pipeline.store.cache import Store
from pipeline.store.files import sha256_of
from tests.conftest import ROOT
from tests.fixtures.caches import served


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


def wheel(folder: Path) -> Path:
    """Write the wheel of a package, and the page of an index that has it."""
    path = folder / "one-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("one-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: one\nVersion: 1\n")
        file.writestr("one-1.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        file.writestr("one-1.dist-info/RECORD", "")
    (folder / "simple/one").mkdir(parents=True)
    link = f'<a href="../../{path.name}#sha256={sha256_of(path)}">{path.name}</a>'
    (folder / "simple/one/index.html").write_text(link)
    return path


ZERO = "0" * 64


@pytest.mark.parametrize(
    ("name", "extra", "said"),
    [
        ("one==1 ; sys_platform == 'win32'", "", ""),
        ("one==1", f" \\\n    --hash=sha256:{ZERO}", f"one==1: no file with sha256:{ZERO}"),
        ("one==2", "", "one==2"),
        ("two==1", "", "two was not found"),
    ],
)
def test_an_index_is_asked_whether_it_has_what_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, extra: str, said: str
) -> None:
    (tmp_path / "index").mkdir()
    digest = sha256_of(wheel(tmp_path / "index"))
    (tmp_path / wheels.LOCK).write_text(
        f"# made\n{name} \\\n    --hash=sha256:{digest}{extra}\n    # via x\n"
    )
    with served(tmp_path / "index") as (url, asked):
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"{url}/simple")
        found = wheels.missing(tmp_path, tmp_path / "scratch")
    assert f"GET /simple/{name[:3]}/" in asked
    assert said in "\n".join(found)
    assert bool(said) == bool(found)


def test_every_package_of_the_lock_is_asked_for() -> None:
    text = (ROOT / wheels.LOCK).read_text()
    found = wheels._digests(text)
    assert len(found) == len(re.findall(r"^\w", text, re.MULTILINE))
    assert sum(map(len, found.values())) == text.count("--hash=")
