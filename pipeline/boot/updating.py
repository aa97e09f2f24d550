"""What stories of whole systems that update themselves need, and one that fits all: back by itself.

The system has a console that somebody can type at, systemd-sysupdate that takes updates from INBOX, and its
ESP mounted: what is typed is what its administrator would type.
"""

import shutil
import tarfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from pipeline.boot.stories import Lab, must
from pipeline.vm.machine import Disk, Machine
from pipeline.vm.session import Session

NEXT = "next"
"""The input with the update: a tar."""

INBOX = "/var/lib/update"
PARCEL = "UPDATE"
"""The serial number of a disk with that tar and nothing else."""

UNPACK = f"mkdir -p {INBOX} && tar -xf /dev/disk/by-id/virtio-{PARCEL} -C {INBOX}"
SYSUPDATE = "/usr/lib/systemd/systemd-sysupdate"
STARTED = "systemctl is-system-running --wait"
PATIENCE = 1200.0
"""Seconds for what a busy machine without KVM takes its time for."""

CORRUPTED = "is corrupted"
"""What dm-verity says of a block before it has Linux panic."""


class Shell(Protocol):
    """What is typed at a root's shell."""

    async def run(self, command: str) -> tuple[int, str]:
        """Return a command's exit status, and what it says on both outputs."""

    async def says(self, command: str) -> str:
        """Return what a command says; raise NotSeenError unless it succeeds."""


@dataclass(frozen=True)
class Host:
    """A system in its lab: `image` is its recipe's name, `esp` where its ESP is mounted.

    `shell` waits for a machine to come up and returns root's shell; `dress` gives a machine what else it has.
    """

    lab: Lab
    image: str
    shell: Callable[[Session], Awaitable[Shell]]
    dress: Callable[[Machine], Machine] = lambda machine: machine
    esp: str = "/boot"
    size: int = 0

    @cached_property
    def disk(self) -> Disk:
        """The system's disk, which keeps what is written to it, grown to `size` bytes."""
        return self.lab.system(size=self.size)

    @property
    def following(self) -> str:
        """The version that the update is of."""
        with tarfile.open(self.lab.inputs[NEXT]) as archive:
            uki = next(name for name in archive.getnames() if name.endswith(".efi"))
        return uki.removeprefix(f"{self.image}_").removesuffix(".efi")

    def machine(self, *parts: Disk, fresh: bool = False) -> Machine:
        """Return a machine with the system's disk; the firmware remembers, unless it is `fresh`."""
        return self.dress(self.lab.machine(self.disk, *parts, fresh=fresh))

    def parcel(self) -> Disk:
        """Return a disk with the update."""
        copy = Path(shutil.copyfile(self.lab.inputs[NEXT], self.lab.work / "update.img"))
        return Disk("update", copy, "virtio-blk", serial=PARCEL, read_only=True)

    async def up(self, vm: Session, version: str) -> Shell:
        """Return root's shell on a machine that has come up in this version, found good now or before.

        systemd-bless-boot then takes the tries out of the UKI's name, and does not run again.
        """
        shell = await self.shell(vm)
        await shell.run(STARTED)
        found = await shell.says(". /etc/os-release && echo $IMAGE_ID $IMAGE_VERSION")
        must(found == f"{self.image} {version}", f"what runs is {found}, not {self.image} {version}")
        ukis = await self.ukis(shell)
        must(self.uki(version) in ukis, f"{version} is still on trial: {ukis}")
        return shell

    async def off(self, vm: Session, shell: Shell) -> None:
        """Switch the machine off, as its administrator does."""
        await shell.says("systemctl --no-block poweroff")
        await vm.is_off(PATIENCE)

    def uki(self, version: str, tries: str = "") -> str:
        """Return what the UKI of a version is called; `tries` are those that are left, and were made."""
        return f"{self.image}_{version}{tries}.efi"

    async def ukis(self, shell: Shell) -> list[str]:
        """Return what UKIs there are."""
        return (await shell.says(f"ls {self.esp}/EFI/Linux")).split()

    async def update(self, shell: Shell) -> None:
        """Bring the update in, and have it installed as a service would."""
        await shell.says(UNPACK)
        await shell.run("systemctl start --wait systemd-sysupdate")
        said = await shell.says("journalctl -b -u systemd-sysupdate --no-pager -o cat")
        ukis = await self.ukis(shell)
        must(self.uki(self.following, "+3-0") in ukis, f"there are {ukis}; systemd-sysupdate said: {said}")


async def falls_back(host: Host) -> None:
    """A damaged update is refused; a version whose root is damaged later is given up after three tries."""
    old, new = host.lab.version, host.following
    async with host.lab.start(host.machine(host.parcel(), fresh=True), "boot-1") as vm:
        shell = await host.up(vm, old)
        await shell.says(UNPACK)
        await shell.says(f"f=$(echo {INBOX}/*.root.*s) && printf x | dd of=$f bs=1 seek=9999 conv=notrunc")
        status, said = await shell.run(f"{SYSUPDATE} update")
        must(status != 0, f"a damaged update was installed: {said}")
        must(await host.ukis(shell) == [host.uki(old)], "a damaged update has left a UKI")
        await host.update(shell)
        broken = f"/dev/disk/by-partlabel/{host.image}_{new}"
        await shell.says(f"udevadm settle && printf x | dd of={broken} bs=1 conv=notrunc && sync")
        await host.off(vm, shell)
    async with host.lab.start(host.machine(), "boot-2") as vm:
        vm.may_panic = True
        shell = await host.up(vm, old)
        tries = vm.terminal.history.count(CORRUPTED)
        must(tries >= 3, f"the damaged version was tried {tries} times")
        ukis = await host.ukis(shell)
        must(host.uki(new, "+0-3") in ukis, f"there are {ukis}")
