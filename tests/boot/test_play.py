"""Stories in rows, on a machine whose QEMU is a stand-in."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.boot import play, stories
from pipeline.config import validate
from pipeline.project.acceptance import _as_params
from pipeline.project.proof import Play
from pipeline.vm.machine import Disk, Machine
from pipeline.vm.session import NotSeenError, Session
from tests.fixtures.stand_ins import MakeGuest


def rows(*given: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows as a step gets them, from what a recipe says."""
    mistakes: list[str] = []
    told = validate(Play, {"rows": given}, "recipe.toml", mistakes)
    assert told, mistakes
    found: list[dict[str, Any]] = json.loads(json.dumps(_as_params(told)))["rows"]
    return found


def played(make_guest: MakeGuest, folder: Path, given: list[dict[str, Any]], **medium: Any) -> list[str]:
    """Play rows; return the commands that the machine got."""

    async def whole() -> None:
        async with Session(make_guest(**medium), folder / "run").running() as vm:
            await play.act(vm, given)

    asyncio.run(whole())
    return (folder / "commands").read_text().splitlines()


def test_what_is_asked_is_answered_on_either_console(make_guest: MakeGuest, tmp_path: Path) -> None:
    given = rows(
        {"sees": "Name?"},
        {"waits": 1},
        {"line": "box"},
        {"sees": "Hello box"},
        {"shows": "Hello box"},
        {"line": ""},
        {"sees": "Again?"},
        {"types": "y-1 .\n"},
        {"presses": ["f2", "esc"]},
        {"line": "bye"},
        {"off": True},
    )
    replies = [["box\r", "Hel\x1b[1mlo box"], ["\r", "Again?"]]
    heard = played(
        make_guest, tmp_path, given, serial=["Name?"], screen="Hello box", replies=replies, off_after="bye\r"
    )
    keys = [line.split('"')[-2] for line in heard if line.startswith("send-key")]
    assert keys == ["y", "minus", "1", "spc", "dot", "ret", "f2", "esc"]
    assert (tmp_path / "run/row-5.png").exists()


def test_the_machine_starts_anew(make_guest: MakeGuest, tmp_path: Path) -> None:
    given = rows({"sees": "Ready"}, {"presses": ["q"]}, {"resets": True})
    played(make_guest, tmp_path, given, serial=["Ready"], resets_on="send-key")


@pytest.mark.parametrize(
    ("way", "parts"),
    [
        ("cd", ("PS/2", "VGA", False)),
        ("disk", ("virtio", "virtio-vga", False)),
        ("cd-bios", ("PS/2", "VGA", True)),
    ],
)
def test_what_was_installed_runs_on_the_machine_that_it_was_installed_on(
    tmp_path: Path, way: str, parts: tuple[str, str, bool]
) -> None:
    started: list[Machine] = []

    @contextlib.asynccontextmanager
    async def start(machine: Machine, _name: str = "") -> AsyncIterator[Any]:
        started.append(machine)
        yield SimpleNamespace(terminal=SimpleNamespace(history=""))

    lab: Any = SimpleNamespace(
        medium=lambda bus: Disk("medium", tmp_path, bus),
        disk=lambda **_: Disk("target", tmp_path, "nvme"),
        machine=lambda *disks, **_: Machine(disks, tmp_path, tmp_path, "tcg"),
        start=start,
    )
    rows: list[play.Row] = [{"waits": 0.001, "seconds": 1}]
    told = play.story({"way": way, "disk": 1 << 30, "rows": rows, "then": rows})

    async def whole() -> None:
        await told(lab)

    asyncio.run(whole())
    assert [(each.keyboard, each.screen, each.code is None) for each in started] == [parts, parts]
    assert [len(each.disks) for each in started] == [2, 1]


def test_a_system_s_own_disk_is_started_and_started_again(tmp_path: Path) -> None:
    started: list[tuple[Machine, str]] = []

    @contextlib.asynccontextmanager
    async def start(machine: Machine, name: str = "install") -> AsyncIterator[Any]:
        started.append((machine, name))
        yield SimpleNamespace(terminal=SimpleNamespace(history=""))

    def refuse(*_: object, **__: object) -> Disk:
        raise AssertionError("there is no medium, and no empty disk")

    lab: Any = SimpleNamespace(
        medium=refuse,
        disk=refuse,
        system=lambda bus, *, size: Disk(f"system of {size}", tmp_path, bus),
        machine=lambda *disks, fresh=True: Machine(disks, tmp_path, tmp_path, f"{fresh}"),
        start=start,
    )
    rows: list[play.Row] = [{"waits": 0.001, "seconds": 1}]
    asyncio.run(_whole(play.story({"way": "nvme", "disk": 1 << 30, "rows": rows, "then": rows}), lab))
    assert [(machine.accel, name) for machine, name in started] == [("True", "install"), ("False", "boot")]
    assert [machine.disks for machine, _ in started] == [
        (Disk("system of 1073741824", tmp_path, "nvme"),)
    ] * 2


async def _whole(story: stories.Story, lab: Any) -> None:
    await story(lab)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"sees": "Welcome", "seconds": 0}], "row 1: 'Welcome' did not come within 0 s"),
        # What was said before the answer is not what comes after it.
        (
            [{"sees": "Name?"}, {"line": "x"}, {"sees": "Name?", "seconds": 0}],
            "row 3: 'Name[?]' did not come within 0 s",
        ),
        ([{"shows": "Done", "seconds": 0}], r"row 1: the screen \(row-1.png\) lacks 'Done'"),
        ([{"resets": True, "seconds": 0}], "row 1: a reset did not come within 0 s"),
        ([{"off": True, "seconds": 0}], "row 1: the machine did not switch itself off within 0 s"),
    ],
)
def test_the_row_at_which_it_ends_is_named(
    make_guest: MakeGuest, tmp_path: Path, given: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(NotSeenError, match=f"then failed: {said}\n"):
        played(make_guest, tmp_path, rows(*given), serial=["Name?"], screen="Name?")
