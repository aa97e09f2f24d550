import contextlib
import re
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.boot import interactive
from pipeline.build.session import Session
from pipeline.cli import bench, boot_test, by_hand
from pipeline.cli.by_hand import Wish
from pipeline.errors import PipelineError
from pipeline.plan.step import Source, Step
from pipeline.project import checkout as project
from pipeline.report import Report
from tests.fixtures import checkout
from tests.plan.test_systems import without_iso

GIB = 1 << 30


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    return Session(checkout.write(tmp_path / "toy"), Report())


def keep(session: Session, size: int) -> Path:
    """Have a disk, as an earlier machine left it."""
    folder = session.root / "artifacts/toy/boot"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / interactive.DISK).write_bytes(b"QFI\xfb" + bytes(20) + struct.pack(">Q", size) + b"it")
    (folder / "OVMF_VARS_4M.fd").write_bytes(b"entries")
    return folder


@pytest.fixture
def system(tmp_path: Path, session: Session) -> Session:
    """A session in which the toy has a disk, and no ISO."""
    without_iso(session.root)
    return session


OF_A_SYSTEM: list[tuple[dict[str, Any], str]] = [
    (
        {"way": "cd"},
        "--way cd boots an ISO, and toy has none\n  hint: choose from virtio-blk, virtio-scsi, ahci",
    ),
    ({"disk": "1G", "keep": True}, "--keep is about a disk that a medium installs to: what is written to a"),
    (
        {"installed": True},
        "--installed is about a disk that a medium installs to: what is written to a system",
    ),
    ({"image": "box"}, "'box' is not a recipe\n  hint: name one of toy"),
]


@pytest.mark.parametrize(("options", "said"), OF_A_SYSTEM)
def test_what_makes_no_sense_of_a_system(system: Session, options: dict[str, Any], said: str) -> None:
    Wish(image="toy", way="nvme", disk="4G").judge(system)
    with pytest.raises(PipelineError, match=f"^{said}"):
        Wish(**options).judge(system)


@pytest.mark.parametrize(("way", "booted"), [("", "virtio-blk"), ("ahci", "ahci")])
def test_of_a_system_the_raw_disk_is_made(
    system: Session, monkeypatch: pytest.MonkeyPatch, way: str, booted: str
) -> None:
    vars(system)["plans"] = Session(system.root, Report()).plans
    machine = Machine()
    step = looked(system, monkeypatch, machine, way=way, disk="2G")
    assert (list(step.inputs), step.params["way"], step.params["disk"]) == (["disk"], booted, 2 * GIB)
    assert machine.work.made[-1] == "disk:toy"
    assert not (system.root / "artifacts/toy/boot").exists()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"way": "floppy"}, "'floppy' is an unknown way of booting"),
    ({"accel": "xen"}, "'xen' is an unknown accelerator"),
    ({"disk": "large"}, "'large' is not the size of a disk"),
    ({"way": "nvme"}, "--way nvme boots a disk, and toy has none"),
    ({"display": "sdl"}, "'sdl' is not a display"),
    ({"display": "gtk"}, "--display gtk: the QEMU in the container has no window of its own"),
    ({"keep": True}, "--keep keeps a disk: --disk is required with it"),
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


