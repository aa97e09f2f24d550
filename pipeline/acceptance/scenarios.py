"""Each thing that must hold of an installation, as a story: what is there, what is done, what must be after.

Must not know which stories are run, nor how they are reported.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from pipeline.acceptance import quiet
from pipeline.acceptance import screens as steps
from pipeline.acceptance.choice import CHOICE
from pipeline.acceptance.faults import FAULTS
from pipeline.acceptance.lab import (
    GOOD,
    OTHER,
    SERIAL,
    SIZE,
    SMALL,
    Stage,
    by_oem_string,
    check_disk,
    must,
    with_answers,
)
from pipeline.acceptance.maintenance import CARE
from pipeline.acceptance.paths import PATHS
from pipeline.acceptance.power_cuts import CUT
from pipeline.vm import contact_sheet as sheet
from pipeline.vm import disks as media
from pipeline.vm import screen, time_server
from pipeline.vm.film import Film
from pipeline.vm.machine import HOST, Disk

Story = Callable[[Stage], Awaitable[None]]


ADDRESS = "10.0.2.77"
SETTINGS = f"""[settings]
host_name = "db-7"
node_name = "node-7"
data_partitions = 2
time_server = "{HOST}"
address = "{ADDRESS}/24"
gateway = "{HOST}"
"""
YEAR_2040 = 2_208_990_000  # seconds after 1970: far from now, and in the era of NTP that begins in 2036


async def boots_twice(stage: Stage, disk: Disk) -> None:
    """Start the installed disk without the medium: the log holds one boot, after another start two.

    Each time the power button ends it.
    """
    alone = replace(disk, turn=None)
    for boots in (1, 2):
        guest = stage.guest(alone, fresh=False, network=True)
        async with stage.playing(guest, f"boot-{boots}") as vm:
            await steps.appliance(vm, boots)
            stage.took(vm, f"power-on to /healthz, boot {boots}", "/healthz")
            await vm.photograph("appliance")
            await vm.switch_off()


async def by_serial(stage: Stage) -> None:
    """Install over the serial console, then start what was installed, twice."""
    disk = stage.disk()
    async with stage.playing(stage.guest(stage.medium(), disk)) as vm:
        await steps.install(vm, "nvme0n1", SERIAL)
        await vm.press("r")
        await vm.resets()
    check_disk(stage, disk)
    must(
        media.boot_order(stage.work / "variables.fd")[0] == "TruthDB",
        "TruthDB is not first in the boot order",
    )
    await boots_twice(stage, disk)


async def by_keyboard(stage: Stage) -> None:
    """Install with the machine's own keyboard and screen, pull the stick, and reboot to the appliance."""
    disk = stage.disk("virtio-blk")
    async with stage.playing(stage.guest(stage.medium("usb"), disk, network=True)) as vm:
        await steps.install(vm, "vda", SERIAL, on_screen=True)
        await vm.monitor.unplug("usb-medium")
        await vm.press("r", on_screen=True)
        await vm.resets()
        await steps.appliance(vm, 1)
        await vm.shows("appliance", "TruthDB", "/status")
        await vm.switch_off()
    check_disk(stage, disk)
    async with stage.playing(stage.guest(disk, fresh=False, network=True), "boot-2") as vm:
        await steps.appliance(vm, 2)


def unattended_on(bus: str, block: int = 512, medium: str = "cd") -> Story:
    """Return the story of an unattended installation to a disk on some bus, which then starts."""

    async def story(stage: Stage) -> None:
        disk = stage.disk(bus, block=block)
        text = steps.answers(GOOD, erase=SERIAL)
        await by_oem_string(stage, text, stage.medium(medium), disk)
        check_disk(stage, disk)
        guest = stage.guest(disk, fresh=False, network=True)
        async with stage.playing(guest, "boot-1") as vm:
            await steps.appliance(vm, 1)
            stage.took(vm, "power-on to /healthz", "/healthz")

    return story


