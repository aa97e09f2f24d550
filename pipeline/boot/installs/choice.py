"""What an answer file does not make happen: nothing is written to a disk that nobody chose."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from pipeline.boot.installs import media, steps
from pipeline.boot.installs.stage import (
    GOOD,
    OTHER,
    SERIAL,
    Stage,
    by_oem_string,
    check_disk,
    must,
    with_answers,
)

Story = Callable[[Stage], Awaitable[None]]


async def installed_stays(stage: Stage) -> None:
    """The medium is left in, and the firmware has lost its entries: what is installed is started."""
    disk = stage.disk()
    text = steps.answers(GOOD, erase=SERIAL)
    await by_oem_string(stage, text, stage.medium(), disk)
    check_disk(stage, disk)
    async with stage.playing(stage.guest(disk, fresh=False, network=True), "boot-1") as play:
        await steps.appliance(play, 1)
        await play.monitor.press_power_button()
        await play.is_off()
    again = stage.guest(stage.medium(), replace(disk, second=True), network=True)
    async with stage.playing(with_answers(stage, again, text), "again") as play:
        await steps.refuses(play, "holds TruthDB", "replace_installation")
        await play.shows("refused", steps.REFUSED, "replace_installation")
        await play.resets()
        await steps.appliance(play, 2)
        await play.monitor.press_power_button()
        await play.is_off()
    text = steps.answers(GOOD, erase=SERIAL, allowed=["replace_installation"], ending="reboot")
    async with stage.playing(with_answers(stage, again, text), "replaced") as play:
        await steps.done(play)
        await play.resets()
        await steps.appliance(play, 1)  # at once, though the medium comes first: else it would start over
        await play.monitor.press_power_button()
        await play.is_off()
    check_disk(stage, disk)


def late_disk(rule: str, *words: str, hangs: bool = False) -> Story:
    """Return the story of a disk that turns up while it is said when an answer file with `rule` starts.

    Nothing is written, and `words` are said: it fits, too, or `hangs` and might.
    """

    async def story(stage: Stage) -> None:
        target = stage.disk("virtio-blk")
        late = replace(stage.disk("usb", node="late"), hangs=hangs)
        before = [media.digest(disk.image) for disk in (target, late)]
        guest = with_answers(stage, stage.guest(stage.medium(), target, late), steps.answers(rule))
        async with stage.playing(guest) as play:
            await play.monitor.unplug("usb-late")
            await play.see(steps.UNATTENDED, "It starts in")
            await play.monitor.plug_in(
                "usb-storage", id="usb-late", bus="xhci-late.0", drive="late", serial=OTHER, removable=True
            )
            await steps.refuses(play, *words)
            await play.shows("refused", steps.REFUSED, words[0])
            await play.is_off()
        must([media.digest(disk.image) for disk in (target, late)] == before, "a disk was written to")

    return story


CHOICE: dict[str, Story] = {
    "installed-stays": installed_stays,
    "late-disk": late_disk('min_size = "8 GB"', "2 disks", OTHER),
    "hanging-disk": late_disk("empty = true", "does not answer: sda", hangs=True),
}
