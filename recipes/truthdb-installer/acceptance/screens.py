"""What a person does, from Welcome to the appliance's answer; what the screens say stands here alone.

Must not know how the machine was made.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from pipeline.vm.session import PATIENCE, NotSeenError, Session

WELCOME = ("Welcome", "[Enter] Install")
DISK = "Disk to install to"
LIST = "Bus      Model"
UNREAD = "still being looked at"
BACK = "[B] Back"
TOOLS = "Reinstall, keep data"
VALIDATE = "Validate"
SETTINGS = "Settings"
CONFIRM = "Confirm: install"
CONFIRM_REPAIR = "Confirm: repair boot"
CONFIRM_CHANGE = "Confirm: change settings"
STARTS = "Enter starts."
INSTALLING = "Installing"
DONE = ("Done", "[R] Reboot")
WRONG = "Something went wrong"
REFUSED = "The answer file is not followed"
UNATTENDED = "Unattended installation"
KEY = "Passphrase or recovery key:"
BIND = "Bind the data to this computer again?"
OPEN = "The data are open."
COUNTDOWN = 5  # seconds: the least that an answer file may ask for


async def greet(vm: Session, *, on_screen: bool = False) -> None:
    """Wait for Welcome."""
    await vm.see(*WELCOME)
    if on_screen:
        await vm.shows("welcome", "Welcome", "This computer has all of that")


async def tool(vm: Session, key: str) -> None:
    """Choose a tool, from Welcome."""
    await greet(vm)
    await vm.press("t")
    await vm.see(TOOLS)
    await vm.press(key)


async def export(vm: Session) -> None:
    """Have the logs written to a stick, from Welcome; the serial line shows them until a key is pressed."""
    await tool(vm, "e")
    await vm.hear("end of the log of truthdb-installer")
    await vm.press("x")
    await vm.see("The logs are on")


async def choose(vm: Session, disk: str, *, on_screen: bool = False) -> None:
    """Go to the list of disks, and put the pointer on `disk`, a kernel name."""
    await vm.press("enter", on_screen=on_screen)
    await vm.see(DISK)
    await point_at(vm, disk, on_screen=on_screen)


async def point_at(vm: Session, disk: str, *, on_screen: bool = False) -> None:
    """Put the pointer of the list of disks on `disk`, a kernel name, once it was found and looked at."""

    def distance() -> int | None:
        names, pointed = listed(vm.terminal.text())
        return names.index(disk) - names.index(pointed) if disk in names else None

    await vm.until(f"{disk} in the list of disks", lambda: distance() is not None)
    while far := distance():
        await vm.press("down" if far > 0 else "up", on_screen=on_screen)
        unmoved = (None, far)
        await vm.until(f"the pointer closer to {disk}", lambda: distance() not in unmoved)  # noqa: B023
    await vm.until(f"what is on {disk}", lambda: UNREAD not in vm.terminal.text())


def listed(screen: str) -> tuple[list[str], str]:
    """Return the disks of the list by kernel name, and the one that is pointed at.

    There are none as long as the screen is not drawn to its end, which is the line of keys.
    """
    rows = [line.split() for line in screen.partition(LIST)[2].splitlines()[1:]]
    rows = list(takewhile(bool, rows)) if BACK in screen else []
    pointed = next((row[1] for row in rows if row[0] == ">"), "")
    return [row[1] if row[0] == ">" else row[0] for row in rows if pointed], pointed


async def confirm(vm: Session, serial: str, *, on_screen: bool = False, title: str = CONFIRM) -> None:
    """Type the end of the serial number where it is asked for, and start."""
    await vm.see(title)
    await vm.type(serial[-4:], on_screen=on_screen)
    await vm.see(STARTS)
    if on_screen:
        await vm.shows("confirm", title, f"Serial number {serial[:4]}", STARTS)
    await vm.press("enter", on_screen=on_screen)


async def begin(vm: Session, disk: str, serial: str, *, on_screen: bool = False) -> None:
    """Go from Welcome to the moment at which the installation to `disk` starts."""
    await greet(vm, on_screen=on_screen)
    await choose(vm, disk, on_screen=on_screen)
    if on_screen:
        await vm.shows("disk", DISK, f"Serial number {serial[:4]}")
    await vm.press("enter", on_screen=on_screen)
    await vm.see(SETTINGS)
    if on_screen:
        await vm.shows("settings", SETTINGS, "Host name")
    await vm.press("enter", on_screen=on_screen)
    await confirm(vm, serial, on_screen=on_screen)


async def install(vm: Session, disk: str, serial: str, *, on_screen: bool = False) -> None:
    """Install to `disk`, from Welcome to Done."""
    await begin(vm, disk, serial, on_screen=on_screen)
    await done(vm)
    if on_screen:
        await vm.shows("done", DONE[0], "is installed on", "were read back")


async def done(vm: Session, since: int | None = None) -> None:
    """Wait for Done, whatever came after it; what went wrong instead is the failure.

    `since` is how much of the terminal's history does not count: all before what stands there now.
    """
    endings = DONE[1], WRONG, REFUSED
    ending = await vm.passes(
        "Done or what went wrong", lambda shown: any(text in shown for text in endings), since
    )
    if DONE[1] not in ending:
        raise NotSeenError("the installation failed")


async def fails(vm: Session, *words: str) -> None:
    """Wait for the screen that says what went wrong, with these words on it, on the serial line and here."""
    await vm.see(WRONG, *words)
    await vm.shows("error", WRONG, *words)


async def refuses(vm: Session, *words: str) -> None:
    """Wait for the screen that says why an answer file is not followed, with these words on it."""
    await passes(vm, REFUSED, *words)


async def passes(vm: Session, *words: str) -> None:
    """Wait until these words have stood on the screen at once, which goes away by itself."""
    await vm.passes(" and ".join(map(repr, words)), lambda shown: all(word in shown for word in words), 0)


async def retry(vm: Session, presses: int = 1, serial: str = "") -> None:
    """Press Retry, and wait for Done. Linux takes a moment to see a disk: it may take several `presses`.

    Of a disk that may be another one Confirm asks for its `serial` again.
    """
    for left in reversed(range(presses)):
        before = len(vm.terminal.history)
        await vm.press("r")
        try:
            await vm.hear(CONFIRM if serial else INSTALLING, timeout=PATIENCE / presses, since=before)
            if serial:
                await confirm(vm, serial)
            await done(vm)
        except NotSeenError:
            if not left:
                raise
        else:
            return


async def appliance(vm: Session, boots: int) -> Any:
    """Wait until the appliance is up and healthy; its log must hold `boots` boots. Return its status."""
    status, said = await vm.get("/healthz")
    vm.times["/healthz"] = vm.now
    if status != 200:
        raise NotSeenError(f"/healthz answers {status}: {said}")
    status, said = await vm.get("/status")
    found = said["log"]["boots"] if status == 200 else said
    if found != boots:
        raise NotSeenError(f"/status says {found} boots, not {boots}")
    return said


def answers(
    rule: str,
    *,
    erase: str = "",
    allowed: Sequence[str] = (),
    lines: Sequence[str] = (),
    ending: str = "poweroff",
    task: str = "install",
) -> str:
    """Return an answer file: `rule` is the line that names the disk, `erase` a serial number or nothing.

    `allowed` are the keys that allow to erase more than a blank disk.
    """
    erasing = [] if task != "install" else [f'erase = "{erase}"' if erase else "erase_any_matching = true"]
    head = ["version = 1", f'task = "{task}"', f'on_success = "{ending}"', 'on_error = "poweroff"']
    head += [f"countdown_seconds = {COUNTDOWN}", *lines]
    erasing += [f"{key} = true" for key in allowed]
    return "\n".join([*head, "[disk]", rule, *erasing, ""])
