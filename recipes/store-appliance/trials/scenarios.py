"""What happens to a disk: each firmware starts it, another system is chosen, something on it is broken."""

from dataclasses import replace

from pipeline.boot.shell import PATIENCE, ROOT, Shell, shell_of_root, with_credentials
from pipeline.boot.stories import Lab, Story, must
from pipeline.vm.machine import Disk, Machine
from pipeline.vm.session import NotSeenError, Session
from trials import disks, system

SIZE = 3 << 30
"""Bytes of the disk that a new one is grown to, and how much of it /data has at least."""
ROOM = 2 << 30

MENU = "store-appliance system-1-link"
"""What the menu calls the previous system."""

LOGIN = "login:"
SILENCE = 40.0
"""Seconds in which a machine whose disk is broken must not come to a login."""


def machine(lab: Lab, disk: Disk, *, uefi: bool) -> Machine:
    """Return a machine with a BIOS or UEFI, whose console is root's."""
    made = lab.machine(disk)
    return with_credentials(lab, made if uefi else replace(made, code=None), ROOT)


async def starts(lab: Lab, *, uefi: bool) -> None:
    """The current system comes up, with all that it has."""
    disk = lab.system(size=SIZE)
    async with lab.start(machine(lab, disk, uefi=uefi), "boot") as vm:
        shell = await shell_of_root(vm)
        lab.took(vm, "login", "'automatic login'")
        await system.has_started(shell, system.CURRENT, uefi=uefi)
        await system.has_its_disks(shell, ROOM)
        await system.keeps_its_store(shell)


async def bios(lab: Lab) -> None:
    """A BIOS starts the disk."""
    await starts(lab, uefi=False)


async def uefi(lab: Lab) -> None:
    """UEFI starts the very same disk."""
    await starts(lab, uefi=True)


async def previous(lab: Lab) -> None:
    """The system before the current one is chosen from the menu, at the keyboard.

    On a serial line an arrow key is three bytes, and on a busy machine GRUB has missed it.
    """
    async with lab.start(machine(lab, lab.system(), uefi=False), "boot") as vm:
        await vm.hear(MENU, timeout=PATIENCE)
        await vm.press("down", on_screen=True)
        await vm.press("enter", on_screen=True)
        shell = await shell_of_root(vm)
        await system.has_started(shell, system.PREVIOUS, uefi=False)


async def again(vm: Session) -> Shell:
    """Restart the machine from within; return the shell of what comes up then."""
    since = len(vm.terminal.history)
    await vm.write(b"systemctl reboot\n")
    return await shell_of_root(vm, since)


async def chosen_once(lab: Lab, *, uefi: bool) -> None:
    """One start of the previous system, as an administrator asks for it; then the current one again."""
    async with lab.start(machine(lab, lab.system(), uefi=uefi), "boot") as vm:
        shell = await shell_of_root(vm)
        await shell.says(system.ONCE)
        shell = await again(vm)
        await system.has_started(shell, system.PREVIOUS, uefi=uefi)
        block = await shell.says(f"grub-editenv {system.BLOCK} list")
        must(block in ("", "next_entry="), f"the choice is still there: {block}")
        shell = await again(vm)
        await system.has_started(shell, system.CURRENT, uefi=uefi)


async def once(lab: Lab) -> None:
    """One start of the previous system, with a BIOS."""
    await chosen_once(lab, uefi=False)


async def once_uefi(lab: Lab) -> None:
    """One start of the previous system, with UEFI."""
    await chosen_once(lab, uefi=True)


async def refuses(lab: Lab) -> None:
    """Where something on the way is broken it is named, and nothing else is started instead.

    Without its menu GRUB talks where the BIOS does: on the serial line, where there is no screen.
    """
    for name, (partition, old, new, said) in BROKEN.items():
        for kind, of_uefi in (("bios", False), ("uefi", True)):
            disk = lab.system()
            disks.change(disk, partition, old, new)
            broken = replace(machine(lab, disk, uefi=of_uefi), graphics=of_uefi)
            async with lab.start(broken, f"{name}-{kind}") as vm:
                await vm.hear(said, timeout=PATIENCE)
                await no_login(vm)


async def no_login(vm: Session) -> None:
    """Raise NotSeenError where a system starts all the same."""
    try:
        await vm.hear(LOGIN, timeout=SILENCE)
    except NotSeenError:
        must(LOGIN not in vm.terminal.history, "it has started all the same")
        return
    raise NotSeenError("it has started all the same")


BROKEN = {
    "label": ("GUIX_BOOT", b"GUIX_BOOT", b"GUIX_BOOX", "grub>"),
    "path": ("GUIX_BOOT", b"  linux /vmlinuz-", b"  linux /wmlinuz-", "wmlinuz"),
}
"""What is changed: the partition, the bytes before and afterwards, and what GRUB then says: which file is not
there, or its prompt, where it has found no menu."""

STORIES: dict[str, Story] = {
    "bios": bios,
    "uefi": uefi,
    "previous": previous,
    "once": once,
    "once-uefi": once_uefi,
    "refuses": refuses,
}
