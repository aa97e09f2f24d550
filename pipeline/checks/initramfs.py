"""Owns what must hold of an initramfs: what Linux and BusyBox init need is in it, and nothing leaked in.

Must not know how it was made. `/etc/inittab` has rules of its own in `inittab`.
"""

import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from pipeline.checks import inittab
from pipeline.checks.finding import Fault, Rule
from pipeline.checks.inittab import INSTALLER
from pipeline.checks.kind import Kind, Member
from pipeline.errors import FormatError
from pipeline.formats import cpio_reader, elf, zstd
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image
from pipeline.formats.magic import describe
from pipeline.formats.tree import Tree

INIT = "/sbin/init"
INITTAB = "/etc/inittab"

MAX_UNPACKED = 1 << 30  # bytes; an initramfs lives in memory


@dataclass(frozen=True, slots=True)
class Initramfs:
    """The members in the order of the archive, and by name."""

    entries: tuple[Entry, ...]
    tree: Tree


def read_initramfs(image: Image) -> Initramfs:
    """Unpack and read. Raises FormatError when it is not one zstd-compressed newc archive."""
    if bytes(image[: len(zstd.MAGIC)]) != zstd.MAGIC:
        raise FormatError(
            f"the initramfs is {describe(image)}, not a zstd file", "compress the cpio archive with zstd"
        )
    entries = tuple(cpio_reader.read(zstd.unpack_zstd(image, MAX_UNPACKED)))
    return Initramfs(entries, Tree({entry.name: entry for entry in entries}))


def names_are_relative(initramfs: Initramfs) -> Iterator[Fault]:
    """Linux unpacks `./a` and `/a` too, but then nobody finds a member by its name."""
    for entry in initramfs.entries:
        if not _is_normalised(entry.name):
            yield (
                f"the initramfs has a member called {entry.name!r}, which is no normalised relative path",
                "name members like `etc/inittab`",
            )


def _is_normalised(name: str) -> bool:
    return not any(part in ("", ".", "..") for part in name.split("/"))


def names_are_there_once(initramfs: Initramfs) -> Iterator[Fault]:
    """Linux takes the last one."""
    for name, count in Counter(entry.name for entry in initramfs.entries).items():
        if count > 1:
            yield f"the initramfs has {name!r} {count} times", "leave it in once"


def members_are_sorted(initramfs: Initramfs) -> Iterator[Fault]:
    """File order leaks from the file system that it was made on."""
    for before, after in pairwise(initramfs.entries):
        if _sort_key(after) < _sort_key(before):
            yield (
                f"the initramfs is not sorted: {after.name!r} comes after {before.name!r}",
                "write members sorted by name",
            )
            return


def _sort_key(entry: Entry) -> list[bytes]:
    return entry.name.encode(errors="surrogateescape").split(b"/")


def parents_are_there(initramfs: Initramfs) -> Iterator[Fault]:
    """Linux drops a member whose directory is not there, silently."""
    for entry in initramfs.entries:
        parent = entry.name.rpartition("/")[0]
        found = initramfs.tree.members.get(parent)
        if _is_normalised(entry.name) and parent and not (found and stat.S_ISDIR(found.mode)):
            yield (
                f"{entry.name!r} lies in {parent!r}, which is no directory of the initramfs",
                f"add {parent!r}",
            )


def root_owns_all(initramfs: Initramfs) -> Iterator[Fault]:
    """Ownership leaks from the user who made it."""
    for entry in initramfs.entries:
        if (entry.uid, entry.gid) != (0, 0):
            yield (
                f"{entry.name!r} belongs to {entry.uid}:{entry.gid}, not to 0:0",
                "write members as root:root",
            )


def times_are_one(initramfs: Initramfs) -> Iterator[Fault]:
    """The clock leaks in."""
    times = sorted({entry.mtime for entry in initramfs.entries})
    if len(times) > 1:
        yield (
            f"the initramfs has {len(times)} different mtimes, from {times[0]} to {times[-1]}",
            "write all members with SOURCE_DATE_EPOCH",
        )


