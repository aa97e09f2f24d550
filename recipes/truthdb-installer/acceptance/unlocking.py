"""Encrypted data on the machine that they were installed on: the TPM opens them, or says why it does not.

All of it on images of trial, which are signed with keys that were made for that.
"""

from dataclasses import replace

from acceptance import installation, screens
from acceptance.refusals import ADDONS, place_addons
from pipeline.boot.stories import SERIAL, Lab, Story, must
from pipeline.vm import disks
from pipeline.vm.machine import Disk
from pipeline.vm.session import Session
from pipeline.vm.variables import write

WORDS = "letter advice cage absurd amount doctor acoustic avoid letter advice cage above"
SHORT = " ".join(word[:4] for word in WORDS.split())
ENCRYPTED = screens.answers(
    installation.GOOD, erase=SERIAL, lines=["[settings]", 'encryption = "tpm"', f'recovery_key = "{WORDS}"']
)
UNBOUND = "cannot be bound to this computer: this system is not signed for the TPM"
OPENING, CHECKING = "Data: opening", "Data: checking"

SYSTEMS = "EFI/BOOT/grubx64.efi", "EFI/TruthDB/grubx64.efi"
"""What shim starts, from wherever firmware starts shim."""
FOLDER = f"{SYSTEMS[1]}.extra.d"
"""Where the firmware's entry finds addons."""

LOADED, CHANGED = b"loglevel=3", b"loglevel=4"


def trial(lab: Lab) -> Lab:
    """Return the same place with the images of trial."""
    names = {"iso": "trusted-iso", "payload": "trusted-payload"}
    return replace(lab, inputs={**lab.inputs, **{name: lab.inputs[other] for name, other in names.items()}})


async def installed(lab: Lab) -> tuple[Lab, Disk]:
    """Install with a key in the TPM, where the vendor's keys are trusted; return that place and the disk."""
    here = trial(lab).trusted("own", tpm=True)
    disk = here.disk()
    medium = here.machine(here.medium(), disk)
    await installation.unattended(here, installation.with_answers(here, medium, ENCRYPTED))
    return here, disk


async def opens(lab: Lab, disk: Disk, boots: int, name: str, *, by: str = "tpm") -> None:
    """Start what is installed; the data open by themselves, and the machine ends in order."""
    async with lab.start(lab.machine(disk, fresh=False, network=True), name) as vm:
        status = await screens.appliance(vm, boots)
        said = vm.terminal.history
        must(screens.KEY not in said, f"{name}: somebody was asked for a key")
        must(status["disk"]["encrypted"] == by, f"{name}: opened by {status['disk']['encrypted']}, not {by}")
        await vm.switch_off()


async def asks(vm: Session, reason: str) -> None:
    """Wait until a key is asked for, and the reason was given."""
    await vm.hear(screens.KEY)
    said = " ".join(vm.terminal.history.split())
    must(reason in said, f"the reason is not {reason!r}")


async def recover(
    lab: Lab,
    disk: Disk,
    boots: int,
    name: str,
    reason: str,
    *,
    bind: bool | None = True,
    on_screen: bool = False,
) -> None:
    """Start what does not open by itself, for this reason; the words open it, and bind it, if they are to.

    `bind` is None where that cannot be, and nobody is asked.
    """
    async with lab.start(lab.machine(disk, fresh=False, network=True), name) as vm:
        await asks(vm, reason)
        if on_screen:
            await vm.shows("closed", "encrypted, closed", "not started")
            await vm.type(SHORT, on_screen=True)
            await vm.press("enter", on_screen=True)
            await vm.hear("This is answered at tty1.")
            await vm.shows("bind", "Bind the data to this computer again")
            await vm.press("y" if bind else "n", on_screen=True)
            await vm.press("enter", on_screen=True)
        else:
            await vm.write(f"{SHORT}\r".encode())
            await vm.hear(UNBOUND if bind is None else screens.BIND)
            if bind is not None:
                await vm.write(b"y\r" if bind else b"n\r")
        await vm.hear(screens.OPEN)
        status = await screens.appliance(vm, boots)
        must(status["disk"]["encrypted"] == "recovery", f"{name}: {status['disk']}")
        await vm.switch_off()


