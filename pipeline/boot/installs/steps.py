"""What a person does, from Welcome to the appliance's answer; what the screens say stands here alone.

Must not know how the machine was made.
"""

from collections.abc import Sequence
from typing import Any

from pipeline.boot.installs.play import NotSeenError, Play

WELCOME = ("Welcome", "[Enter] Install")
DISK = "Disk to install to"
LIST = "Bus      Model"
TOOLS = "Reinstall, keep data"
VALIDATE = "Validate"
SETTINGS = "Settings"
CONFIRM = "Confirm: install"
CONFIRM_REPAIR = "Confirm: repair boot"
STARTS = "Enter starts."
INSTALLING = "Installing"
DONE = ("Done", "[R] Reboot")
WRONG = "Something went wrong"
REFUSED = "The answer file is not followed"
UNATTENDED = "Unattended installation"

BOOTING = 90.0  # seconds from power-on to a program's first screen, on a slow machine
WORKING = 180.0  # seconds that an installation may take there


async def greet(play: Play, *, on_screen: bool = False) -> None:
    """Wait for Welcome."""
    await play.see(*WELCOME, timeout=BOOTING)
    if on_screen:
        await play.shows("welcome", "Welcome", "This computer has all of that")


async def choose(play: Play, disk: str, *, on_screen: bool = False) -> None:
    """Go to the list of disks, and put the pointer on `disk`, a kernel name or serial number."""
    await play.press("enter", on_screen=on_screen)
    await play.see(DISK)
    await point_at(play, disk, on_screen=on_screen)


async def point_at(play: Play, disk: str, *, on_screen: bool = False) -> None:
    """Put the pointer of the list of disks on `disk`, a kernel name or serial number."""
    await play.see(LIST)
    for _ in range(16):
        lines = play.terminal.text().splitlines()
        pointed = next((line for line in lines if line.lstrip().startswith(">")), "")
        if disk in pointed or any(line.split() == ["Serial", "number", disk] for line in lines):
            return
        await play.press("down", on_screen=on_screen)
    raise NotSeenError(f"{disk} is not in the list of disks\n{play.seen()}")


async def confirm(play: Play, serial: str, *, on_screen: bool = False, title: str = CONFIRM) -> None:
    """Type the end of the serial number where it is asked for, and start."""
    await play.see(title)
    await play.type(serial[-4:], on_screen=on_screen)
    await play.see(STARTS)
    if on_screen:
        await play.shows("confirm", title, f"Serial number {serial[:4]}", STARTS)
    await play.press("enter", on_screen=on_screen)


async def install(play: Play, disk: str, serial: str, *, on_screen: bool = False) -> None:
    """Install to `disk`, from Welcome to Done."""
    await greet(play, on_screen=on_screen)
    await choose(play, disk, on_screen=on_screen)
    if on_screen:
        await play.shows("disk", DISK, f"Serial number {serial[:4]}")
    await play.press("enter", on_screen=on_screen)
    await play.see(SETTINGS)
    if on_screen:
        await play.shows("settings", SETTINGS, "Host name")
    await play.press("enter", on_screen=on_screen)
    await confirm(play, serial, on_screen=on_screen)
    await done(play)
    if on_screen:
        await play.shows("done", DONE[0], "is installed on", "Everything was read back")


async def done(play: Play) -> None:
    """Wait for Done; what went wrong instead is the failure."""
    await play.until(
        "Done or what went wrong",
        lambda: any(text in play.terminal.text() for text in (DONE[1], WRONG, REFUSED)),
        WORKING,
    )
    if DONE[1] not in play.terminal.text():
        raise NotSeenError(f"the installation failed\n{play.seen()}")


async def fails(play: Play, *words: str) -> None:
    """Wait for the screen that says what went wrong, with these words on it."""
    await play.see(WRONG, *words, timeout=WORKING)


async def refuses(play: Play, *words: str) -> None:
    """Wait for the screen that says why an answer file is not followed, with these words on it."""
    await play.see(REFUSED, *words, timeout=WORKING)


async def appliance(play: Play, boots: int) -> Any:
    """Wait until the appliance is up and healthy; its log must hold `boots` boots. Return its status."""
    status, said = await play.get("/healthz", timeout=BOOTING)
    play.times["/healthz"] = play.now
    if status != 200:
        raise NotSeenError(f"/healthz answers {status}: {said}\n{play.seen()}")
    status, said = await play.get("/status")
    found = said["log"]["boots"] if status == 200 else said
    if found != boots:
        raise NotSeenError(f"/status says {found} boots, not {boots}")
    return said


def answers(
    rule: str, *, erase: str = "", lines: Sequence[str] = (), ending: str = "poweroff", task: str = "install"
) -> str:
    """Return an answer file: `rule` is the line that names the disk, `erase` a serial number or nothing."""
    erasing = [] if task != "install" else [f'erase = "{erase}"' if erase else "erase_any_matching = true"]
    head = ["version = 1", f'task = "{task}"', f'on_success = "{ending}"', 'on_error = "poweroff"', *lines]
    return "\n".join([*head, "[disk]", rule, *erasing, ""])
