"""What can be wrong with a machine, one thing a story: the installer says it, and goes on once it is mended.

The faults are QEMU's: its blkdebug driver, disks that forget, devices that are unplugged, and a firmware
whose variable store is full.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from acceptance import screens
from acceptance.installation import NAME, check_disk, comes_up
from pipeline.boot.stories import SERIAL, SIZE, Lab, Story, must
from pipeline.errors import PipelineError
from pipeline.vm import disks

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


def once(iotype: str, sector: int | None, errno: int, *words: str, bus: str = "virtio-blk") -> Story:
    """Return the story of one read, write or flush that fails, and of a Retry that then succeeds."""

    async def story(lab: Lab) -> None:
        rule: dict[str, object] = {"event": "none", "iotype": iotype, "errno": errno, "once": True}
        if sector is not None:
            rule["sector"] = sector
        disk = replace(lab.disk(bus), faults={"inject-error": [rule]})
        async with lab.start(lab.machine(lab.medium(), disk)) as vm:
            await screens.begin(vm, NAMES[bus], SERIAL)
            await screens.fails(vm, *words)
            await screens.retry(vm)
        check_disk(lab, disk)

    return story


async def disappears(lab: Lab) -> None:
    """A disk that is pulled out while it is written to, and plugged in again: it is asked for once more."""
    disk = lab.disk("usb")
    async with lab.start(lab.machine(lab.medium(), disk)) as vm:
        await screens.begin(vm, NAMES["usb"], SERIAL)
        await vm.see(screens.INSTALLING, "now   Making")
        await vm.monitor.unplug("usb-target")
        await screens.fails(vm, f"{NAMES['usb']} is gone")
        await vm.monitor.plug_in("target", SERIAL)
        await screens.retry(vm, PRESSES, SERIAL)  # nothing else tells two disks in one USB bridge apart
    check_disk(lab, disk)


async def lies(lab: Lab) -> None:
    """A disk that says of every write and flush that it is done, and has nothing: reading back notices."""
    disk = lab.disk("virtio-blk")
    async with lab.start(lab.machine(lab.medium(), replace(disk, forgets=SIZE))) as vm:
        await screens.begin(vm, "vda", SERIAL)
        await screens.fails(vm, "does not have what was written")
        await vm.monitor.replace_image(disk.node, disk.image)
        await screens.retry(vm)
    check_disk(lab, disk)


async def store_is_full(lab: Lab) -> None:
    """A firmware that takes no more variables: a warning with its consequence, and the disk starts."""
    disk = lab.disk()
    store = lab.machine().variables
    _fill(store)
    async with lab.start(lab.machine(lab.medium(), disk, fresh=False)) as vm:
        await screens.install(vm, "nvme0n1", SERIAL)
        await vm.see("did not take the boot entry")
        await vm.shows("warning", "did not take the boot entry")
    check_disk(lab, disk)
    _nothing_is_half_done(disks.variables(store))
    await comes_up(lab, disk)


def _nothing_is_half_done(variables: Mapping[str, bytes]) -> None:
    """The firmware's store has no part of our boot entry, and its order names no entry that it has not."""
    ours = [name for name, data in variables.items() if NAME.encode("utf-16-le") in data]
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
                disks.run("virt-fw-vars", "--inplace", str(store), "--set-json", str(source))
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
