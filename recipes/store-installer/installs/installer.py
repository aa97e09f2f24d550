"""How the installer is told what to do: by an answer file, or by a person; its screens' words stand here."""

from dataclasses import replace
from typing import Literal

from pipeline.boot.stories import SERIAL, Lab
from pipeline.vm.machine import Disk, Machine
from pipeline.vm.session import NotSeenError, Session

Firmware = Literal["bios", "uefi"]

WELCOME = ("Welcome", "[Enter] Install")
DISK = "Disk to install to"
CONFIRM = "Confirm: install"
STARTS = "Enter starts."
DONE = ("Done", "[R] Reboot")
WRONG = "Something went wrong"
REFUSED = "The answer file is not followed"
TOOLS = "Export logs"
TO_VALIDATE = "Disk to validate"
GOOD, BAD = "Everything is as it should be.", "not as"
LONGEST = 900.0  # seconds until Done, on a busy machine: hundreds of MB are written, and read back
COUNTDOWN = 5  # seconds: the least that an answer file may ask for

HEAD = f"""\
version = 1
task = "install"
on_success = "poweroff"
on_error = "poweroff"
countdown_seconds = {COUNTDOWN}
[disk]
serial = "{SERIAL}"
"""
WHOLE = f'{HEAD}erase = "{SERIAL}"\n'
REPLACE = f"{WHOLE}erase_foreign_data = true\nreplace_installation = true\n"
RECOVER = HEAD.replace('"install"', '"repair-boot"')
BESIDE = f'{HEAD}into = "free-space"\n'


def booted_by(machine: Machine, firmware: Firmware) -> Machine:
    """Return a machine with this firmware."""
    return replace(machine, code=None) if firmware == "bios" else machine


def told(lab: Lab, machine: Machine, answers: str) -> Machine:
    """Return the machine with an answer file in its SMBIOS tables."""
    strings = lab.work / "oem-string"
    strings.write_text(f"store.install.toml={answers}")
    return replace(machine, oem_strings=(strings,))


async def unattended(
    lab: Lab, disk: Disk, firmware: Firmware, answers: str, name: str = "install", *, fresh: bool = True
) -> None:
    """Have the medium follow an answer file, until the machine is off. Raises NotSeenError where it fails."""
    machine = booted_by(lab.machine(lab.medium(), disk, fresh=fresh), firmware)
    async with lab.start(told(lab, machine, answers), name) as vm:
        await done(vm)
        lab.took(vm, f"power-on to Done, {name}", "Done or what went wrong")
        await vm.is_off()


async def done(vm: Session) -> None:
    """Wait for Done; what went wrong instead is the failure."""
    ends = (DONE[1], WRONG, REFUSED)
    await vm.until(
        "Done or what went wrong", lambda: any(text in vm.terminal.text() for text in ends), LONGEST
    )
    if DONE[1] not in vm.terminal.text():
        raise NotSeenError("the installation failed")


async def by_hand(vm: Session, disk: Disk) -> None:
    """Install to the only disk, all of it, as a person does at the screen and its keyboard."""
    await vm.see(*WELCOME)
    await vm.shows("welcome", "Welcome", "Store Appliance")
    await vm.press("enter", on_screen=True)
    await vm.see(DISK)
    await vm.shows("disk", DISK, f"Serial number {disk.serial[:4]}")
    await vm.press("enter", on_screen=True)
    await vm.see(CONFIRM)
    await vm.type(disk.serial[-4:], on_screen=True)
    await vm.see(STARTS)
    await vm.shows("confirm", CONFIRM, STARTS)
    await vm.press("enter", on_screen=True)
    await done(vm)
    await vm.shows("done", DONE[0], "were read back")


async def validated(vm: Session, *words: str) -> None:
    """Choose Validate of the tools, from Welcome, and wait for what it says."""
    await vm.see(WELCOME[0])
    await vm.press("t")
    await vm.see(TOOLS)
    await vm.press("v")
    await vm.see(TO_VALIDATE)
    await vm.press("enter")
    await vm.see(*words)
