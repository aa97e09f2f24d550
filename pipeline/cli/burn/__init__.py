"""`./doit burn`: an ISO, or a system's disk, is written to a stick with the care that the installer takes."""

import os
import platform
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.build.session import Session
    from pipeline.cli.burn.linux import Linux
    from pipeline.cli.burn.macos import MacOS
    from pipeline.cli.burn.stick import Stick

USAGE = "`sudo ./doit burn DEVICE`, or `sudo ./doit burn DEVICE FILE.iso`"
ISO_AT, ISO_MAGIC = 32769, b"CD001"  # ECMA-119, 8.1.2: the first volume descriptor's identifier
GPT_AT, GPT_MAGIC = 512, b"EFI PART"  # UEFI 2.10, 5.3.2: the header's signature, on a disk of these blocks


def commands(iso: str) -> list[str]:
    """Return the command lines that write an ISO to a stick on this system, ours first."""
    iso = shlex.quote(iso)
    if sys.platform == "darwin":
        return [
            "sudo ./doit burn /dev/diskN",
            f"diskutil unmountDisk /dev/diskN && sudo dd if={iso} of=/dev/rdiskN bs=4m",
        ]
    if "microsoft" in platform.release().lower():  # Linux in Windows, which has the stick
        return [f"Rufus, in its DD image mode, with {iso}"]
    return [
        "sudo ./doit burn /dev/sdX",
        f"sudo dd if={iso} of=/dev/sdX bs=4M oflag=direct conv=fsync status=progress",
    ]


def burn(
    session: "Session", arguments: list[str], system: "Linux | MacOS | None" = None, image: str = ""
) -> bool:
    """Write the ISO, or the file that is named, to a disk, and read it back; list disks where none is named.

    `image` is the recipe whose ISO it is, or whose raw disk where it has no ISO.
    Returns whether that was done: a person may leave it. Raises PipelineError for a disk that must not be
    written to, and for one that does not hold what was written.
    """
    from pipeline.cli.burn.write import read_back, write

    system = system or _system()
    report = session.report
    if not arguments:
        for text in _removable(system):
            report.print(text)
        return True
    if len(arguments) > 2:
        raise PipelineError(f"burn takes a device and at most one image, got {len(arguments)} names", USAGE)
    path = _image(session, arguments[1:], image)
    size = path.stat().st_size
    stick = system.disk(arguments[0])
    stick.judge(size)
    if not sys.stdin.isatty():
        raise PipelineError(
            "standard input is not a terminal", "a person has to type the end of a serial number"
        )
    for text in stick.question(system.disks()):
        report.print(text)
    while not stick.is_proven_by(typed := _typed()):
        if not typed.strip():
            report.print("Nothing was written.")
            return False
        report.print("That is not it.")
    if system.disk(arguments[0]) != stick:
        raise PipelineError(f"{stick.name}: is not as it was when the question was asked", "start again")
    with report.step("write", f"{session.shown(path)} to {stick.name}") as line:
        sent = write(path, stick, line)
    with report.step("read back", stick.name) as line:
        found = read_back(stick, size, line)
    if found != sent:
        raise PipelineError(f"{stick}: does not hold what was written to it", "take another one")
    report.print(f"{stick.name}: holds {session.shown(path)}, SHA-256 {sent}", style="green")
    return True


def _system() -> "Linux | MacOS":
    if sys.platform == "darwin":
        from pipeline.cli.burn.macos import MacOS

        return MacOS()
    from pipeline.cli.burn.linux import Linux

    return Linux()


def _removable(system: "Linux | MacOS") -> "Iterator[str]":
    """Yield the disks that could be named, and how to write to one."""
    removable: list[Stick] = [disk for disk in system.disks() if disk.removable and disk.size]
    yield from map(str, removable) if removable else ["no removable disk is attached"]
    yield f"  to write to one:  {USAGE}"


def _image(session: "Session", named: list[str], recipe: str) -> Path:
    """Return the file that is named as it is called where ./doit was called, or that which was built."""
    made = "`./doit iso` makes the ISO"
    if named and recipe:
        raise PipelineError("--image names a recipe, and there is a file, too", "leave one of them out")
    if named:
        path = Path(os.environ.get("INSTALLER_ISO_CALLED_FROM", ""), named[0])
    else:
        from pipeline.cli.boot_inputs import bootable

        name = bootable(session, recipe)
        is_iso = session.project.recipes[name].iso is not None
        path = session.folder(name) / f"{name}.{'iso' if is_iso else 'raw'}"
        made = made if is_iso else f"`./doit image {name}` makes the disk"
    if not path.is_file():
        raise PipelineError(f"{session.shown(path)}: no such file", made)
    with path.open("rb") as file:
        for at, magic in ((ISO_AT, ISO_MAGIC), (GPT_AT, GPT_MAGIC)):
            file.seek(at)
            if file.read(len(magic)) == magic:
                return path
    raise PipelineError(f"{session.shown(path)}: is neither an ISO image nor a raw disk with a GPT", USAGE)


def _typed() -> str:
    """Return a line of the person's, "" at the end of the terminal."""
    try:
        return input("  ")
    except EOFError:
        return ""
