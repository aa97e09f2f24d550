"""Taking a nested member out: finding it by its path, and writing it where it is wanted.

Only what lies on the way is taken apart.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pipeline.checks.catalog import CATALOG
from pipeline.checks.kind import Member
from pipeline.checks.quoting import shown
from pipeline.errors import FormatError, PipelineError
from pipeline.formats.budget import ENDLESS, for_file
from pipeline.formats.fields import charged, chunks
from pipeline.formats.magic import describe
from pipeline.inspection.member_path import SEPARATOR, closeness
from pipeline.inspection.open import guarded, located, open_file

MAX_NAMED = 12


def split(path: str) -> tuple[str, list[str]]:
    """Return the file that a path begins with, and the names after it. A file's name may have a `!`, too."""
    parts = path.split(SEPARATOR)
    for count in range(1, len(parts) + 1):
        name = SEPARATOR.join(parts[:count])
        if name and located(name).is_file():
            return name, parts[count:]
    return parts[0], parts[1:]


def find(path: str) -> Member:
    """Return the member that a path leads to. Raises PipelineError, naming how far it leads, for none."""
    file, names = split(path)
    if not names:
        raise PipelineError(f"{path}: names no member", f"write `{path}!NAME`")
    where = file
    try:
        image = open_file(file)
        member = Member(file, charged(image, for_file(len(image))), 0)
        while names:
            member, used = guarded(partial(_inside, member, names))
            where = SEPARATOR.join([where, *names[:used]])
            names = names[used:]
        _check_is_file(member)
    except PipelineError as error:
        raise PipelineError(f"{where}: {error.message}", error.hint) from error
    return member


def _check_is_file(member: Member) -> None:
    mode = str(member.facts.get("mode", ""))
    if mode.startswith("d"):
        raise PipelineError("is a directory", "name a file in it")
    if mode.startswith("l"):
        raise PipelineError(f"is a symbolic link to {member.facts['target']}", "name what it leads to")


def _inside(member: Member, names: Sequence[str]) -> tuple[Member, int]:
    """Return the member of `member` that the first names mean, and how many of them it took."""
    name = member.kind or CATALOG.recognise(member.image)
    kind = CATALOG.kinds.get(name)
    if kind is None:
        raise PipelineError(
            f"cannot extract anything from {describe(member.image)}",
            f"leave out {SEPARATOR}{SEPARATOR.join(names)}",
        )
    best: tuple[int, int, Member] | None = None
    known: list[str] = []
    try:
        for each in kind.members((member.read or kind.read)(member.image)):
            known.append(each.name)
            for used in range(1, len(names) + 1):
                close = closeness(each.name, SEPARATOR.join(names[:used]))
                # of several members of one name Linux takes the last, everybody else the first
                if close and (best is None or close > best[0] or (close == best[0] and name == "initramfs")):
                    best = close, used, each
    except FormatError:
        if best is None:
            raise
    if best is None:
        more = " and others" if len(known) > MAX_NAMED else ""
        raise PipelineError(
            f"has no member {names[0]!r}", f"it has {', '.join(known[:MAX_NAMED]) or 'none'}{more}"
        )
    return best[2], best[1]


def write(member: Member, destination: str) -> None:
    """Write a member to a new file, into a directory, or for `-` to standard output.

    Zeros become holes. Raises PipelineError when the file is there already, or cannot be written: then it
    is not there, or as it was.
    """
    image = charged(member.image, ENDLESS)  # who asks for all of it gets it
    if destination == "-":
        for chunk in chunks(image):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return
    path = located(destination)
    if path.is_dir():
        last = shown(member.name).rstrip("/").rpartition("/")[2]
        if last in ("", ".", ".."):
            raise PipelineError(f"{destination}: is a directory", "name a file in it")
        path /= last
    if len(image) > (room := shutil.disk_usage(path.parent).total if path.parent.is_dir() else len(image)):
        raise PipelineError(
            f"{path}: cannot be written: it has {len(image)} bytes, and the whole disk there {room}",
            "name a file on a larger disk",
        )
    try:
        file = path.open("xb")
    except FileExistsError as error:
        raise PipelineError(f"{path}: already exists", "choose another name") from error
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with file:
            for chunk in chunks(image):
                if chunk.strip(b"\0"):
                    file.write(chunk)
                else:
                    file.seek(len(chunk), os.SEEK_CUR)  # a hole: disks are mostly empty
            file.truncate()
    except BaseException as error:
        path.unlink()
        if isinstance(error, OSError):
            raise _unwritable(path, error) from error
        raise


def _unwritable(path: Path, error: OSError) -> PipelineError:
    return PipelineError(
        f"{path}: cannot be written: {error.strerror}",
        "name a file in a folder of yours, where there is room",
    )
