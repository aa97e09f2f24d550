import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from acceptance import screens
from pipeline.vm.machine import Machine
from pipeline.vm.session import NotSeenError, Session
from tests.fixtures.stand_ins import MakeGuest

CLEAR = "\x1b[2J\x1b[H"


def screen(*lines: str) -> str:
    return CLEAR + "\r\n".join(lines)


WELCOME = screen("Welcome", "[Enter] Install")
LIST = ("Disk to install to", "  Name       Bus      Model")
KEYS = ("", "[Up/Down] Choose   [B] Back")
AT_MEDIUM = screen(*LIST, "> sda        USB", "  nvme0n1    NVMe", *KEYS)
AT_TARGET = screen(*LIST, "  sda        USB", "> nvme0n1    NVMe", *KEYS)
SETTINGS = screen("Settings")
CONFIRM = screen("Confirm: install")
CONFIRMED = screen("Confirm: install", "Enter starts.")
DONE = screen("Done", "[R] Reboot")
FAILED = screen("Something went wrong", "Writing to nvme0n1 failed")
REFUSED = screen("The answer file is not followed", "No disk fits")

TO_CONFIRM = [
    ["\r", AT_MEDIUM],
    ["\x1b[B", AT_TARGET],
    ["\r", SETTINGS],
    ["\r", CONFIRM],
    ["abcd", CONFIRMED],
]


def played(
    machine: Machine, folder: Path, scene: Callable[[Session], Awaitable[object]], limit: float = 30
) -> None:
    async def whole() -> None:
        async with asyncio.timeout(limit), Session(machine, folder / "run").running() as vm:
            await scene(vm)

    asyncio.run(whole())


async def install(vm: Session) -> None:
    await screens.install(vm, "nvme0n1", "TEST0001ABCD")


def test_from_welcome_to_done(make_guest: MakeGuest, tmp_path: Path) -> None:
    played(make_guest(serial=[WELCOME], replies=[*TO_CONFIRM, ["\r", DONE]]), tmp_path, install)


def test_an_installation_that_fails_says_what_the_screen_says(make_guest: MakeGuest, tmp_path: Path) -> None:
    with pytest.raises(NotSeenError) as caught:
        played(make_guest(serial=[WELCOME], replies=[*TO_CONFIRM, ["\r", FAILED]]), tmp_path, install)
    assert re.search(
        r"then failed: the installation failed\nthe serial console shows \(serial.log has all of it\):\n"
        r" +Something went wrong\n +Writing to nvme0n1 failed",
        str(caught.value),
    )


def test_a_disk_that_is_not_there(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def scene(vm: Session) -> None:
        await screens.choose(vm, "vda")

    with pytest.raises(TimeoutError) as caught:
        played(make_guest(replies=[["\r", AT_MEDIUM]]), tmp_path, scene, limit=1)
    assert caught.value.__cause__
    assert re.search("it was stopped\n(?s:.*)> sda +USB", caught.value.__cause__.__notes__[0])


def test_the_pointer_is_moved_by_what_is_on_the_screen(make_guest: MakeGuest, tmp_path: Path) -> None:
    """A slow line shows half a list, then a list without the disk, then the pointer below it."""
    half, without = screen(*LIST), screen(*LIST, "> sr0        SATA", *KEYS)
    below = screen(*LIST, "  nvme0n1    NVMe", "> sr0        SATA", *KEYS)
    at = screen(*LIST, "> nvme0n1    NVMe", "  sr0        SATA", *KEYS)

    async def scene(vm: Session) -> None:
        await screens.choose(vm, "nvme0n1")
        assert screens.listed(vm.terminal.text()) == (["nvme0n1", "sr0"], "nvme0n1")

    played(make_guest(replies=[["\r", half + without + below], ["\x1b[A", half + at]]), tmp_path, scene)
    assert screens.listed("\n".join(LIST)) == ([], "")


GOES_ON = screen("Installing")


@pytest.mark.parametrize("presses", [1, 3])
def test_retry_comes_to_done(make_guest: MakeGuest, tmp_path: Path, presses: int) -> None:
    async def scene(vm: Session) -> None:
        await vm.see("Something went wrong")
        await screens.retry(vm, presses)

    fails_again = [["r", GOES_ON + FAILED]] * (presses - 1)
    machine = make_guest(serial=[FAILED], replies=[*fails_again, ["r", GOES_ON + DONE]])
    played(machine, tmp_path, scene)


def test_a_retry_that_fails_is_a_failure(make_guest: MakeGuest, tmp_path: Path) -> None:
    machine = make_guest(serial=[FAILED], replies=[["r", GOES_ON + FAILED], ["r", GOES_ON + DONE]])
    with pytest.raises(NotSeenError, match="the installation failed"):
        played(machine, tmp_path, screens.retry)


def test_an_answer_file_that_is_refused(make_guest: MakeGuest, tmp_path: Path) -> None:
    async def refused(vm: Session) -> None:
        await screens.refuses(vm, "No disk")

    played(make_guest(serial=[REFUSED]), tmp_path, refused)
    with pytest.raises(NotSeenError, match="the installation failed"):
        played(make_guest(serial=[REFUSED]), tmp_path, screens.done)


class Answers:
    """A machine of which only the appliance is seen."""

    def __init__(self, health: tuple[int, str], status: tuple[int, Any]) -> None:
        self.said = {"/healthz": health, "/status": status}
        self.times: dict[str, float] = {}
        self.now = 1.5

    async def get(self, path: str, **_: float) -> tuple[int, Any]:
        return self.said[path]

    def seen(self) -> str:
        return "the serial console shows: nothing"


def appliance(health: tuple[int, str], status: tuple[int, Any]) -> Any:
    machine = Answers(health, status)
    return asyncio.run(screens.appliance(cast("Session", machine), 2)), machine.times


def test_an_appliance_that_is_up() -> None:
    status = {"log": {"boots": 2}}
    assert appliance((200, "ok"), (200, status)) == (status, {"/healthz": 1.5})


@pytest.mark.parametrize(
    ("health", "status", "sentence"),
    [
        ((503, "disk full"), (200, {}), "/healthz answers 503: disk full"),
        ((200, "ok"), (200, {"log": {"boots": 1}}), "/status says 1 boots, not 2"),
        ((200, "ok"), (500, "broken"), "/status says broken boots, not 2"),
    ],
)
def test_an_appliance_that_is_not(health: tuple[int, str], status: tuple[int, Any], sentence: str) -> None:
    with pytest.raises(NotSeenError) as caught:
        appliance(health, status)
    assert str(caught.value).startswith(sentence)
