"""The command `./doit diff`: its exit status, its formats, and what it says of what it cannot compare."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from pipeline.checks.quoting import sentence
from pipeline.cli import diff as command
from pipeline.formats.budget import STEPS, Spent
from pipeline.formats.fields import open_image
from tests.conftest import ROOT
from tests.fixtures import checkout, versions
from tests.fixtures.iso import iso
from tests.fixtures.revisions import commit

TWO_OF_A_SORT = "name two of a sort; where a revision is called like a file, write `refs/heads/NAME`"


def diff(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the program where no engine and no cache are, as from that folder."""
    away = {"DOCKER_HOST": "unix:///nowhere", "INSTALLER_ISO_CACHE": "/nowhere"}
    return subprocess.run(
        [sys.executable, "-I", "-X", "utf8", ROOT / "dodo.py", "diff", *arguments],
        env=os.environ | away | {"INSTALLER_ISO_CALLED_FROM": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with images of two versions, and what is none."""
    (tmp_path / "old.iso").write_bytes(versions.old())
    (tmp_path / "new.iso").write_bytes(versions.new())
    (tmp_path / "release").mkdir()
    (tmp_path / "release/toy.iso").write_bytes(versions.new())
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").write_text("milk, eggs")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "status", "first"),
    [
        (["old.iso", "new.iso"], 1, "old.iso (1.0, 117.2 kB) -> new.iso (2.0, 117.2 kB)"),
        (["old.iso", "old.iso"], 0, "old.iso and old.iso are the same"),
        (["old.iso", "release"], 1, "old.iso (1.0, 117.2 kB) -> release (2.0, 117.2 kB)"),
        (["release", "release", "--format", "markdown"], 0, "# release and release are the same"),
        (
            ["--format=markdown", "old.iso", "new.iso"],
            1,
            "# old.iso (1.0, 117.2 kB) -> new.iso (2.0, 117.2 kB)",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_exit_status_is_that_of_diff(arguments: list[str], status: int, first: str, images: Path) -> None:
    done = diff(images, *arguments)
    assert (done.returncode, done.stderr, done.stdout.splitlines()[0]) == (status, "", first)
    assert status or len(done.stdout.splitlines()) == 1


def test_revisions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the cache is needed for what git says, nor is there a change to what is checked out."""
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    monkeypatch.setenv("INSTALLER_ISO_CACHE", "/nowhere")
    root = checkout.write(tmp_path / "project")
    commit(root, "v1", {})
    commit(root, "v2", {"recipes/kernels/base.config": "CONFIG_EFI_STUB=y\nCONFIG_TTY=y\n"})
    (root / "recipes/kernels/base.config").write_text("CONFIG_MINE=y\n")
    assert (command.main(root, ["v1", "v2"]), command.main(root, ["v2", "v2"])) == (1, 0)
    assert capsys.readouterr().out == (
        "v1 (1.0) -> v2 (1.0)\n\nKernel of recipes/kernels/base.config\n  + TTY: y\nv2 and v2 are the same\n"
    )
    assert (root / "recipes/kernels/base.config").read_text() == "CONFIG_MINE=y\n"


def test_json(images: Path) -> None:
    said = json.loads(diff(images, "old.iso", "new.iso", "--format", "json").stdout)
    assert (said["version"], said["same"], said["old"]["name"]) == (1, False, "old.iso")


def test_where_images_differ_that_are_made_of_the_same(images: Path) -> None:
    image = iso()
    (images / "a").write_bytes(image)
    (images / "b").write_bytes(image[:33668] + b"x" + image[33669:])
    done = diff(images, "a", "b")
    assert done.returncode == 1
    assert "\nBytes\n  ISO 9660 primary volume descriptor, field application use" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (
            ["v0", "v1"],
            "v0: neither a file, nor a folder, nor a git revision of this project",
            "`git tag` and `git log --oneline` list revisions",
        ),
        (["old.iso", "HEAD"], "HEAD: no such file or folder", TWO_OF_A_SORT),
        (["gone\x1b[2J", "old.iso"], "gone\\x1b[2J: no such file or folder", TWO_OF_A_SORT),
        (
            ["old.iso", "x.txt"],
            "x.txt: is a file of no known format (it starts with 6d696c6b2c206567): nothing that boots, "
            "nor what lies in such a thing",
            "give an ISO, a disk or FAT image, an EFI program, a kernel or an initramfs",
        ),
        (
            ["empty", "old.iso"],
            "empty: is a folder without an image in it",
            "name a release folder, or an image",
        ),
        (
            ["old.iso", "x" * 300],
            f"{'x' * 300}: cannot be read: File name too long",
            "name a file that is there, and yours to read",
        ),
        (
            ["/dev/null", "old.iso"],
            "/dev/null: is a character device, which has no end",
            "name a file, a pipe, or a block device",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_compared(arguments: list[str], message: str, hint: str, images: Path) -> None:
    done = diff(images, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {sentence(message)}\n  hint: {hint}\n"


def test_where_images_differ_is_looked_for_within_a_budget(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(*_: object) -> NoReturn:
        raise Spent(STEPS)

    old, new = (open_image(images / name) for name in ("old.iso", "new.iso"))
    assert list(command._first(old, old)) == []
    monkeypatch.setattr(command, "first_difference", endless)
    assert list(command._first(old, new)) == [
        "the first difference could not be located: more is not looked at: it takes too many reads, "
        "look-ups and the like for a file of its size"
    ]


def test_wrong_arguments(images: Path) -> None:
    done = diff(images, "old.iso")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("error: the following arguments are required: NEW\n")


def test_a_reader_that_has_read_enough_and_a_full_disk(images: Path) -> None:
    program = (sys.executable, "-I", str(ROOT / "dodo.py"))
    called = [*program, "diff", str(images / "old.iso"), str(images / "new.iso")]
    with subprocess.Popen(called, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as done:
        assert done.stdout
        assert done.stderr
        done.stdout.close()
        assert done.stderr.read() == b""
    assert done.returncode == 1
    with Path("/dev/full").open("w") as full:
        failed = subprocess.run(called, stdout=full, stderr=subprocess.PIPE, check=False)
    assert failed.returncode == 2
    assert failed.stderr.startswith(b"error: standard output: cannot be written: No space left on device")
