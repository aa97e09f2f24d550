"""What must hold of an initramfs' members, whatever they are for: names, owners, times, modes, links."""

import stat
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from pipeline.checks.finding import Fault, Rules
from pipeline.checks.initramfs.read import Initramfs
from pipeline.formats.cpio_reader import Entry

DEVICES = ("dev/console", "dev/null")
REPRODUCIBLE = "reproducible-builds.org, Archives"


rule = Rules[Initramfs]()


@rule(
    "CPIO001",
    "names are relative and normalised",
    policy="appliance",
    spec="Linux, Documentation/driver-api/early-userspace/buffer-format.rst, c_filename",
    fix="name members like `etc/inittab`",
)
def names_are_relative(initramfs: Initramfs) -> Iterator[Fault]:
    """Linux unpacks `./a` and `/a` too, but then nobody finds a member by its name."""
    for entry in initramfs.entries:
        if not _is_normalised(entry.name):
            yield f"the initramfs has a member called {entry.name!r}, which is not a normalised relative path"


def _is_normalised(name: str) -> bool:
    return not any(part in ("", ".", "..") for part in name.split("/"))


@rule(
    "CPIO002",
    "no name is there twice",
    policy="appliance",
    spec="Linux, init/initramfs.c (clean_path)",
    fix="keep one of them",
)
def names_are_there_once(initramfs: Initramfs) -> Iterator[Fault]:
    """Linux takes the last one."""
    for name, count in Counter(entry.name for entry in initramfs.entries).items():
        if count > 1:
            yield f"the initramfs has {name!r} {count} times"


@rule(
    "CPIO003",
    "members are sorted",
    policy="reproducible",
    spec=f"{REPRODUCIBLE}, File ordering",
    fix="write members sorted by name",
)
def members_are_sorted(initramfs: Initramfs) -> Iterator[Fault]:
    """File order leaks from the file system that it was made on."""
    for before, after in pairwise(initramfs.entries):
        if _sort_key(after) < _sort_key(before):
            yield f"the initramfs is not sorted: {after.name!r} comes after {before.name!r}"
            return


def _sort_key(entry: Entry) -> list[bytes]:
    return entry.name.encode(errors="surrogateescape").split(b"/")


@rule(
    "CPIO004",
    "every member's directory is there",
    lenient=True,
    spec="Linux, init/initramfs.c (do_name): a file whose directory is missing is not made",
    fix="write each directory before what is in it: `find . | sort | cpio -o -H newc`",
)
def parents_are_there(initramfs: Initramfs) -> Iterator[Fault]:
    """Linux drops a member whose directory is not there yet, silently."""
    for entry, taken in initramfs.lost:
        parent = entry.name.rpartition("/")[0]
        if taken or not _is_normalised(entry.name):
            continue
        found = initramfs.tree.members.get(parent)
        if found and stat.S_ISDIR(found.mode):
            yield f"{entry.name!r} comes before {parent!r}, in which it lies: Linux leaves it out"
        else:
            yield (
                f"{entry.name!r} lies in {parent!r}, which is not a directory in the initramfs",
                f"add {parent!r}",
            )


@rule(
    "CPIO005",
    "root owns everything",
    policy="reproducible",
    spec=f"{REPRODUCIBLE}, Users, groups and numeric ids",
    fix="write members as root:root",
)
def root_owns_all(initramfs: Initramfs) -> Iterator[Fault]:
    """Ownership leaks from the user who made it."""
    for entry in initramfs.entries:
        if (entry.uid, entry.gid) != (0, 0):
            yield f"{entry.name!r} belongs to {entry.uid}:{entry.gid}, not to 0:0"


@rule(
    "CPIO006",
    "there is one mtime",
    policy="reproducible",
    spec="reproducible-builds.org, SOURCE_DATE_EPOCH",
    fix="write all members with SOURCE_DATE_EPOCH",
)
def times_are_one(initramfs: Initramfs) -> Iterator[Fault]:
    """The clock leaks in."""
    times = sorted({entry.mtime for entry in initramfs.entries})
    if len(times) > 1:
        yield f"the initramfs has {len(times)} different mtimes, from {times[0]} to {times[-1]}"


@rule(
    "CPIO007",
    "nothing is writable for all",
    policy="appliance",
    spec="inode(7), S_IWOTH",
    fix="run `chmod o-w` on it; a shared directory such as /tmp gets the sticky bit",
)
def nobody_else_writes(initramfs: Initramfs) -> Iterator[Fault]:
    """Only a sticky directory, such as /tmp, may be writable for all, and what is no file at all."""
    for entry in initramfs.entries:
        sticky = stat.S_ISDIR(entry.mode) and entry.mode & stat.S_ISVTX
        holds_data = stat.S_ISREG(entry.mode) or stat.S_ISDIR(entry.mode)
        if entry.mode & stat.S_IWOTH and holds_data and not sticky:
            yield f"everybody may write to {entry.name!r}, of mode {stat.filemode(entry.mode)}"


@rule(
    "CPIO015",
    f"there are no device nodes except {', '.join(DEVICES)}",
    policy="appliance",
    spec="Linux, drivers/base/Kconfig (DEVTMPFS)",
    fix="leave it out: devtmpfs makes it",
)
def devices_are_known(initramfs: Initramfs) -> Iterator[Fault]:
    """devtmpfs makes all device nodes; a node in the archive opens a device to whoever may write to it."""
    for entry in initramfs.entries:
        if (stat.S_ISCHR(entry.mode) or stat.S_ISBLK(entry.mode)) and entry.name not in DEVICES:
            yield (
                f"the initramfs has the device node {entry.name!r} "
                f"({stat.filemode(entry.mode)[0]} {entry.device[0]}:{entry.device[1]})"
            )