async def other_system_stays(stage: Stage) -> None:
    """A disk with another system is not touched, neither is its boot entry, and what was installed starts."""
    disk = stage.disk("nvme")
    image = media.foreign_system(stage.work / "other.img", 1 << 30, stage.work)
    other = Disk("other", image, "ahci", serial=OTHER)
    before = media.digest(image)
    store = stage.guest().variables
    for program in (
        r"\EFI\OTHER\OTHER.EFI",
        r"\EFI\TruthDB\truthdb-0.0.1.efi",
    ):  # the latter is of a disk that is gone
        media.run("virt-fw-vars", "--inplace", str(store), "--append-boot-filepath", program)
    entries = media.boot_entries(store)
    must(len(entries) > 1, "the other systems have no boot entries that could be lost")
    guest = stage.guest(stage.medium(), disk, other, fresh=False)
    async with stage.playing(with_answers(stage, guest, steps.answers(GOOD, erase=SERIAL))) as vm:
        await steps.done(vm)
        await vm.is_off()
    check_disk(stage, disk)
    must(media.digest(image) == before, "the other system's disk was changed")
    after = media.boot_entries(store)
    must(media.boot_order(store)[0] == "TruthDB", f"the boot order is {media.boot_order(store)}")
    must(
        set(entries) <= set(after),
        f"boot entries are gone or changed: {sorted(entries)}, now {sorted(after)}",
    )
    async with stage.playing(stage.guest(disk, other, fresh=False, network=True), "boot-1") as vm:
        await steps.appliance(vm, 1)


async def leftovers(stage: Stage) -> None:
    """A disk that had ZFS, md and Btrfs: nobody takes it, or a partition of it, for that afterwards."""
    disk = stage.disk()
    media.leftovers(disk.image, SIZE)
    text = steps.answers(GOOD, erase=SERIAL, allowed=["erase_foreign_data"])
    await by_oem_string(stage, text, stage.medium(), disk)
    check_disk(stage, disk)
    async with stage.playing(stage.guest(disk, fresh=False, network=True), "boot-1") as vm:
        await steps.appliance(vm, 1)


async def settings(stage: Stage) -> None:
    """Names, a fixed address, a time server and two data partitions, as the settings screen has them too."""
    labels = ["TRUTHDB_DATA", "TRUTHDB_DATA2"]
    disk = stage.disk()
    text = steps.answers(GOOD, erase=SERIAL) + SETTINGS
    await by_oem_string(stage, text, stage.medium(), disk)
    check_disk(stage, disk, labels)
    guest = replace(stage.guest(disk, fresh=False, network=True), address=ADDRESS)
    async with time_server.serving(YEAR_2040) as server, stage.playing(guest, "boot-1") as vm:
        status = await steps.appliance(vm, 1)  # at the fixed address: DHCP gives another one
        node = status["node"]
        must((node["host_name"], node["name"]) == ("db-7", "node-7"), f"the node calls itself {node}")
        must(status["disk"]["labels"] == labels, f"the data are on {status['disk']}")
        await vm.hear(f"Network: eth0: {ADDRESS}/24")
        await vm.hear("TRUTHDB_DATA2 (nvme0n1p3): clean, on /data2")
        await vm.until("a question to the time server", lambda: server.asked > 0)
        await vm.get("/healthz")  # packets keep their order: the server's answer is there, too
        await vm.switch_off()
    for place in check_disk(stage, disk, labels)[1:]:
        year = media.written_in(disk.image, place)
        must(year == 2040, f"{place.name} was written last in {year} by the machine's clock, not in 2040")


async def answers_on_a_stick(stage: Stage) -> None:
    """An answer file on a volume that is labelled for it."""
    text = steps.answers('bus = "nvme"')
    stick = Disk("config", media.stick(stage.work / "stick.img", "TRUTHDB_CFG", {media.ANSWERS: text}), "usb")
    disk = stage.disk()
    async with stage.playing(stage.guest(stage.medium(), disk, stick)) as vm:
        await steps.done(vm)
        await vm.is_off()
    check_disk(stage, disk)


async def answers_on_the_medium(stage: Stage) -> None:
    """An answer file in the FAT of the stick that the machine is started from."""
    text = steps.answers('model = "QEMU NVMe*"', erase=SERIAL)
    image = media.with_answers(stage.iso, stage.work / "medium.img", text)
    medium = Disk("medium", image, "usb", serial="MEDIUM", turn=0)
    disk = stage.disk()
    async with stage.playing(stage.guest(medium, disk)) as vm:
        await steps.done(vm)
        await vm.is_off()
    check_disk(stage, disk)


