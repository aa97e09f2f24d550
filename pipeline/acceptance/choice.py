"""What an answer file does not make happen: nothing is written to a disk that nobody chose."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from pipeline.acceptance import screens as steps
from pipeline.acceptance.lab import GOOD, OTHER, SERIAL, Stage, by_oem_string, check_disk, must, with_answers
from pipeline.vm import disks as media
from pipeline.vm.machine import Disk
from pipeline.vm.session import Session

Story = Callable[[Stage], Awaitable[None]]


async def installed_stays(stage: Stage) -> None:
    """The medium is left in, and the firmware has lost its entries: what is installed is started."""
    disk = stage.disk()
    text = steps.answers(GOOD, erase=SERIAL)
    await by_oem_string(stage, text, stage.medium(), disk)
    check_disk(stage, disk)
    async with stage.playing(stage.guest(disk, fresh=False, network=True), "boot-1") as vm:
        await steps.appliance(vm, 1)
        await vm.switch_off()
    again = stage.guest(stage.medium(), replace(disk, turn=1), network=True)
    async with stage.playing(with_answers(stage, again, text), "again") as vm:
        await steps.refuses(vm, "holds TruthDB", "replace_installation")
        await vm.shows("refused", steps.REFUSED, "replace_installation")
        await vm.resets()
        await steps.appliance(vm, 2)
        await vm.switch_off()
    text = steps.answers(GOOD, erase=SERIAL, allowed=["replace_installation"], ending="reboot")
    async with stage.playing(with_answers(stage, again, text), "replaced") as vm:
        await steps.done(vm)
        await vm.resets()
        await steps.appliance(vm, 1)  # at once, though the medium comes first: else it would start over
        await vm.switch_off()
    check_disk(stage, disk)


async def late_disk(stage: Stage) -> None:
    """A disk that fits the rule, too, turns up while it is said when it starts: nothing is written."""
    late = stage.disk("usb", node="late")
    async with _in_doubt(stage, 'min_size = "8 GB"', stage.disk("virtio-blk"), late) as vm:
        await vm.monitor.unplug("usb-late")
        await vm.see(steps.UNATTENDED, "It starts in")
        await vm.monitor.plug_in(
            "usb-storage", id="usb-late", bus="xhci-late.0", drive="late", serial=OTHER, removable=True
        )
        await steps.refuses(vm, "2 disks", OTHER)
        await vm.shows("refused", steps.REFUSED, "2 disks")


async def hanging_disk(stage: Stage) -> None:
    """A disk says that it is another one now, and no more: it might fit the rule. Nothing is written."""
    image = media.foreign_system(stage.work / "other.img", 1 << 30, stage.work)
    other = Disk("other", image, "virtio-blk", serial=OTHER, can_hang=True)
    async with _in_doubt(stage, "empty = true", stage.disk("virtio-blk"), other) as vm:
        await vm.see(steps.UNATTENDED, "It starts in")
        await vm.monitor.hang()
        await vm.monitor.resize("other", 2 << 30)
        await steps.refuses(vm, "2 disks", "does not answer).")
        await vm.photograph("refused")
        await vm.cut_power()  # as the machine is switched off QEMU waits for the disk, too


@asynccontextmanager
async def _in_doubt(stage: Stage, rule: str, *disks: Disk) -> AsyncIterator[Session]:
    """Start the machine with an answer file; when it has switched itself off, no disk was written to."""
    before = [media.digest(disk.image) for disk in disks]
    guest = with_answers(stage, stage.guest(stage.medium(), *disks), steps.answers(rule))
    async with stage.playing(guest) as vm:
        yield vm
        await vm.is_off()
    must([media.digest(disk.image) for disk in disks] == before, "a disk was written to")


CHOICE: dict[str, Story] = {
    "installed-stays": installed_stays,
    "late-disk": late_disk,
    "hanging-disk": hanging_disk,
}