async def by_tpm(lab: Lab) -> None:
    """The TPM opens what was installed; the first start binds it to how the machine starts.

    Another system that the vendor has signed opens it, too.
    """
    here, disk = await installed(lab)
    async with here.start(here.machine(disk, fresh=False, network=True), "first") as vm:
        await vm.hear(OPENING)
        await vm.hear(CHECKING)
        status = await screens.appliance(vm, 1)
        must(status["disk"]["encrypted"] == "tpm", f"opened by {status['disk']['encrypted']}")
        await vm.switch_off()
    must(bound(disk), "the first start did not bind the data to PCR 7 and 12")
    async with here.start(here.machine(disk, fresh=False, network=True), "second") as vm:
        begun = await vm.hear(OPENING)
        here.times["unlocking by the TPM"] = await vm.hear(CHECKING) - begun
        await screens.appliance(vm, 2)
        await vm.switch_off()
    write_system(here, disk, lab.inputs["trusted-next"].read_bytes())
    await opens(here, disk, 3, "next")


async def not_by_tpm(lab: Lab) -> None:
    """What starts another way, with another command line, system or TPM says so, and the words open it."""
    here, disk = await installed(lab)
    await opens(here, disk, 1, "bound")
    write(here.variables, "SecureBootEnable", b"\0")  # as in the firmware's setup
    await recover(here, disk, 2, "secure-boot-off", "PCR 7 changed: Secure Boot was switched off")
    await opens(here, disk, 3, "bound-again")
    esp = disks.partitions(disk.image, disk.block)[0]
    place_addons(disk.image, esp, FOLDER, lab.inputs[ADDONS[1]])  # whose signer nobody asks for
    await recover(here, disk, 4, "command-line", "PCR 12 changed: the kernel was given another", bind=False)
    disks.run("mdeltree", "-i", f"{disk.image}@@{esp.start}", f"::{FOLDER}")
    original = change_system(here, disk)
    await recover(
        here, disk, 5, "other-system", "PCR 11 is another: the system that runs is not the one", bind=None
    )
    write_system(here, disk, original)
    await opens(here, disk, 6, "as-before")
    moved = replace(here, tpm_state=here.work / "other-tpm")
    await recover(moved, disk, 7, "moved", "The TPM is not the one that has the key", on_screen=True)
    await opens(moved, disk, 8, "at-home")


def bound(disk: Disk) -> bool:
    """Tell whether the header of the data says that the TPM's key is bound to PCR 7 and 12."""
    place = next(one for one in disks.partitions(disk.image, disk.block) if one.name == installation.DATA)
    with disk.image.open("rb") as file:
        file.seek(place.start)
        header = file.read(1 << 14)
    return b'"tpm2-pcrs":[7,12]' in header and b"measured-when-sealed" in header


def change_system(lab: Lab, disk: Disk) -> bytes:
    """Change the kernel's command line inside the system on a disk; return the system as it was."""
    place = disks.partitions(disk.image, disk.block)[0]
    system = disks.files(disk.image, place)[SYSTEMS[0].upper()]
    must(LOADED in system, f"the system's command line has no {LOADED.decode()}")
    write_system(lab, disk, system.replace(LOADED, CHANGED))
    return system


def write_system(lab: Lab, disk: Disk, system: bytes) -> None:
    """Put a system where shim starts it."""
    place = disks.partitions(disk.image, disk.block)[0]
    file = lab.work / "system.efi"
    file.write_bytes(system)
    for path in SYSTEMS:
        disks.run("mcopy", "-o", "-i", f"{disk.image}@@{place.start}", str(file), f"::{path}")


UNLOCKING: dict[str, Story] = {"unlock-tpm": by_tpm, "unlock-refused": not_by_tpm}
