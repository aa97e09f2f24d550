"""What `./doit verify` says and its exit status, in this process and as a program of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli import commands, verify
from pipeline.report import Report
from tests.conftest import ROOT
from tests.fixtures import release_folder as release
from tests.fixtures.release_folder import Keys

HOLDS = """\
✓ files                are 16, plain ones all of them
✓ SHA256SUMS           names 12 files, none is missing, all have its digests
✓ RUNSUMS              names 3 files, none is missing, all have its digests
✓ provenance.intoto.json is about all 3 artifacts, by these digests
✓ sbom.cdx.json        is about all 3 artifacts, by these digests
✓ sbom.spdx.json       is about all 3 artifacts, by these digests
✓ build.json           is about all 3 artifacts, by these digests
✓ sbom.spdx.json       names the same 7 parts as sbom.cdx.json
✓ provenance.intoto.json names the 2 packages and crates of bills of materials, by their digests
✓ build.json           is of the version, the commit and the 2 steps that the others name
- files                nothing proves who made them: nobody signed it
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("INSTALLER_ISO_CALLED_FROM", raising=False)
    return release.write(tmp_path / "1.0")


def test_what_holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.main([str(folder)]) == 0
    assert capsys.readouterr() == (HOLDS, "")


def test_what_does_not(folder: Path, keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a\x1b[2J\n\u202e[red]x").touch()
    assert verify.main(["--key", str(keys.ssh_public), str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == r"✗ a\x1b[2J\x0a\u202e[red]x is one too many: SHA256SUMS does not name it"
    assert lines[-3:] == [
        "✗ SHA256SUMS.sig       is not there: whom you named has not signed this",
        "✗ RUNSUMS.sig          is not there: whom you named has not signed this",
        "3 wrong: do not use it",
    ]


def test_a_name_that_is_no_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()
    assert verify.main([str(folder)]) == 1
    assert r"✗ \xff                 is one too many" in capsys.readouterr().out


def test_more_than_anybody_reads(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(200):
        (folder / f"x{number}").touch()
    assert verify.main([str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 70
    assert lines[-2:] == ["and 150 more that are wrong", "200 wrong: do not use it"]


def test_what_is_no_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.main([str(folder / "none")]) == 1
    assert capsys.readouterr().err.splitlines()[0] == (
        f"error: {folder}/none: cannot be read as a folder: No such file or directory"
    )
    assert verify.main([str(folder), "--signers", str(folder / "notes.txt")]) == 1
    assert "is no public key" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: DIR"),
        (["x", "--identity", "me"], "--identity and --issuer belong together"),
        (["x", "--issuer", "you"], "--identity and --issuer belong together"),
    ],
)
def test_wrong_arguments(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        verify.main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_key_that_stops_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "examine", stop)
    assert verify.main([str(folder)]) == 130


CALLED = "from pipeline.cli.script import main; raise SystemExit(main())"


@pytest.mark.parametrize("words", [[str(ROOT / "dodo.py")], ["-c", CALLED]], ids=["doit", "installer-iso"])
def test_as_a_program_of_its_own(folder: Path, words: list[str]) -> None:
    """It needs no project, and finds folders from where it is called."""
    done = subprocess.run(
        [sys.executable, "-X", "utf8", *words, "verify", "1.0"],
        cwd=folder.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT), "INSTALLER_ISO_CALLED_FROM": str(folder.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, HOLDS, "")


def test_it_is_confined_as_a_task_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    confined: list[tuple[int, bool]] = []
    monkeypatch.setattr(verify, "confine", lambda files, *, extracts: confined.append((files, extracts)))
    with pytest.raises(SystemExit) as caught:
        commands.verify(Session(folder, Report()), [str(folder)])
    assert (caught.value.code, confined) == (0, [(1, True)])
