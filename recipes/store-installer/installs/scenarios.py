"""What happens to a disk: a set of partitions is installed to it, beside others or alone, and both start."""

import asyncio
import random
from collections.abc import Callable

from installs import installed, installer, others
from installs.installer import BESIDE, RECOVER, REPLACE, WHOLE, Firmware
from pipeline.boot import heads
from pipeline.boot.stories import Lab, Story, must
from pipeline.vm import disks
from pipeline.vm.machine import Disk
from pipeline.vm.session import NotSeenError

SIZE = 4 << 30
CUTS = 6
LONGEST = 25.0
"""Seconds after the first write before which power is cut."""

INSTALLING = "Installing"


def title(lab: Lab) -> str:
    """Return what the installed system is called in the firmware's list."""
    return str(installed.carried(lab)[0]["title"])


def flip(disk: Disk, label: str, old: bytes, new: bytes) -> None:
    """Write `new` over the first `old` in a partition. Raises NotSeenError where it is nowhere."""
    place = installed.place_of(disk, label)
    must(len(old) == len(new), f"{old!r} and {new!r} are not equally long")
    with disk.image.open("r+b") as file:
        file.seek(place.start)
        at = file.read(place.size).find(old)
        must(at >= 0, f"there is no {old!r} in {label}")
        file.seek(place.start + at)
        file.write(new)


def must_notice(what: str, check: Callable[[], None]) -> None:
    """Raise NotSeenError where a check finds nothing on a disk that was changed."""
    try:
        check()
    except NotSeenError:
        return
    raise NotSeenError(f"nobody notices {what}")


async def again(lab: Lab, disk: Disk, firmware: Firmware, answers: str, *, fresh: bool = False) -> None:
    """A second run finds all as it has to be, and writes nothing."""
    was = installed.digests(disk)
    await installer.unattended(lab, disk, firmware, answers, "again", fresh=fresh)
    now = installed.digests(disk)
    must(now == was, f"a second run changed {', '.join(name for name in now if now[name] != was.get(name))}")


async def whole_uefi(lab: Lab) -> None:
    """A person installs on a whole disk, and both kinds of firmware start it."""
    disk = lab.disk("virtio-blk", size=SIZE)
    async with lab.start(lab.machine(lab.medium(), disk)) as vm:
        await installer.by_hand(vm, disk)
        await vm.press("p")
        await vm.is_off()
    installed.check_whole(lab, disk)
    installed.check_entry(lab, [title(lab)], title(lab))
    await installed.starts(lab, disk, "uefi", "uefi")
    await installed.starts(lab, disk, "bios", "bios")


async def whole_bios(lab: Lab) -> None:
    """An answer file has a whole disk installed to under BIOS; UEFI, which knew nothing, starts it, too."""
    disk = lab.disk("ahci", size=SIZE)
    await installer.unattended(lab, disk, "bios", WHOLE)
    installed.check_whole(lab, disk)
    await installed.starts(lab, disk, "bios", "bios")
    await installed.starts(lab, disk, "uefi", "uefi", fresh=True)
    place = installed.place_of(disk, "BIOSBOOT")
    with disk.image.open("r+b") as file:
        file.seek(place.start + 0x1F4)
        file.write(b"\0")
    must_notice("a blocklist that leads elsewhere", lambda: installed.check_partitions(lab, disk))


async def beside(lab: Lab) -> None:
    """It goes into free space: what is there stays, each system starts, and a second run changes nothing."""
    disk = others.disk(lab)
    lab.machine(disk)
    others.enter(lab, disk)
    was = others.kept(disk)
    await installer.unattended(lab, disk, "uefi", BESIDE, fresh=False)
    others.check(disk, was)
    installed.check_partitions(lab, disk, has_code=False)
    installed.check_entry(lab, [others.NAME, title(lab)], title(lab))
    list_of_firmware = lab.variables.read_bytes()  # BootNext is for the system, not for the medium once more
    await again(lab, disk, "uefi", BESIDE, fresh=True)
    lab.variables.write_bytes(list_of_firmware)
    await installed.starts(lab, disk, "uefi", "ours-by-bootnext")
    async with lab.start(lab.machine(disk, fresh=False), "theirs-by-order") as vm:
        await vm.hear(others.SAYS)
        must(installed.LOGIN not in vm.terminal.history, "the other system is not what is started by order")
    others.check(disk, was)
    flip(disk, "OTHER_ROOT", b"other-root", b"OTHER-root")
    must_notice("a byte of the other ext4", lambda: others.check(disk, was))


async def beside_bios(lab: Lab) -> None:
    """Under BIOS it goes beside another system whose disk has no boot code, and starts."""
    disk = others.disk(lab)
    was = others.kept(disk)
    await installer.unattended(lab, disk, "bios", BESIDE)
    others.check(disk, was)
    installed.check_partitions(lab, disk)
    await installed.starts(lab, disk, "bios", "bios")


