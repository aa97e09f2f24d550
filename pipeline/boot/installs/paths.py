"""A disk that is reached through two controllers: it is one disk, to the installer and to the appliance."""

from collections.abc import Awaitable, Callable

from pipeline.boot.installs import steps
from pipeline.boot.installs.play import Play
from pipeline.boot.installs.stage import GOOD, SERIAL, Stage, by_oem_string, check_disk, must

Story = Callable[[Stage], Awaitable[None]]

ANSWERS = steps.answers(GOOD, erase=SERIAL)


def reached_twice(bus: str, disks: dict[str, str]) -> Story:
    """Return the story of a disk with two paths: an answer file is about one disk, and its data are served.

    `disks` are those that the installer lists besides the medium, and what it says of each.
    """

    async def lists_them(play: Play) -> None:
        await steps.greet(play)
        await steps.choose(play, list(disks)[-1])
        for disk, words in disks.items():
            await steps.point_at(play, disk)
            await play.see(f"{disk}:", words)
        names = [name for name in steps.listed(play.terminal.text())[0] if name != "sr0"]
        must(names == list(disks), f"the disks are {names}, not {list(disks)}")
        await play.photograph("disks")

    async def story(stage: Stage) -> None:
        disk = stage.disk(bus)
        async with stage.playing(stage.guest(stage.medium(), disk), "list") as play:
            await lists_them(play)
        await by_oem_string(stage, ANSWERS, stage.medium(), disk)
        check_disk(stage, disk)
        async with stage.playing(stage.guest(disk, fresh=False, network=True), "boot-1") as play:
            await steps.appliance(play, 1)

    return story


PATHS: dict[str, Story] = {
    "scsi-paths": reached_twice("scsi-paths", {"sda": "Enter goes on", "sdb": "same as sda"}),
    "nvme-paths": reached_twice("nvme-paths", {"nvme0n1": "Enter goes on"}),
}