def test_there_must_be_a_terminal(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(PipelineError, match=r"^standard input is not a terminal"):
        Wish().judge(session)


@pytest.mark.parametrize("doing", [lambda session: Wish().judge(session), lambda s: bench.measure(s, "boot")])
def test_there_must_be_a_medium(session: Session, doing: Callable[[Session], None]) -> None:
    recipe = session.root / "recipes/toy/recipe.toml"
    recipe.write_text(recipe.read_text().partition("\n[iso]")[0].replace(', "medium={volume_id}"', ""))
    with pytest.raises(PipelineError, match=r"^no recipe ends in an ISO"):
        doing(session)


class Machine:
    """A sandbox in which somebody installs to the disk, where there is one, and which ends as `end` says."""

    def __init__(
        self, end: Callable[[], int] = lambda: 0, leaves: tuple[str, ...] = interactive.KEPT
    ) -> None:
        self.end, self.leaves, self.work = end, leaves, SimpleNamespace()

    def attach(self, work: Any, out: Path) -> int:
        self.work = work
        if work.step.params["keep"]:
            for name in self.leaves:
                (out / name).write_text("installed")
        return self.end()


def looked(session: Session, monkeypatch: pytest.MonkeyPatch, machine: Machine, **options: Any) -> Step:
    """Have somebody look around; return the step, before which what it needs was made."""
    monkeypatch.setattr(boot_test, "accelerator", lambda *_: "tcg")
    made: list[str] = []
    monkeypatch.setattr(
        "pipeline.cli.realise.realise", lambda _, steps: made.extend(step.name for step in steps)
    )
    monkeypatch.setattr(boot_test, "container", lambda _: None)
    work = SimpleNamespace
    builder = SimpleNamespace(sandbox=machine, work=lambda step, _line, **more: work(step=step, **more))
    vars(session)["builder"] = builder
    try:
        by_hand.look_around(session, Wish(**options))
    finally:
        machine.work.made = made
    step = machine.work.step
    assert isinstance(step, Step)
    return step


@pytest.fixture
def planned(session: Session) -> Session:
    vars(session)["plans"] = Session(session.root, Report()).plans
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


@pytest.mark.parametrize("debug", [False, True])
def test_a_kept_disk_is_started(planned: Session, monkeypatch: pytest.MonkeyPatch, *, debug: bool) -> None:
    folder, machine = keep(planned, GIB), Machine()
    planned.debug = debug
    options = {"disk": "1G", "keep": True} if debug else {"installed": True}
    step = looked(planned, monkeypatch, machine, **options)
    kept = {name: Source(folder / name) for name in interactive.KEPT}
    assert {name: step.inputs[name] for name in interactive.KEPT} == kept
    assert (step.params["way"], step.params["keep"]) == ("cd" if debug else "", True)
    assert machine.work.room == 2 * GIB


def interrupted() -> int:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("was_kept", "machine", "is_kept"),
    [
        (False, Machine(lambda: 1), ""),
        (True, Machine(lambda: 1), "installed"),
        (False, Machine(interrupted), "installed"),
        (True, Machine(interrupted), "installed"),
        (False, Machine(interrupted, interactive.KEPT[:1]), ""),
        (True, Machine(interrupted, interactive.KEPT[:1]), "it"),
    ],
)
def test_what_is_kept_of_a_machine_that_ends_early(
    planned: Session, monkeypatch: pytest.MonkeyPatch, was_kept: bool, machine: Machine, is_kept: str
) -> None:
    folder = keep(planned, GIB) if was_kept else planned.root / "artifacts/toy/boot"
    with contextlib.suppress(KeyboardInterrupt):
        looked(planned, monkeypatch, machine, disk="1G", keep=True)
    disk = folder / interactive.DISK
    assert disk.exists() == bool(is_kept)
    assert not is_kept or disk.read_bytes().endswith(is_kept.encode())


def test_a_kept_disk_has_one_machine_at_a_time(
    planned: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def in_another_terminal() -> int:
        other = Session(planned.root, Report())
        other.store.stopped.set()
        vars(other)["plans"] = planned.plans
        with ThreadPoolExecutor() as pool, pytest.raises(PipelineError, match=r"^stopped"):
            pool.submit(by_hand.look_around, other, Wish(installed=True)).result()
        assert "another `./doit boot` has the kept disk; waiting for it to end" in capsys.readouterr().out
        return 0

    looked(planned, monkeypatch, Machine(in_another_terminal), disk="1G", keep=True)
    keep(planned, 0)
    with pytest.raises(PipelineError, match=f"has 0 bytes, not {GIB}"):
        by_hand.look_around(planned, Wish(disk="1G", keep=True))


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
