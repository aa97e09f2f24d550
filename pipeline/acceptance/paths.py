"""A disk that is reached through two controllers: it is one disk, to the installer and to the appliance."""

from collections.abc import Awaitable, Callable

from pipeline.acceptance import screens as steps
from pipeline.acceptance.lab import GOOD, SERIAL, Stage, by_oem_string, check_disk, must
from pipeline.vm.session import Session

Story = Callable[[Stage], Awaitable[None]]

ANSWERS = steps.answers(GOOD, erase=SERIAL)


def reached_twice(bus: str, *says: str) -> Story:
    """Return the story of a disk with two paths: an answer file is about one disk, and its data are served.

    `says` is what the installer says of each disk that it lists besides the medium, in their order. By which
    names is Linux's choice: it calls an NVMe disk after the controller that answered first.
    """

    async def lists_them(vm: Session) -> None:
        def found() -> list[str]:
            return [name for name in steps.listed(vm.terminal.text())[0] if name != "sr0"]

        await steps.greet(vm)
        await vm.press("enter")
        await vm.until(f"{len(says)} disks in the list", lambda: len(found()) >= len(says))
        for place, words in enumerate(says):
            disk = found()[place]
            await steps.point_at(vm, disk)
            await vm.see(f"{disk}:", words)
        must(len(found()) == len(says), f"the disks are {found()}, not {len(says)}")
        await vm.photograph("disks")

    async def story(stage: Stage) -> None:
        disk = stage.disk(bus)
        async with stage.playing(stage.guest(stage.medium(), disk), "list") as vm:
            await lists_them(vm)
        await by_oem_string(stage, ANSWERS, stage.medium(), disk)
        check_disk(stage, disk)
        async with stage.playing(stage.guest(disk, fresh=False, network=True), "boot-1") as vm:
            await steps.appliance(vm, 1)

    return story


PATHS: dict[str, Story] = {
    "scsi-paths": reached_twice("scsi-paths", "Enter goes on", "same as sda"),
    "nvme-paths": reached_twice("nvme-paths", "Enter goes on"),
}