def nobody_else_writes(initramfs: Initramfs) -> Iterator[Fault]:
    """Only a sticky directory, such as /tmp, may be writable for all, and what is no file at all."""
    for entry in initramfs.entries:
        sticky = stat.S_ISDIR(entry.mode) and entry.mode & stat.S_ISVTX
        holds_data = stat.S_ISREG(entry.mode) or stat.S_ISDIR(entry.mode)
        if entry.mode & stat.S_IWOTH and holds_data and not sticky:
            yield (
                f"everybody may write to {entry.name!r}, of mode {stat.filemode(entry.mode)}",
                "take the right away",
            )


def init_can_run(initramfs: Initramfs) -> Iterable[Fault]:
    """A dangling link is as bad as none."""
    initramfs.tree.resolve_program(INIT)
    return ()


def installer_can_run(initramfs: Initramfs) -> Iterable[Fault]:
    """It is what all this is for."""
    initramfs.tree.resolve_program(INSTALLER)
    return ()


def inittab_is_there(initramfs: Initramfs) -> Iterable[Fault]:
    """Without it BusyBox init asks for shells on consoles."""
    initramfs.tree.resolve(INITTAB)
    return ()


def device_is_there(path: str, device: tuple[int, int], initramfs: Initramfs) -> Iterator[Fault]:
    """Before devtmpfs is mounted, all output of init goes to these."""
    member = initramfs.tree.resolve(path)
    if not stat.S_ISCHR(member.mode) or member.device != device:
        yield (
            f"{path} is {stat.filemode(member.mode)} {member.device[0]}:{member.device[1]}, "
            f"not the character device {device[0]}:{device[1]}",
            f"add {path} as a device node",
        )


def members(initramfs: Initramfs) -> Iterator[Member]:
    """Yield its files: programs are looked into, and the inittab, whose commands lie in the archive."""
    programs = {entry.name for path in (INIT, INSTALLER) if (entry := _program(initramfs, path))}
    read_inittab = partial(inittab.read, tree=initramfs.tree)
    for entry in initramfs.entries:
        if entry.name == INITTAB.lstrip("/"):
            yield Member(entry.name, entry.data, None, "inittab", read_inittab, facts(entry))
        else:
            is_program = entry.name in programs or bytes(entry.data[:4]) == elf.MAGIC
            yield Member(entry.name, entry.data, None, "elf" if is_program else "", facts=facts(entry))


def _program(initramfs: Initramfs, path: str) -> Entry | None:
    try:
        return initramfs.tree.resolve_program(path)
    except FormatError:
        return None


def facts(entry: Entry) -> Mapping[str, str | int]:
    """Return what the archive says of a member."""
    return {"mode": stat.filemode(entry.mode), "owner": f"{entry.uid}:{entry.gid}", "mtime": entry.mtime}


KIND = Kind(
    "initramfs",
    "initramfs",
    "CPIO000",
    read_initramfs,
    (
        Rule("CPIO001", "names are relative and normalised", names_are_relative, house=True),
        Rule("CPIO002", "no name is there twice", names_are_there_once, house=True),
        Rule("CPIO003", "members are sorted", members_are_sorted, house=True),
        Rule("CPIO004", "every member's directory is there", parents_are_there),
        Rule("CPIO005", "root owns everything", root_owns_all, house=True),
        Rule("CPIO006", "there is one mtime", times_are_one, house=True),
        Rule("CPIO007", "nothing is writable for all", nobody_else_writes, house=True),
        Rule("CPIO008", f"{INIT} leads to a program", init_can_run, house=True),
        Rule("CPIO009", f"{INSTALLER} leads to a program", installer_can_run, house=True),
        Rule(
            "CPIO010", "/dev/console is there", partial(device_is_there, "/dev/console", (5, 1)), house=True
        ),
        Rule("CPIO011", "/dev/null is there", partial(device_is_there, "/dev/null", (1, 3)), house=True),
        Rule("CPIO012", f"{INITTAB} is there", inittab_is_there, house=True),
    ),
    members,
)
