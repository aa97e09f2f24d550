"""What an answer file does not make happen: nothing is written to a disk that nobody chose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from acceptance import screens
from acceptance.installation import GOOD, INSTALL, NAME, booted, check_disk, install, with_answers
from pipeline.boot.stories import OTHER, SERIAL, Lab, Story, must
from pipeline.vm import disks
from pipeline.vm.machine import Disk
from pipeline.vm.session import Session


async def installed_stays(lab: Lab) -> None:
    """The medium is left in, and the firmware has lost its entries: what is installed is started."""
    disk = lab.disk()
    await install(lab, disk)
    async with booted(lab, disk) as vm:
        await vm.switch_off()
    again = lab.machine(lab.medium(), replace(disk, turn=1), network=True)
    async with lab.start(with_answers(lab, again, INSTALL), "again") as vm:
        await screens.refuses(vm, f"holds {NAME}", "replace_installation")
        await vm.shows("refused", screens.REFUSED, "replace_installation")
        await vm.resets()
        await screens.appliance(vm, 2)
        await vm.switch_off()
    text = screens.answers(GOOD, erase=SERIAL, allowed=["replace_installation"], ending="reboot")
    async with lab.start(with_answers(lab, again, text), "replaced") as vm:
        await screens.done(vm, since=0)
        await vm.resets()
        await screens.appliance(vm, 1)  # at once, though the medium comes first: else it would start over
        await vm.switch_off()
    check_disk(lab, disk)


async def late_disk(lab: Lab) -> None:
    """A disk that fits the rule, too, turns up while it is said when it starts: nothing is written."""
    late = lab.disk("usb", node="late")
    async with untouched(lab, screens.answers('min_size = "8 GB"'), lab.disk("virtio-blk"), late) as vm:
        await vm.monitor.unplug("usb-late")
        await screens.passes(vm, screens.UNATTENDED, "It starts in")
        await vm.monitor.plug_in("late", OTHER)
        await screens.refuses(vm, "2 disks", OTHER)
        await vm.shows("refused", screens.REFUSED, "2 disks")


async def hanging_disk(lab: Lab) -> None:
    """A disk says that it is another one now, and no more: it might fit the rule. Nothing is written."""
    image = disks.foreign_system(lab.work / "other.img", 1 << 30, lab.work)
    other = Disk("other", image, "virtio-blk", serial=OTHER, can_hang=True)
    async with untouched(lab, screens.answers("empty = true"), lab.disk("virtio-blk"), other) as vm:
        await screens.passes(vm, screens.UNATTENDED, "It starts in")
        await vm.monitor.hang()
        await vm.monitor.resize("other", 2 << 30)
        await screens.refuses(vm, "2 disks", "does not answer).")
        await vm.photograph("refused")
        await vm.cut_power()  # as the machine is switched off QEMU waits for the disk, too


@asynccontextmanager
async def untouched(lab: Lab, text: str, *parts: Disk) -> AsyncIterator[Session]:
    """Start the machine with an answer file; when it has switched itself off, no disk was written to."""
    before = [disks.digest(disk.image) for disk in parts]
    async with lab.start(with_answers(lab, lab.machine(lab.medium(), *parts), text)) as vm:
        yield vm
        await vm.is_off()
    must([disks.digest(disk.image) for disk in parts] == before, "a disk was written to")


CHOICE: dict[str, Story] = {
    "installed-stays": installed_stays,
    "late-disk": late_disk,
    "hanging-disk": hanging_disk,
}
