import re
import socket
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.boot import interactive
from pipeline.build.session import Session
from pipeline.cli import boot_test, by_hand
from pipeline.cli.by_hand import Wish
from pipeline.errors import PipelineError
from pipeline.plan.step import Source, Step
from pipeline.project import checkout as project
from pipeline.report import Report
from tests.fixtures import checkout

GIB = 1 << 30


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    return Session(checkout.write(tmp_path / "toy"), Report())


def keep(session: Session, size: int) -> Path:
    """Have a disk, as an earlier machine left it."""
    folder = session.root / "artifacts/toy/boot"
    folder.mkdir(parents=True)
    (folder / interactive.DISK).write_bytes(b"QFI\xfb" + bytes(20) + struct.pack(">Q", size) + b"it")
    (folder / "OVMF_VARS_4M.fd").write_bytes(b"entries")
    return folder


BAD: list[tuple[dict[str, Any], str]] = [
    ({"way": "floppy"}, "'floppy' is an unknown way of booting"),
    ({"accel": "xen"}, "'xen' is an unknown accelerator"),
    ({"disk": "large"}, "'large' is not the size of a disk"),
    ({"display": "sdl"}, "'sdl' is not a display"),
    ({"display": "gtk"}, "--display gtk: the QEMU in the container has no window of its own"),
    ({"keep": True}, "--keep is about a disk: --disk is required for it"),
    ({"installed": True, "disk": "1G"}, "--installed starts the kept disk alone: --disk does not go with it"),
    ({"installed": True, "way": "usb"}, "--installed starts the kept disk alone: --way does not go with it"),
    ({"installed": True}, "nothing is kept in .*/artifacts/toy/boot"),
]


@pytest.mark.parametrize(("options", "said"), BAD)
def test_what_makes_no_sense(session: Session, options: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineError, match=f"^{said}"):
        Wish(**options).judge(session)


def test_a_kept_disk_is_not_replaced_by_one_of_another_size(session: Session) -> None:
    disk = keep(session, GIB) / interactive.DISK
    Wish(disk="1G", keep=True).judge(session)
    Wish(disk="2G").judge(session)
    Wish(installed=True, display="vnc").judge(session)
    with pytest.raises(PipelineError) as caught:
        Wish(disk="2G", keep=True).judge(session)
    said = f"{session.shown(disk)}: the disk that is kept has {GIB} bytes, not {2 * GIB}"
    assert caught.value.message == said


class Machine:
    """A sandbox in which somebody installs to the disk, where there is one."""

    def __init__(self, fails: bool = False) -> None:
        self.fails, self.work = fails, SimpleNamespace()

    def attach(self, work: Any, out: Path) -> int:
        self.work = work
        if self.fails:
            raise PipelineError("the container engine went away")
        if work.step.params["keep"]:
            for name in interactive.KEPT:
                (out / name).write_text("installed")
        return 0


def looked(session: Session, monkeypatch: pytest.MonkeyPatch, machine: Machine, **options: Any) -> Step:
    """Have somebody look around; return the step, before which what it needs was made."""
    monkeypatch.setattr(boot_test, "accelerator", lambda *_: "tcg")
    made: list[str] = []
    monkeypatch.setattr(
        "pipeline.cli.realise.realise", lambda _, steps: made.extend(step.name for step in steps)
    )
    monkeypatch.setattr(type(session.project), "lock_of", lambda *_: None)
    work = SimpleNamespace
    builder = SimpleNamespace(sandbox=machine, work=lambda step, _line, **more: work(step=step, **more))
    vars(session)["builder"] = builder
    try:
        assert by_hand.look_around(session, Wish(**options)) == 0
    finally:
        machine.work.made = made
    step = machine.work.step
    assert isinstance(step, Step)
    return step


@pytest.fixture
def planned(session: Session) -> Session:
    vars(session)["images"] = Session(session.root, Report()).images
    assert project.load(session.root)
    return session


@pytest.mark.parametrize(
    ("way", "of", "last"), [("", "iso", "iso:toy"), ("usb", "iso", "iso:toy"), ("esp", "uki", "uki:toy")]
)
def test_no_more_is_made_than_the_way_needs(
    planned: Session, monkeypatch: pytest.MonkeyPatch, way: str, of: str, last: str
) -> None:
    machine = Machine()
    step = looked(planned, monkeypatch, machine, way=way)
    assert list(step.inputs) == [of]
    assert (machine.work.made[-1], machine.work.port) == (last, 0)
    assert ("efi-img:toy" in machine.work.made) is (of == "iso")
    assert not (planned.root / "artifacts/toy/boot").exists()


def test_what_was_installed_is_kept_and_started(planned: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = planned.root / "artifacts/toy/boot"
    step = looked(planned, monkeypatch, Machine(), disk="1G", keep=True)
    assert (list(step.inputs), step.params["disk"]) == (["iso"], GIB)
    assert {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys(
        interactive.KEPT, "installed"
    )
    again = looked(planned, monkeypatch, Machine(), installed=True)
    assert again.inputs == {name: Source(folder / name) for name in interactive.KEPT}
    assert (again.params["way"], again.params["keep"]) == ("", True)


def test_a_machine_that_is_lost_leaves_what_was_kept(
    planned: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = keep(planned, GIB)
    with pytest.raises(PipelineError):
        looked(planned, monkeypatch, Machine(fails=True), installed=True)
    assert (folder / interactive.DISK).read_bytes().endswith(b"it")


def test_a_display_has_a_port_that_nobody_uses(planned: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    first = by_hand.free_port()
    with socket.create_server(("127.0.0.1", first)):
        machine = Machine()
        step = looked(planned, monkeypatch, machine, display="vnc")
        assert step.params["port"] == machine.work.port > first
    monkeypatch.setattr(by_hand, "PORTS", range(first, first + 1))
    with (
        socket.create_server(("127.0.0.1", first)),
        pytest.raises(PipelineError, match=re.escape(f"all ports from {first} to {first} are in use")),
    ):
        by_hand.free_port()
