"""Encrypted data on the machine that they were installed on: the TPM opens them, or says why it does not.

All of it on images of trial, which are signed with keys that were made for that.
"""

import struct
from dataclasses import replace
from pathlib import Path

from acceptance import installation, screens
from pipeline.boot.stories import SERIAL, Lab, Story, must
from pipeline.formats import gpt
from pipeline.formats.fields import open_image
from pipeline.vm import disks, machine
from pipeline.vm.machine import Disk
from pipeline.vm.session import Session

WORDS = "letter advice cage absurd amount doctor acoustic avoid letter advice cage above"
SHORT = " ".join(word[:4] for word in WORDS.split())
ENCRYPTED = screens.answers(
    installation.GOOD, erase=SERIAL, lines=["[settings]", 'encryption = "tpm"', f'recovery_key = "{WORDS}"']
)
OPENING, CHECKING = "Data: opening", "Data: checking"

FALLBACK = "EFI/BOOT/BOOTX64.EFI"
LOADED, CHANGED = b"loglevel=3", b"loglevel=4"
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
"""The namespace of the firmware's own variables (UEFI 2.10, 3.3)."""


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
    lab: Lab, disk: Disk, boots: int, name: str, reason: str, *, bind: bool = True, on_screen: bool = False
) -> None:
    """Start what does not open by itself, for this reason; the words open it, and bind it, if they are to."""
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
            await vm.hear(screens.BIND)
            await vm.write(b"y\r" if bind else b"n\r")
        await vm.hear(screens.OPEN)
        status = await screens.appliance(vm, boots)
        must(status["disk"]["encrypted"] == "recovery", f"{name}: {status['disk']}")
        await vm.switch_off()


async def by_tpm(lab: Lab) -> None:
    """The TPM opens what was installed; the first start binds it to how the machine starts."""
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


async def not_by_tpm(lab: Lab) -> None:
    """What starts another way, with another command line, system or TPM says so, and the words open it."""
    here, disk = await installed(lab)
    await opens(here, disk, 1, "bound")
    off = here.trusted("off", tpm=True)
    await recover(off, disk, 2, "secure-boot-off", "PCR 7 changed: Secure Boot was switched off")
    await opens(off, disk, 3, "bound-again")
    with_options(off, disk, "rdinit=/sbin/init console=tty0 console=ttyS0,115200 quiet loglevel=3 extra")
    await recover(off, disk, 4, "command-line", "PCR 12 changed: the kernel was given another", bind=False)
    off.variables.unlink()
    original = change_system(off, disk)
    await recover(
        off, disk, 5, "other-system", "PCR 11 is another: the system that runs is not the one", bind=False
    )
    write_system(off, disk, original)
    await opens(off, disk, 6, "as-before")
    moved = replace(off, tpm_state=off.work / "other-tpm")
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
    system = disks.files(disk.image, place)[FALLBACK]
    must(LOADED in system, f"the system's command line has no {LOADED.decode()}")
    write_system(lab, disk, system.replace(LOADED, CHANGED))
    return system


def write_system(lab: Lab, disk: Disk, system: bytes) -> None:
    """Put a system where firmware looks for it by itself."""
    place = disks.partitions(disk.image, disk.block)[0]
    file = lab.work / "system.efi"
    file.write_bytes(system)
    disks.run("mcopy", "-o", "-i", f"{disk.image}@@{place.start}", str(file), f"::{FALLBACK}")


def with_options(lab: Lab, disk: Disk, options: str) -> None:
    """Have the firmware start what is installed with a command line, by an entry of its own.

    Specification: UEFI 2.10, §3.1.3 "Load Options", §10.3.5 "Media Device Path"
    """
    esp = gpt.read_table(open_image(disk.image), 1, disk.block).partitions[0]
    drive = struct.pack(
        "<BBHIQQ16sBB", 4, 1, 42, 1, esp.first_lba, esp.last_lba + 1 - esp.first_lba, esp.guid.bytes_le, 2, 2
    )
    name = wide("\\" + FALLBACK.replace("/", "\\"))
    path = drive + struct.pack("<BBH", 4, 4, 4 + len(name)) + name + b"\x7f\xff\x04\x00"
    option = struct.pack("<IH", 1, len(path)) + wide("with options") + path + wide(options)
    machine.fresh_variables(lab.firmware, lab.work)
    texts = [
        f'{{"name": "{name}", "guid": "{GLOBAL}", "attr": 7, "data": "{data.hex()}"}}'
        for name, data in (("Boot0077", option), ("BootOrder", b"\x77\x00"))
    ]
    file = Path(lab.work / "variables.json")
    file.write_text(f'{{"version": 2, "variables": [{", ".join(texts)}]}}', encoding="ascii")
    disks.run("virt-fw-vars", "--inplace", str(lab.variables), "--set-json", str(file))


def wide(text: str) -> bytes:
    """Return a text as UEFI has it, with its end."""
    return f"{text}\0".encode("utf-16-le")


UNLOCKING: dict[str, Story] = {"unlock-tpm": by_tpm, "unlock-refused": not_by_tpm}