DAMAGES = {
    "a path in grub.cfg": ("GUIX_BOOT", b"  linux /vmlinuz-", b"  linux /wmlinuz-", "wmlinuz-"),
    "a label": ("GUIX_BOOT", b"GUIX_BOOT", b"GUIX_BOOX", "GUIX_BOOT"),
    "the blocklist": ("BIOSBOOT", b"", b"", "core.img"),
}
"""What is changed on an installed disk: the partition, the bytes, and what Validate has to name."""


async def verify_refuses(lab: Lab) -> None:
    """Validate names what would not start, whatever byte of the way is changed; of a good disk it says so."""
    good = lab.disk("virtio-blk", size=SIZE)
    await installer.unattended(lab, good, "uefi", WHOLE)
    kept = disks.copy(good.image, lab.work / "good.img")
    # By BIOS: UEFI was told to start the disk next, whatever comes first.
    machine = installer.booted_by(lab.machine(lab.medium(), good, fresh=False), "bios")
    async with lab.start(machine, "good") as vm:
        await installer.validated(vm, installer.GOOD)
    for name, (label, old, new, said) in DAMAGES.items():
        disks.copy(kept, good.image)
        if old:
            flip(good, label, old, new)
        else:
            _misplace(good)
        async with lab.start(machine, name.replace(" ", "-")) as vm:
            await installer.validated(vm, installer.BAD, said)


def _misplace(disk: Disk) -> None:
    """Have the core image go on somewhere else than behind its first sector."""
    core = installed.place_of(disk, "BIOSBOOT")
    with disk.image.open("r+b") as file:
        file.seek(core.start + 0x1F4)
        file.write(bytes([file.read(1)[0] ^ 1]))


async def recovers(lab: Lab) -> None:
    """What starts an installation is written again, from the medium; system and data stay to the byte."""
    disk = lab.disk("virtio-blk", size=SIZE)
    await installer.unattended(lab, disk, "uefi", WHOLE)
    was = installed.digests(disk)
    flip(disk, "GUIX_BOOT", b"  linux /vmlinuz-", b"  linux /wmlinuz-")
    _misplace(disk)
    await installer.unattended(lab, disk, "bios", RECOVER, "recover", fresh=False)
    installed.check_whole(lab, disk)
    now = installed.digests(disk)
    for label in ("GUIX_ROOT", "DATA"):
        must(now[label] == was[label], f"{label} was changed")
    await again(lab, disk, "bios", REPLACE)
    await installed.starts(lab, disk, "bios", "bios")


async def _cut(lab: Lab, disk: Disk, firmware: Firmware, answers: str, name: str, seconds: float) -> None:
    """Have the medium follow an answer file, and cut the power some seconds after it begins to write."""
    machine = installer.booted_by(lab.machine(lab.medium(), disk, fresh=False), firmware)
    async with lab.start(installer.told(lab, machine, answers), name) as vm:
        await vm.see(INSTALLING)
        await asyncio.sleep(seconds)


def _moments(lab: Lab) -> list[float]:
    chance = random.Random(lab.seed)  # noqa: S311 - chance, not secrets
    return sorted(chance.uniform(0, LONGEST) for _ in range(CUTS))


async def whole_power_cuts(lab: Lab) -> None:
    """Power is cut at moments left to chance; the next run finishes, and the system starts."""
    disk = lab.disk("virtio-blk", size=SIZE)
    for number, seconds in enumerate(_moments(lab), 1):
        await _cut(lab, disk, "bios", REPLACE, f"cut-{number}", seconds)
    await installer.unattended(lab, disk, "bios", REPLACE, "finished", fresh=False)
    installed.check_whole(lab, disk)
    await installed.starts(lab, disk, "bios", "bios")


async def beside_power_cuts(lab: Lab) -> None:
    """After each cut the other system is whole; the next run finishes, and both systems start."""
    disk = others.disk(lab)
    lab.machine(disk)
    others.enter(lab, disk)
    was = others.kept(disk)
    for number, seconds in enumerate(_moments(lab), 1):
        await _cut(lab, disk, "uefi", BESIDE, f"cut-{number}", seconds)
        others.check(disk, was)
    await installer.unattended(lab, disk, "uefi", BESIDE, "finished", fresh=False)
    others.check(disk, was)
    installed.check_partitions(lab, disk, has_code=False)
    await installed.starts(lab, disk, "uefi", "ours-by-bootnext")
    async with lab.start(lab.machine(disk, fresh=False), "theirs-by-order") as vm:
        await vm.hear(others.SAYS)


async def started_by_heads(lab: Lab) -> None:
    """Firmware that verifies what it starts finds the medium as a file on a stick, which its owner signed."""
    await heads.starts_iso(lab, "Welcome")


STORIES: dict[str, Story] = {
    "whole-uefi": whole_uefi,
    "whole-bios": whole_bios,
    "beside": beside,
    "beside-bios": beside_bios,
    "heads": started_by_heads,
    "verify-refuses": verify_refuses,
    "recovers": recovers,
    "whole-power-cuts": whole_power_cuts,
    "beside-power-cuts": beside_power_cuts,
}
