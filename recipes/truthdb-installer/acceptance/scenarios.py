"""Each thing that must hold of an installation, as a story: what is there, what is done, what must be after.

Must not know which stories are run, nor how they are reported.
"""

from dataclasses import replace

from acceptance import quiet, screens
from acceptance.attested import ATTESTED
from acceptance.choice import CHOICE, untouched
from acceptance.contact_sheet import contact_sheet, moving
from acceptance.encryption import ENCRYPTION
from acceptance.faults import FAULTS
from acceptance.first_start import FIRST_START
from acceptance.hardened import HARDENED
from acceptance.images import IMAGES
from acceptance.installation import (
    DATA,
    GOOD,
    INSTALL,
    NAME,
    booted,
    check_disk,
    comes_first,
    comes_up,
    install,
    unattended,
    with_answers,
)
from acceptance.laptop import LAPTOP
from acceptance.maintenance import MAINTENANCE
from acceptance.measured import MEASURED
from acceptance.netboot import NETBOOT
from acceptance.paths import PATHS
from acceptance.platform import PLATFORM
from acceptance.power_cuts import POWER_CUTS
from acceptance.refusals import REFUSALS
from acceptance.secure_boot import SECURE_BOOT_STORIES
from acceptance.trust import TRUST
from acceptance.unlocking import UNLOCKING
from pipeline.boot.stories import OTHER, SERIAL, SIZE, Lab, Story, must
from pipeline.vm import disks, screen, time_server
from pipeline.vm.film import Film
from pipeline.vm.machine import HOST, Disk

SMALL = 4 << 30
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


async def boots_twice(lab: Lab, disk: Disk) -> None:
    """Start the installed disk without the medium: the log holds one boot, after another start two.

    Each time the power button ends it.
    """
    alone = replace(disk, turn=None)
    for boots in (1, 2):
        async with booted(lab, alone, boots=boots) as vm:
            lab.took(vm, f"power-on to /healthz, boot {boots}", "/healthz")
            await vm.photograph("appliance")
            await vm.switch_off()


async def by_serial(lab: Lab) -> None:
    """Install over the serial console, then start what was installed, twice."""
    disk = lab.disk()
    async with lab.start(lab.machine(lab.medium(), disk)) as vm:
        await screens.install(vm, "nvme0n1", SERIAL)
        await vm.press("r")
        await vm.resets()
    check_disk(lab, disk)
    comes_first(lab)
    await boots_twice(lab, disk)


async def by_keyboard(lab: Lab) -> None:
    """Install with the machine's own keyboard and screen, pull the stick, and reboot to the appliance."""
    disk = lab.disk("virtio-blk")
    async with lab.start(lab.machine(lab.medium("usb"), disk, network=True)) as vm:
        await screens.install(vm, "vda", SERIAL, on_screen=True)
        await vm.monitor.unplug("usb-medium")
        await vm.press("r", on_screen=True)
        await vm.resets()
        await screens.appliance(vm, 1)
        await vm.shows("appliance", *NAME.split(), "/status")
        await vm.switch_off()
    check_disk(lab, disk)
    await comes_up(lab, disk, boots=2)


def unattended_on(bus: str, block: int = 512, medium: str = "cd") -> Story:
    """Return the story of an unattended installation to a disk on some bus, which then starts."""

    async def story(lab: Lab) -> None:
        disk = lab.disk(bus, block=block)
        await install(lab, disk, medium=medium)
        async with booted(lab, disk) as vm:
            lab.took(vm, "power-on to /healthz", "/healthz")

    return story


async def other_system_stays(lab: Lab) -> None:
    """A disk with another system is not touched, neither is its boot entry, and what was installed starts."""
    disk = lab.disk("nvme")
    image = disks.foreign_system(lab.work / "other.img", 1 << 30, lab.work)
    other = Disk("other", image, "ahci", serial=OTHER)
    before = disks.digest(image)
    store = lab.machine().variables
    for program in (
        r"\EFI\OTHER\OTHER.EFI",
        r"\EFI\TruthDB\truthdb-0.0.1.efi",
    ):  # the latter is of a disk that is gone
        disks.run("virt-fw-vars", "--inplace", str(store), "--append-boot-filepath", program)
    entries = disks.boot_entries(store)
    must(len(entries) > 1, "the other systems have no boot entries that could be lost")
    machine = lab.machine(lab.medium(), disk, other, fresh=False)
    await unattended(lab, with_answers(lab, machine, INSTALL))
    check_disk(lab, disk)
    must(disks.digest(image) == before, "the other system's disk was changed")
    after = disks.boot_entries(store)
    comes_first(lab)
    must(
        set(entries) <= set(after),
        f"boot entries are gone or changed: {sorted(entries)}, now {sorted(after)}",
    )
    await comes_up(lab, disk, other)


async def leftovers(lab: Lab) -> None:
    """A disk that had ZFS, md and Btrfs: nobody takes it, or a partition of it, for that afterwards."""
    disk = lab.disk()
    disks.leftovers(disk.image, SIZE)
    text = screens.answers(GOOD, erase=SERIAL, allowed=["erase_foreign_data"])
    await install(lab, disk, text)
    await comes_up(lab, disk)


