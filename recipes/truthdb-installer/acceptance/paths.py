"""A disk that is reached through two controllers: it is one disk, to the installer and to the appliance."""

from acceptance import screens
from acceptance.installation import comes_up, install
from pipeline.boot.stories import Lab, Story, must
from pipeline.vm.session import Session


def reached_twice(bus: str, *says: str) -> Story:
    """Return the story of a disk with two paths: an answer file is about one disk, and its data are served.

    `says` is what the installer says of each disk that it lists besides the medium, in their order. By which
    names is Linux's choice: it calls an NVMe disk after the controller that answered first.
    """

    async def lists_them(vm: Session) -> None:
        def found() -> list[str]:
            return [name for name in screens.listed(vm.terminal.text())[0] if name != "sr0"]

        await screens.greet(vm)
        await vm.press("enter")
        await vm.until(f"{len(says)} disks in the list", lambda: len(found()) >= len(says))
        for place, words in enumerate(says):
            disk = found()[place]
            await screens.point_at(vm, disk)
            await vm.see(f"{disk}:", words)
        must(len(found()) == len(says), f"the disks are {found()}, not {len(says)}")
        await vm.photograph("disks")

    async def story(lab: Lab) -> None:
        disk = lab.disk(bus)
        async with lab.start(lab.machine(lab.medium(), disk), "list") as vm:
            await lists_them(vm)
        await install(lab, disk)
        await comes_up(lab, disk)

    return story


PATHS: dict[str, Story] = {
    "scsi-paths": reached_twice("scsi-paths", "Enter goes on", "same as sda"),
    "nvme-paths": reached_twice("nvme-paths", "Enter goes on"),
}
