"""What can be wrong with a machine, one thing a story: the installer says it, and goes on once it is mended.

The faults are QEMU's: its blkdebug driver, disks that forget, devices that are unplugged, and a firmware
whose variable store is full.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.acceptance import screens as steps
from pipeline.acceptance.lab import SERIAL, SIZE, Stage, check_disk, must
from pipeline.errors import PipelineError
from pipeline.vm import disks as media
from pipeline.vm.session import Session

Story = Callable[[Stage], Awaitable[None]]

IN_SYSTEM = (10 << 20) // 512
"""A sector of the system's first copy. Nobody reads it before everything is read back: telling what is on
the disk takes its first 4 MiB, and Linux reads somewhat ahead."""
IN_DATA = ((513 + 128) << 20) // 512
"""A sector of the data file system's first copy of its superblock: only mke2fs writes there."""
EIO, ENOSPC = 5, 28
NAMES = {"virtio-blk": "vda", "virtio-scsi": "sda", "usb": "sda"}
"""What Linux calls the first disk on a bus."""
PRESSES = 30  # of Retry, until Linux has found a disk that was plugged in
LARGE = 0x7000  # bytes of a variable: EDK2 takes no larger one
KEPT = 7  # attributes: non-volatile, for boot services and at run time
MOST_AT_ONCE = 8
GUID = "4c1c5d1e-7a4b-4b0a-9a53-2f5d4b6f0a01"


async def _to_confirm(vm: Session, disk: str) -> None:
    """Go from Welcome to the moment at which the installation starts."""
    await steps.greet(vm)
    await steps.choose(vm, disk)
    await vm.press("enter")
    await vm.see(steps.SETTINGS)
    await vm.press("enter")
    await steps.confirm(vm, SERIAL)


def once(iotype: str, sector: int | None, errno: int, *words: str, bus: str = "virtio-blk") -> Story:
    """Return the story of one read, write or flush that fails, and of a Retry that then succeeds."""

    async def story(stage: Stage) -> None:
        rule: dict[str, object] = {"event": "none", "iotype": iotype, "errno": errno, "once": True}
        if sector is not None:
            rule["sector"] = sector
        disk = replace(stage.disk(bus), faults={"inject-error": [rule]})
        async with stage.playing(stage.guest(stage.medium(), disk)) as vm:
            await _to_confirm(vm, NAMES[bus])
            await steps.fails(vm, *words)
            await vm.shows("error", steps.WRONG, *words)
            await steps.retry(vm)
        check_disk(stage, disk)

    return story


async def disappears(stage: Stage) -> None:
    """A disk that is pulled out while it is written to, and plugged in again: it is asked for once more."""
    disk = stage.disk("usb")
    bus = "xhci-target.0"
    async with stage.playing(stage.guest(stage.medium(), disk)) as vm:
        await _to_confirm(vm, NAMES["usb"])
        await vm.see(steps.INSTALLING, "now   Making")
        await vm.monitor.unplug("usb-target")
        words = f"{NAMES['usb']} is gone"
        await steps.fails(vm, words)
        await vm.shows("error", steps.WRONG, words)
        await vm.monitor.plug_in(
            "usb-storage", id="usb-target", bus=bus, drive="target", serial=SERIAL, removable=True
        )
        await steps.retry(vm, PRESSES, SERIAL)  # nothing else tells two disks in one USB bridge apart
    check_disk(stage, disk)


async def lies(stage: Stage) -> None:
    """A disk that says of every write and flush that it is done, and has nothing: reading back notices."""
    disk = stage.disk("virtio-blk")
    async with stage.playing(stage.guest(stage.medium(), replace(disk, forgets=SIZE))) as vm:
        await _to_confirm(vm, "vda")
        await steps.fails(vm, "does not have what was written")
        await vm.shows("error", steps.WRONG, "does not have what was written")
        await vm.monitor.replace_image(disk.node, disk.image)
        await steps.retry(vm)
    check_disk(stage, disk)


async def store_is_full(stage: Stage) -> None:
    """A firmware that takes no more variables: a warning with its consequence, and the disk starts."""
    disk = stage.disk()
    store = stage.guest().variables
    _fill(store)
    async with stage.playing(stage.guest(stage.medium(), disk, fresh=False)) as vm:
        await _to_confirm(vm, "nvme0n1")
        await steps.done(vm)
        await vm.see("did not take the boot entry")
        await vm.shows("warning", "did not take the boot entry")
    check_disk(stage, disk)
    _nothing_is_half_done(media.variables(store))
    guest = stage.guest(disk, fresh=False, network=True)
    async with stage.playing(guest, "boot-1") as vm:
        await steps.appliance(vm, 1)


def _nothing_is_half_done(variables: Mapping[str, bytes]) -> None:
    """The firmware's store has no part of our boot entry, and its order names no entry that it has not."""
    ours = [name for name, data in variables.items() if "TruthDB".encode("utf-16-le") in data]
    must(not ours, f"the full store has {ours} of the boot entry that it did not take")
    order = variables.get("BootOrder", b"")
    numbers = [int.from_bytes(order[at : at + 2], "little") for at in range(0, len(order), 2)]
    lost = [f"Boot{number:04X}" for number in numbers if f"Boot{number:04X}" not in variables]
    must(len(order) % 2 == 0 and not lost, f"the boot order {order.hex()} names {lost}, which are not there")


def _fill(store: Path) -> None:
    """Write variables until the firmware's store takes no more: large ones, then ever smaller ones."""
    source = store.with_suffix(".json")
    filled = 0
    for size in (LARGE, 0x800, 0x100, 0x20):
        count = MOST_AT_ONCE
        while count:
            names = [f"Fill{filled + number}" for number in range(count)]
            variables = [{"name": name, "guid": GUID, "attr": KEPT, "data": "ff" * size} for name in names]
            source.write_text(json.dumps({"version": 2, "variables": variables}))
            try:
                media.run("virt-fw-vars", "--inplace", str(store), "--set-json", str(source))
                filled += count
            except PipelineError:
                count //= 2


FAULTS: dict[str, Story] = {
    "fault-write": once("write", IN_SYSTEM, EIO, "Writing to vda failed"),
    "fault-read": once("read", IN_SYSTEM, EIO, "Reading from vda failed"),
    "fault-flush": once("flush", None, EIO, "vda failed"),
    "fault-data": once("write", IN_DATA, EIO, "Making the file system TRUTHDB_DATA on vda failed"),
    # SCSI has a word for it (sense 27h/07h), of which Linux's page cache makes an I/O error.
    "fault-no-space": once("write", IN_SYSTEM, ENOSPC, "Writing to sda failed", bus="virtio-scsi"),
    "fault-gone": disappears,
    "fault-lies": lies,
    "fault-store-full": store_is_full,
}
