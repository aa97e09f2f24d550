"""The command as people call it: what is written where, and its exit status."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.inspection import cli, text
from tests.conftest import ROOT
from tests.fixtures.fat import fat
from tests.fixtures.initramfs import INITTAB
from tests.fixtures.iso import iso
from tests.fixtures.uki import uki

INITTAB_IN_ISO = "good.iso!efi.img!EFI/BOOT/BOOTX64.EFI!.initrd!etc/inittab"
KNOWN = "give an ISO, a disk image, a file system, an EFI program, a kernel, an initramfs or an ELF program"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.iso").write_bytes(iso())
    (tmp_path / "pe.iso").write_bytes(iso(uki()))
    (tmp_path / "plain.iso").write_bytes(iso(joliet=False))
    (tmp_path / "a=b.efi").write_bytes(uki())
    (tmp_path / "notes.txt").write_text("milk, eggs")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "empty").touch()
    (tmp_path / "nothing.img").write_bytes(fat({"README.TXT": b"x"}))
    return tmp_path


Inspect = Callable[..., "subprocess.CompletedProcess[str]"]


def called(
    checkout: Path, folder: Path, arguments: Sequence[str], **env: str
) -> subprocess.CompletedProcess[str]:
    command = [str(checkout / "doit"), "inspect", *arguments]
    return subprocess.run(
        command, cwd=folder, env=os.environ | env, capture_output=True, text=True, check=False
    )


@pytest.fixture
def inspect(folder: Path) -> Inspect:
    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return called(ROOT, folder, arguments, **env)

    return run


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["good.iso"], 0),
        (["./a=b.efi"], 0),
        (["a=b.efi", "--json"], 0),
        (["--", "good.iso"], 0),
        (["pe.iso"], 1),
        (["--why", "usb", "good.iso"], 0),
        (["--why", "cd", "pe.iso"], 1),
        (["--why", "usb", "a=b.efi"], 0),
        (["--why", "floppy", "good.iso"], 2),
        (["nothing.img"], 1),
        (["--tree", "pe.iso"], 1),
        (["good.iso", "pe.iso"], 1),
        (["plain.iso"], 0),
        (["plain.iso", "--policy", "strict"], 0),
        (["plain.iso", "--policy", "all"], 1),
        (["plain.iso", "--policy", "loose"], 2),
        (["notes.txt"], 2),
        (["run.sh"], 2),
        (["empty"], 2),
        (["gone.iso"], 2),
        (["."], 2),
        (["pe.iso", "gone.iso", "good.iso"], 2),
        ([], 2),
        (["--jsn", "good.iso"], 2),
        (["--json", "--tree", "good.iso"], 2),
        (["--extract", "good.iso"], 2),
        (["--extract", INITTAB_IN_ISO, "-", "good.iso"], 2),
        (["--extract", "good.iso!none", "-"], 2),
        (["--extract", "good.iso!efi.img", "new"], 0),
        (["--help"], 0),
    ],
)
def test_the_exit_status(inspect: Inspect, arguments: list[str], status: int) -> None:
    done = inspect(*arguments)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert bool(done.stderr) == (status == 2)


@pytest.mark.parametrize(
    ("name", "sentence", "hint"),
    [
        (
            "notes.txt",
            "is a file of no known format (it starts with 6d696c6b2c206567): nothing that boots, nor what "
            "lies in such a thing",
            KNOWN,
        ),
        ("run.sh", "is a script (#!/bin/sh): nothing that boots, nor what lies in such a thing", KNOWN),
        ("empty", "is an empty file: nothing that boots, nor what lies in such a thing", KNOWN),
        (
            "gone.iso",
            "cannot be read: No such file or directory",
            "name a file that is there, and yours to read",
        ),
        (".", "is a directory", "name a file, a pipe, or a block device"),
        ("/dev/zero", "is a character device, which has no end", "name a file, a pipe, or a block device"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(inspect: Inspect, name: str, sentence: str, hint: str) -> None:
    done = inspect(name)
    assert (done.stdout, done.stderr) == ("", f"error: {name}: {sentence}\n  hint: {hint}\n")


def test_json_is_all_that_is_on_standard_output(inspect: Inspect) -> None:
    done = inspect("gone.iso", "pe.iso", "good.iso", "--json")
    said = json.loads(done.stdout)
    assert [file["name"] for file in said["files"]] == ["gone.iso", "pe.iso", "good.iso"]
    assert [bool(file["error"]) for file in said["files"]] == [True, False, False]
    assert [len(file["findings"]) for file in said["files"]] == [0, 1, 0]
    assert done.stderr.startswith("error: gone.iso: ")


def test_several_files_one_after_the_other(inspect: Inspect, folder: Path) -> None:
    lines = inspect("good.iso", "pe.iso").stdout.splitlines()
    assert [line for line in lines if ": ISO 9660 image, " in line] == [
        f"{name}: ISO 9660 image, {text.size((folder / name).stat().st_size)}"
        for name in ("good.iso", "pe.iso")
    ]
    assert lines[lines.index("no findings") + 1] == ""


def test_the_tree_alone(inspect: Inspect) -> None:
    lines = inspect("good.iso", "--tree").stdout.splitlines()
    assert lines[0].startswith("good.iso ")
    assert lines[-1].startswith("└── ")
    assert any("sbin/init" in line for line in lines)


def test_a_member_on_standard_output(inspect: Inspect) -> None:
    done = inspect("--extract", INITTAB_IN_ISO, "-")
    assert (done.stdout, done.stderr) == (INITTAB, "")


def test_a_member_in_a_new_file(inspect: Inspect, folder: Path) -> None:
    assert inspect("--extract", INITTAB_IN_ISO, "new").stdout == ""
    assert (folder / "new").read_text() == INITTAB
    again = inspect("--extract", INITTAB_IN_ISO, "new")
    assert again.stderr == f"error: {folder}/new: already exists\n  hint: choose another name\n"


def test_the_rules_of_a_policy_are_asked_for(inspect: Inspect) -> None:
    assert "\nno findings\n" in inspect("plain.iso").stdout
    assert "  error ISO004\n" in inspect("plain.iso", "--policy", "strict", "--policy", "medium").stdout
    assert "ISO004" not in inspect("plain.iso", "--policy", "reproducible").stdout


def test_a_reader_who_has_read_enough(folder: Path) -> None:
    command = f"{ROOT}/doit inspect --json good.iso good.iso good.iso | head -c 10"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ('{"version"', "")


def test_an_output_that_knows_no_such_letters(inspect: Inspect, latin1: dict[str, str]) -> None:
    done = inspect("good.iso", **latin1)
    assert done.returncode == 0
    assert "\\u2514" in done.stdout


def test_the_task_is_the_same(folder: Path) -> None:
    command = [str(ROOT / "doit"), "run", "inspect", str(folder / "gone.iso")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {folder}/gone.iso: cannot be read: ")


def test_a_checkout_that_is_broken(tmp_path: Path, folder: Path) -> None:
    """Nothing of recipes, locks and engine is needed."""
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "pipeline", copy / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("doit", "dodo.py", "make_venv.py", "requirements.lock"):
        shutil.copy(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    (copy / "recipes").write_text("not even a folder")
    before = sorted(path.name for path in copy.iterdir())
    done = called(copy, folder, ["good.iso"], DOCKER_HOST="unix:///nowhere")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in copy.iterdir() if path.name != "__pycache__") == before


def test_a_defect_is_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr(cli, "take_apart", fail)
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(folder))
    assert cli.main(["good.iso"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(
        "error: good.iso: reading it failed in a way that nobody thought of: IndexError at test_cli.py:"
    )


def test_a_defect_in_what_is_printed_is_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr(text, "heading", fail)
    assert cli.main([str(folder / "good.iso")]) == 2
    assert capsys.readouterr().err.startswith("error: what was found: reading it failed in a way that nobody")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize(
    "arguments", [["good.iso"], ["good.iso", "--json"], ["--extract", "good.iso!efi.img", "-"]]
)
def test_an_output_that_is_full(folder: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [str(ROOT / "doit"), "inspect", *arguments]
        done = subprocess.run(
            command, cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (
        2,
        "error: standard output: cannot be written: No space left on device\n"
        "  hint: write it where there is room\n",
    )


def test_a_key_that_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_args: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "take_apart", stop)
    assert cli.main([str(ROOT / "dodo.py")]) == 130


def test_a_strangers_words_stay_in_their_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise PipelineError("it says \x1b[2J", "see \n there")

    monkeypatch.setattr(cli, "take_apart", fail)
    assert cli.main([str(folder / "good.iso"), "no\x07ne"]) == 2
    assert "it says \\x1b[2J\n  hint: see \\x0a there\n" in capsys.readouterr().err