def refused(text: str, *words: str, size: int = SIZE, read_only: bool = False, disks: int = 1) -> Story:
    """Return the story of an answer file that is not followed: it says why, and nothing is written."""

    async def story(stage: Stage) -> None:
        target = replace(stage.disk("virtio-blk", size=size), read_only=read_only)
        others = [stage.disk("virtio-blk", node=f"other-{number}") for number in range(1, disks)]
        guest = with_answers(stage, stage.guest(stage.medium(), target, *others), text)
        before = [media.digest(disk.image) for disk in (target, *others)]
        async with stage.playing(guest) as vm:
            await steps.refuses(vm, *words)
            await vm.shows("refused", steps.REFUSED, *words)
            await vm.is_off()
        must([media.digest(disk.image) for disk in (target, *others)] == before, "a disk was written to")

    return story


async def is_quiet(stage: Stage) -> None:
    """From power-on to Welcome, and from power-on to the appliance, no frame shows the kernel's text."""
    disk = stage.disk()
    async with stage.playing(stage.guest(stage.medium(), disk)) as vm:
        async with vm.filming("frames") as starting:
            await steps.greet(vm)
            await vm.shows("welcome", "Welcome")
        await _is_quiet(starting, "Welcome")
        await steps.install(vm, "nvme0n1", SERIAL)
    async with stage.playing(stage.guest(disk, fresh=False, network=True), "boot-1") as vm:
        async with vm.filming("frames") as running:
            await steps.appliance(vm, 1)
            await vm.shows("appliance", "TruthDB", "/status")
        await _is_quiet(running, "/status")
    films = {"The medium, to Welcome": starting, "The installed disk, to the appliance": running}
    sheet.contact_sheet(films, stage.out / "contact-sheet.png")
    for name, film in (("installer", starting), ("appliance", running)):
        sheet.moving(film, stage.out / f"{name}.png")


async def _is_quiet(film: Film, last: str) -> None:
    """Raise NotSeenError unless a film ends with `last` on the screen and has nothing on it that is loud."""
    screens = [(shot.at, await screen.read(shot.picture)) for shot in film.shots]
    found = quiet.complaints(screens)
    must(not found, "; ".join(found))
    must(not screen.missing(screens[-1][1], [last]), f"the film ends without {last!r}")


async def started_by_bios(stage: Stage) -> None:
    """A PC that starts the medium by BIOS, from disc or stick, says so, and a key starts it anew."""
    for bus in ("cd", "usb"):
        guest = replace(stage.guest(stage.medium(bus)), code=None)
        async with stage.playing(guest, bus) as vm:
            await vm.shows("notice", "UEFI", "BIOS", "Legacy", "setup", "restart")
            await vm.press("enter", on_screen=True)
            await vm.resets()


STORIES: dict[str, Story] = {
    "serial": by_serial,
    "keyboard": by_keyboard,
    **CUT,
    "nvme": unattended_on("nvme"),
    "nvme-4096": unattended_on("nvme", 4096),
    "virtio-blk": unattended_on("virtio-blk", medium="usb"),
    "virtio-scsi": unattended_on("virtio-scsi"),
    "ahci": unattended_on("ahci", medium="usb"),
    "other-system": other_system_stays,
    "leftovers": leftovers,
    "answers-stick": answers_on_a_stick,
    "answers-medium": answers_on_the_medium,
    "settings": settings,
    **CARE,
    "quiet": is_quiet,
    "bios": started_by_bios,
    "refuse-no-match": refused(steps.answers('serial = "NOBODY"'), "No disk"),
    "refuse-two": refused(steps.answers('bus = "virtio"'), "2 disks", disks=2),
    "refuse-serial": refused(steps.answers('bus = "virtio"', erase="WRONG"), "WRONG"),
    "refuse-small": refused(steps.answers(GOOD), "too small", size=SMALL),
    "refuse-read-only": refused(steps.answers(GOOD), "read-only", read_only=True),
    "refuse-unknown-key": refused(steps.answers(GOOD, lines=('colour = "red"',)), "colour"),
    **CHOICE,
    **PATHS,
    **FAULTS,
}
"""Every story by name, in the order in which they are begun: long ones early, not alone at the end."""
