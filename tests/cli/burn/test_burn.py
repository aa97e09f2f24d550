"""`./doit burn`, onto files that stand for devices."""

import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.cli import burn
from pipeline.cli.burn import write as writing
from pipeline.cli.burn.linux import Linux
from pipeline.cli.burn.macos import MacOS
from pipeline.cli.burn.stick import Part, Stick
from pipeline.errors import PipelineError
from pipeline.report import Line, Report
from tests.fixtures import checkout
from tests.plan.test_systems import without_iso

IMAGE = bytes(burn.ISO_AT) + burn.ISO_MAGIC + b"contents" * 1000
SIZE = 1 << 20


@dataclass
class Machine:
    """A system with one disk, which may be another one when it is asked again."""

    stick: Stick
    later: Stick | None = None
    asked: int = 0

    def disks(self) -> list[Stick]:
        return [self.stick, replace(self.stick, removable=False), replace(self.stick, size=0)]

    def disk(self, device: str) -> Stick:
        assert device == "sdb"
        self.asked += 1
        return self.later or self.stick if self.asked > 1 else self.stick


@pytest.fixture
def stick(tmp_path: Path) -> Stick:
    node = tmp_path / "node"
    node.write_bytes(b"x" * SIZE)
    return Stick("sdb", node, "SanDisk Ultra", "4C530001 1507", "USB", SIZE, 512, True)


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(tmp_path: Path, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("INSTALLER_ISO_CALLED_FROM", raising=False)
    root = checkout.write(tmp_path / "checkout")
    monkeypatch.chdir(root)
    (root / "artifacts/toy").mkdir(parents=True)
    (root / "artifacts/toy/toy.iso").write_bytes(IMAGE)
    return Session(root, Report(screen))


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have a person type these lines in a terminal, and then end it."""

    def type_(*lines: str) -> None:
        typed = iter(lines)

        def answer(_prompt: str) -> str:
            try:
                return next(typed)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", answer)
        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))

    return type_


def run(session: Session, machine: Machine, *arguments: str) -> bool:
    system: Any = machine
    return burn.burn(session, list(arguments) or ["sdb"], system)


def test_an_image_is_written_once_the_serial_number_was_read(
    session: Session, stick: Stick, screen: io.StringIO, types: Callable[..., None]
) -> None:
    types("1508", " 1507 ")
    assert run(session, Machine(replace(stick, parts=(Part(1, 512, "vfat", "OLD\x1b[2J"),)))) is True
    assert stick.node.read_bytes() == IMAGE.ljust(-(-len(IMAGE) // 512) * 512, b"\0").ljust(SIZE, b"x")
    lines = screen.getvalue().splitlines()
    assert lines[:6] == [
        "sdb: SanDisk Ultra, 1.0 MB, USB",
        "Serial number 4C530001 1507",
        "All of this will be lost",
        "    1      512 B  vfat             OLD",
        "If you are sure, type the last 4 characters of its serial number; Enter alone leaves it as it is.",
        "That is not it.",
    ]
    assert lines[-1] == f"sdb: holds artifacts/toy/toy.iso, SHA-256 {hashlib.sha256(IMAGE).hexdigest()}"


def test_the_disk_of_a_system_is_written(
    session: Session, stick: Stick, screen: io.StringIO, types: Callable[..., None]
) -> None:
    without_iso(session.root)
    disk = session.root / "artifacts/toy/toy.raw"
    system: Any = Machine(stick)
    with pytest.raises(
        PipelineError, match=r"^artifacts/toy/toy.raw: no such file\n  hint: `./doit image toy`"
    ):
        burn.burn(session, ["sdb"], system, "toy")
    disk.write_bytes(bytes(SIZE))
    with pytest.raises(
        PipelineError, match=r"^artifacts/toy/toy.raw: is neither an ISO image nor a raw disk"
    ):
        burn.burn(session, ["sdb"], system, "toy")
    disk.write_bytes(bytes(burn.GPT_AT) + burn.GPT_MAGIC + bytes(SIZE - burn.GPT_AT - 8))
    types("1507")
    system.asked = 0
    assert burn.burn(session, ["sdb"], system, "toy") is True
    assert stick.node.read_bytes() == disk.read_bytes()
    assert "artifacts/toy/toy.raw" in screen.getvalue().splitlines()[-1]
    with pytest.raises(PipelineError, match=r"^--image names a recipe, and there is a file, too"):
        burn.burn(session, ["sdb", "x.iso"], system, "toy")


@pytest.mark.parametrize("lines", [(), ("",), ("1508", " ")])
def test_who_types_nothing_loses_nothing(
    session: Session, stick: Stick, screen: io.StringIO, types: Callable[..., None], lines: tuple[str, ...]
) -> None:
    types(*lines)
    assert run(session, Machine(stick)) is False
    assert stick.node.read_bytes() == b"x" * SIZE
    assert screen.getvalue().splitlines()[-1] == "Nothing was written."


@pytest.mark.parametrize(
    ("serial", "proof", "what"),
    [
        ("4c53abcd", "ABCD", "the last 4 characters of its serial number"),
        ("A 1", "a 1", "the last 3 characters of its serial number"),
        ("", "SDB", "sdb, since this disk has no serial number"),
    ],
)
def test_what_proves_that_the_right_disk_is_meant(stick: Stick, serial: str, proof: str, what: str) -> None:
    disk = replace(stick, serial=serial)
    assert list(disk.question([disk, replace(disk, name="sdc", serial="other")]))[2:] == [
        "All of this disk will be overwritten",
        "  On it: nothing was found.",
        f"If you are sure, type {what}; Enter alone leaves it as it is.",
    ]
    assert disk.is_proven_by(proof)
    assert not disk.is_proven_by("")
    assert not disk.is_proven_by(proof[1:])


@pytest.mark.parametrize(
    ("serial", "line"), [("1507", "Another disk has the same."), ("", "All of this disk will be overwritten")]
)
def test_a_serial_number_that_two_disks_have_is_told(stick: Stick, serial: str, line: str) -> None:
    disk = replace(stick, serial=serial)
    assert list(disk.question([disk, replace(disk, name="sdc")]))[2] == line


NAMED = "sdb: SanDisk Ultra, 1.0 MB, USB"
JUDGED: list[tuple[dict[str, Any], str, str]] = [
    (
        {"removable": False},
        f"{NAMED}: is not removable",
        "name a USB stick or a memory card; `./doit burn` lists them",
    ),
    ({"size": 0}, "sdb: there is no medium in it", "put one in"),
    (
        {"read_only": True},
        f"{NAMED}: is write-protected",
        "look for a switch on it, or take another one",
    ),
    (
        {"uses": ("sdb1 is mounted at /mnt", "sdb2 is swap space"), "release": "`umount`"},
        f"{NAMED}: is in use: sdb1 is mounted at /mnt; sdb2 is swap space",
        "`umount`",
    ),
    ({"size": 1000}, "sdb: SanDisk Ultra, 1.0 kB, USB: the image has 40.8 kB", "take a larger one"),
]


@pytest.mark.parametrize(("change", "message", "hint"), JUDGED)
def test_what_must_not_or_cannot_be_written_to(
    session: Session,
    stick: Stick,
    types: Callable[..., None],
    change: dict[str, Any],
    message: str,
    hint: str,
) -> None:
    types("1507")
    with pytest.raises(PipelineError) as caught:
        run(session, Machine(replace(stick, **change)))
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert stick.node.read_bytes() == b"x" * SIZE


def test_a_disk_that_was_exchanged_while_the_question_was_there(
    session: Session, stick: Stick, types: Callable[..., None]
) -> None:
    types("1507")
    with pytest.raises(PipelineError, match=r"^sdb: is not as it was when the question was asked\n"):
        run(session, Machine(stick, replace(stick, place="8")))
    assert stick.node.read_bytes() == b"x" * SIZE


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (
            ["sdb", "a", "b"],
            "burn takes a device and at most one image, got 3 names",
            burn.USAGE,
        ),
        (["sdb", "none.iso"], "none.iso: no such file", "`./doit iso` makes the ISO"),
        (
            ["sdb", "recipes/toy/recipe.toml"],
            "recipes/toy/recipe.toml: is neither an ISO image nor a raw disk with a GPT",
            burn.USAGE,
        ),
    ],
)
def test_what_makes_no_sense(
    session: Session, stick: Stick, arguments: list[str], message: str, hint: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        run(session, Machine(stick), *arguments)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(("removable", "said"), [(True, NAMED), (False, "no removable disk is attached")])
def test_without_a_device_it_says_which_there_are(
    session: Session, stick: Stick, screen: io.StringIO, removable: bool, said: str
) -> None:
    machine: Any = Machine(replace(stick, removable=removable))
    assert burn.burn(session, [], machine) is True
    assert screen.getvalue().splitlines() == [said, f"  to write to one:  {burn.USAGE}"]


def test_nobody_is_asked_without_a_terminal(
    session: Session, stick: Stick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(PipelineError, match=r"^standard input is not a terminal\n"):
        run(session, Machine(stick))


def test_a_stick_that_keeps_other_bytes(
    session: Session, stick: Stick, types: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    true_write = os.write

    def spoilt(descriptor: int, data: Any) -> int:
        taken = bytes(data[:5000])  # and never all of it at once
        return (
            true_write(descriptor, taken[:-1] + b"?") if len(taken) == 5000 else true_write(descriptor, taken)
        )

    types("1507")
    monkeypatch.setattr(os, "write", spoilt)
    with pytest.raises(PipelineError, match="does not hold what was written to it"):
        run(session, Machine(stick))


def test_a_stick_that_claims_to_be_larger(stick: Stick) -> None:
    with pytest.raises(PipelineError, match=f"^{NAMED}: ends after {SIZE} bytes"):
        writing.read_back(stick, SIZE + 1, Line.silent())


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (PermissionError(1, "no"), ": permission denied", "`sudo ./doit burn …`"),
        (OSError(16, "busy"), ": is in use", "`umount`"),
        (
            OSError(5, "Input/output error"),
            ": Input/output error",
            "plug it in again; if it stays so, take another one",
        ),
    ],
)
def test_what_the_system_refuses(
    stick: Stick, monkeypatch: pytest.MonkeyPatch, error: OSError, message: str, hint: str
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PipelineError) as caught:
        writing.read_back(replace(stick, release="`umount`"), 1, Line.silent())
    assert (caught.value.message, caught.value.hint) == (f"{stick.node}{message}", hint)


@pytest.mark.parametrize(
    ("mode", "flags"), [("write", os.O_EXCL), ("read", os.O_EXCL | getattr(os, "O_DIRECT", 0))]
)
def test_a_block_device_is_asked_for_alone_and_read_past_the_cache(
    stick: Stick, monkeypatch: pytest.MonkeyPatch, mode: str, flags: int
) -> None:
    seen = []

    def refuse(_node: Path, given: int) -> None:
        seen.append(given & ~os.O_WRONLY)
        raise OSError(16, "busy")

    monkeypatch.setattr("stat.S_ISBLK", lambda _: True)
    monkeypatch.setattr(os, "open", refuse)
    ways: dict[str, Callable[[], str]] = {
        "write": lambda: writing.write(stick.node, stick, Line.silent()),
        "read": lambda: writing.read_back(stick, 1, Line.silent()),
    }
    with pytest.raises(PipelineError, match="is in use"):
        ways[mode]()
    assert seen == [flags]


@pytest.mark.parametrize(("is_raw", "synced"), [(False, 3), (True, 0)])
def test_each_part_has_arrived_before_the_next_is_counted(
    tmp_path: Path, stick: Stick, monkeypatch: pytest.MonkeyPatch, is_raw: bool, synced: int
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(writing, "CHUNK", 512)
    monkeypatch.setattr("stat.S_ISCHR", lambda _: is_raw)
    monkeypatch.setattr(os, "fsync", calls.append)
    (tmp_path / "image").write_bytes(bytes(1500))
    writing.write(tmp_path / "image", stick, Line.silent())
    assert len(calls) == synced


def test_what_the_system_takes_in_parts_arrives_whole(
    tmp_path: Path, stick: Stick, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: true_write(descriptor, data[:1000]))
    (tmp_path / "image").write_bytes(IMAGE)
    digest = writing.write(tmp_path / "image", stick, Line.silent())
    assert digest == hashlib.sha256(IMAGE).hexdigest()
    assert stick.node.read_bytes().startswith(IMAGE)


def test_an_image_that_cannot_be_read_is_no_fault_of_the_stick(
    tmp_path: Path, stick: Stick, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    image = tmp_path / "image"
    image.write_bytes(IMAGE)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", fail)
        with pytest.raises(PipelineError) as caught:
            writing.write(image, stick, Line.silent())
    assert caught.value.message == f"{image}: Input/output error"
    assert stick.node.read_bytes() == b"x" * SIZE


def test_a_node_that_is_another_disk_s(stick: Stick) -> None:
    with pytest.raises(PipelineError, match=r"is not the disk sdb\n"):
        writing.read_back(replace(stick, number=os.makedev(8, 16)), 1, Line.silent())


@pytest.mark.parametrize(
    ("system", "release", "expected"),
    [
        (
            "linux",
            "6.12.1",
            [
                "sudo ./doit burn /dev/sdX",
                "sudo dd if='a b.iso' of=/dev/sdX bs=4M oflag=direct conv=fsync status=progress",
            ],
        ),
        (
            "darwin",
            "24.0.0",
            [
                "sudo ./doit burn /dev/diskN",
                "diskutil unmountDisk /dev/diskN && sudo dd if='a b.iso' of=/dev/rdiskN bs=4m",
            ],
        ),
        ("linux", "5.15.1-microsoft-standard-WSL2", ["Rufus, in its DD image mode, with 'a b.iso'"]),
    ],
)
def test_the_hint_is_this_system_s(
    monkeypatch: pytest.MonkeyPatch, system: str, release: str, expected: list[str]
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.release", lambda: release)
    assert burn.commands("a b.iso") == expected


@pytest.mark.parametrize(("platform", "system"), [("linux", Linux), ("darwin", MacOS)])
def test_each_system_is_asked_in_its_way(
    session: Session, monkeypatch: pytest.MonkeyPatch, platform: str, system: type
) -> None:
    asked: list[type] = []

    def disks(asked_one: object) -> list[Stick]:
        asked.append(type(asked_one))
        return []

    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(system, "disks", disks)
    assert burn.burn(session, []) is True
    assert asked == [system]