async def settings(lab: Lab) -> None:
    """Names, a fixed address, a time server and two data partitions, as the settings screen has them too."""
    labels = [DATA, f"{DATA}2"]
    disk = lab.disk()
    text = screens.answers(GOOD, erase=SERIAL) + SETTINGS
    await install(lab, disk, text, data=labels)
    machine = replace(lab.machine(disk, fresh=False, network=True), address=ADDRESS)
    async with time_server.serving(YEAR_2040) as server, lab.start(machine, "boot-1") as vm:
        status = await screens.appliance(vm, 1)  # at the fixed address: DHCP gives another one
        node = status["node"]
        must((node["host_name"], node["name"]) == ("db-7", "node-7"), f"the node calls itself {node}")
        must(status["disk"]["labels"] == labels, f"the data are on {status['disk']}")
        await vm.hear(f"Network: eth0: {ADDRESS}/24")
        await vm.hear("TRUTHDB_DATA2 (nvme0n1p3): clean, on /data2")
        await vm.until("a question to the time server", lambda: server.asked > 0)
        await vm.get("/healthz")  # packets keep their order: the server's answer is there, too
        await vm.switch_off()
    for place in check_disk(lab, disk, labels)[1:]:
        year = disks.written_in(disk.image, place)
        must(year == 2040, f"{place.name} was written last in {year} by the machine's clock, not in 2040")


async def answers_on_a_stick(lab: Lab) -> None:
    """An answer file on a volume that is labelled for it."""
    text = screens.answers('bus = "nvme"')
    stick = Disk("config", disks.stick(lab.work / "stick.img", "TRUTHDB_CFG", {disks.ANSWERS: text}), "usb")
    disk = lab.disk()
    await unattended(lab, lab.machine(lab.medium(), disk, stick))
    check_disk(lab, disk)


async def answers_on_the_medium(lab: Lab) -> None:
    """An answer file in the FAT of the stick that the machine is started from."""
    text = screens.answers('model = "QEMU NVMe*"', erase=SERIAL)
    image = disks.with_answers(lab.inputs["iso"], lab.work / "medium.img", text)
    medium = Disk("medium", image, "usb", serial="MEDIUM", turn=0)
    disk = lab.disk()
    await unattended(lab, lab.machine(medium, disk))
    check_disk(lab, disk)


def refused(text: str, *words: str, size: int = SIZE, read_only: bool = False, count: int = 1) -> Story:
    """Return the story of an answer file that is not followed: it says why, and nothing is written."""

    async def story(lab: Lab) -> None:
        target = replace(lab.disk("virtio-blk", size=size), read_only=read_only)
        others = [lab.disk("virtio-blk", node=f"other-{number}") for number in range(1, count)]
        async with untouched(lab, text, target, *others) as vm:
            await screens.refuses(vm, *words)
            await vm.shows("refused", screens.REFUSED, *words)

    return story


async def is_quiet(lab: Lab) -> None:
    """From power-on to Welcome, and from power-on to the appliance, no frame shows the kernel's text."""
    disk = lab.disk()
    async with lab.start(lab.machine(lab.medium(), disk)) as vm:
        async with vm.filming("frames") as starting:
            await screens.greet(vm)
            await vm.shows("welcome", "Welcome")
        await _is_quiet(starting, "Welcome")
        await screens.install(vm, "nvme0n1", SERIAL)
    async with lab.start(lab.machine(disk, fresh=False, network=True), "boot-1") as vm:
        async with vm.filming("frames") as running:
            await screens.appliance(vm, 1)
            await vm.shows("appliance", *NAME.split(), "/status")
        await _is_quiet(running, "/status")
    films = {"The medium, to Welcome": starting, "The installed disk, to the appliance": running}
    contact_sheet(films, lab.out / "contact-sheet.png")
    for name, film in (("installer", starting), ("appliance", running)):
        moving(film, lab.out / f"{name}.png")


async def _is_quiet(film: Film, last: str) -> None:
    """Raise NotSeenError unless a film ends with `last` on the screen and has nothing on it that is loud."""
    shown = [(shot.at, await screen.read(shot.picture)) for shot in film.shots]
    found = quiet.complaints(shown)
    must(not found, "; ".join(found))
    must(not screen.missing(shown[-1][1], [last]), f"the film ends without {last!r}")


async def started_by_bios(lab: Lab) -> None:
    """A PC that starts the medium by BIOS, from disc or stick, says so, and a key starts it anew."""
    for bus in ("cd", "usb"):
        machine = replace(lab.machine(lab.medium(bus)), code=None)
        async with lab.start(machine, bus) as vm:
            await vm.shows("notice", "UEFI", "BIOS", "Legacy", "setup", "restart")
            await vm.press("enter", on_screen=True)
            await vm.resets()


STORIES: dict[str, Story] = {
    "serial": by_serial,
    "keyboard": by_keyboard,
    **ENCRYPTION,
    **POWER_CUTS,
    **IMAGES,
    **PLATFORM,
    **FIRST_START,
    **HARDENED,
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
    **MAINTENANCE,
    **ATTESTED,
    "quiet": is_quiet,
    "bios": started_by_bios,
    "refuse-no-match": refused(screens.answers('serial = "NOBODY"'), "No disk"),
    "refuse-two": refused(screens.answers('bus = "virtio"'), "2 disks", count=2),
    "refuse-serial": refused(screens.answers('bus = "virtio"', erase="WRONG"), "WRONG"),
    "refuse-small": refused(screens.answers(GOOD), "too small", size=SMALL),
    "refuse-read-only": refused(screens.answers(GOOD), "read-only", read_only=True),
    "refuse-unknown-key": refused(screens.answers(GOOD, lines=('colour = "red"',)), "colour"),
    **CHOICE,
    **PATHS,
    **FAULTS,
    **NETBOOT,
    **MEASURED,
    **UNLOCKING,
    **SECURE_BOOT_STORIES,
    **TRUST,
    **REFUSALS,
    **LAPTOP,
}
"""Every story by name, in the order in which they are begun: long ones early, not alone at the end."""
