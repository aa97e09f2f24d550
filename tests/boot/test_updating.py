"""What stories of updates take for good, and what not: answers of a shell that no machine gives."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.boot import updating
from pipeline.boot.stories import Lab
from pipeline.boot.updating import Host
from pipeline.vm.machine import Firmware
from pipeline.vm.session import NotSeenError, Session
from tests.checks.test_update import FILES, update

VM = cast("Session", None)
GOOD = {
    "IMAGE_VERSION": (0, "toy 0.9"),
    "ls /boot/EFI/Linux": (0, "toy_0.9.efi"),
}
AFTER = {"ls /boot/EFI/Linux": (0, "toy_0.9.efi\ntoy_1.0+3-0.efi"), "journalctl": (0, "what it did")}


class Shell:
    """Says what it was told to say to commands that have some words in them, and nothing else."""

    def __init__(self, answers: dict[str, tuple[int, str]]) -> None:
        self.answers = answers
        self.commands: list[str] = []

    async def run(self, command: str) -> tuple[int, str]:
        self.commands.append(command)
        return next((said for words, said in self.answers.items() if words in command), (0, ""))

    async def says(self, command: str) -> str:
        status, text = await self.run(command)
        if status:
            raise NotSeenError(text)
        return text


def host(tmp_path: Path, answers: dict[str, tuple[int, str]]) -> tuple[Host, Shell]:
    tmp_path.joinpath("disk").write_bytes(bytes(4096))
    tmp_path.joinpath("next").write_bytes(update(FILES))
    firmware = Firmware(tmp_path / "disk", tmp_path / "disk")
    inputs = {name: tmp_path / name for name in ("disk", "next")}
    lab = Lab(inputs, "0.9", lambda _: None, firmware, "tcg", tmp_path, tmp_path, 0, 1)
    shell = Shell(answers)

    async def comes_up(_vm: Any) -> Shell:
        return shell

    return Host(lab, "toy", comes_up), shell


def test_what_the_machines_are_given(tmp_path: Path) -> None:
    system, _ = host(tmp_path, {})
    parcel = system.parcel()
    assert system.following == "1.0"
    assert parcel.image.read_bytes() == update(FILES)
    assert (parcel.serial, parcel.read_only) == ("UPDATE", True)
    assert [disk.node for disk in system.machine(parcel).disks] == ["system", "update"]
    assert system.machine().variables.read_bytes() == bytes(4096)


Doing = Callable[[Host, Shell], Awaitable[object]]


async def comes_up(system: Host, _shell: Shell) -> None:
    await system.up(VM, "0.9")


async def is_updated(system: Host, shell: Shell) -> None:
    await system.update(shell)


@pytest.mark.parametrize(
    ("doing", "answers", "said"),
    [
        (comes_up, GOOD, ""),
        (
            comes_up,
            GOOD | {"IMAGE_VERSION": (0, "toy 1.0")},
            "what runs is toy 1.0, not toy 0.9",
        ),
        (
            comes_up,
            GOOD | {"ls /boot/EFI/Linux": (0, "toy_0.9+2-1.efi")},
            "0.9 is still on trial: ['toy_0.9+2-1.efi']",
        ),
        (is_updated, AFTER, ""),
        (
            is_updated,
            AFTER | {"ls /boot/EFI/Linux": (0, "toy_0.9.efi")},
            "there are ['toy_0.9.efi']; systemd-sysupdate said: what it did",
        ),
    ],
)
def test_what_is_good(tmp_path: Path, doing: Doing, answers: dict[str, tuple[int, str]], said: str) -> None:
    system, shell = host(tmp_path, answers)
    if not said:
        asyncio.run(cast("Any", doing(system, shell)))
        return
    with pytest.raises(NotSeenError, match=f"^{re.escape(said)}$"):
        asyncio.run(cast("Any", doing(system, shell)))


def test_an_update_is_unpacked_and_installed(tmp_path: Path) -> None:
    system, shell = host(tmp_path, AFTER)
    asyncio.run(system.update(shell))
    assert shell.commands[:2] == [
        "mkdir -p /var/lib/update && tar -xf /dev/disk/by-id/virtio-UPDATE -C /var/lib/update",
        "systemctl start --wait systemd-sysupdate",
    ]
    assert updating.NEXT in system.lab.inputs
