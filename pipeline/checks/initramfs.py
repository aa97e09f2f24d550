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
from pipeline.checks.closure import closure_is_complete
from pipeline.checks.finding import Fault, Rule
from pipeline.checks.inittab import INSTALLER
from pipeline.checks.kind import Kind, Member
from pipeline.errors import FormatError
from pipeline.formats import cpio_reader, elf
from pipeline.formats import initramfs as archives
from pipeline.formats.compression import compression_of
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image
from pipeline.formats.initramfs import Segment
from pipeline.formats.magic import describe
from pipeline.formats.tree import MAX_TARGET, Tree

INIT = "/sbin/init"
INITTAB = "/etc/inittab"

DEVICES = ("dev/console", "dev/null")
MOUNTED = ("/proc/", "/sys/", "/dev/", "/run/")  # what lies below is there once something is mounted


@dataclass(frozen=True, slots=True)
class Initramfs:
    """The archives that it is made of, their members in order, and the tree that Linux makes of them."""

    segments: tuple[Segment, ...]
    entries: tuple[Entry, ...]
    tree: Tree


def is_archive(image: Image) -> bool:
    """Tell whether Linux would try to unpack these bytes: an archive, or something packed."""
    start = image[cpio_reader.skip_zeros(image, 0) :]
    return bool(compression_of(start)) or bytes(start[:4]) == b"0707"


def read_initramfs(image: Image) -> Initramfs:
    """Unpack and read, as Linux does. Raises FormatError when it is no archive, packed or not."""
    if not is_archive(image):
        raise FormatError(
            f"the initramfs is {describe(image)}, no archive that Linux unpacks",
            "make a newc archive, and pack it with zstd",
        )
    segments = archives.read_initramfs(image)
    entries = tuple(entry for segment in segments for entry in segment.entries)
    # where a name is there twice, Linux takes the last one
    return Initramfs(segments, entries, Tree({_plain(entry.name): entry for entry in entries}))


def _plain(name: str) -> str:
    """Return a name as paths are looked up: Linux unpacks `./a` and `/a` to `a`."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def is_one_zstd_archive(initramfs: Initramfs) -> Iterator[Fault]:
    """One archive, packed in one way: what else there is came in unnoticed."""
    found = [segment.compression or "nothing" for segment in initramfs.segments]
    if found != ["zstd"]:
        yield (
            f"the initramfs is not one archive packed with zstd: it has {len(found)}, "
            f"packed with {', '.join(dict.fromkeys(found))}",
            "compress one cpio archive with zstd",
        )


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
        found = initramfs.tree.members.get(_plain(parent))
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


def links_lead_somewhere(initramfs: Initramfs) -> Iterator[Fault]:
    """What follows a dangling link fails, long after the boot."""
    for entry in initramfs.entries:
        if not stat.S_ISLNK(entry.mode) or f"/{entry.name}" in (INIT, INSTALLER):  # they have their own
            continue
        target = bytes(entry.data[:MAX_TARGET]).decode(errors="replace")
        if target.startswith(MOUNTED):
            continue
        try:
            initramfs.tree.resolve(f"/{entry.name}")
        except FormatError as error:
            if "root directory" not in error.message:
                yield f"the link {entry.name!r} leads nowhere: {error.message}", error.hint


def devices_are_known(initramfs: Initramfs) -> Iterator[Fault]:
    """devtmpfs makes all device nodes; a node in the archive opens a device to whoever may write to it."""
    for entry in initramfs.entries:
        if (stat.S_ISCHR(entry.mode) or stat.S_ISBLK(entry.mode)) and entry.name not in DEVICES:
            yield (
                f"the initramfs has the device node {entry.name!r} "
                f"({stat.filemode(entry.mode)[0]} {entry.device[0]}:{entry.device[1]})",
                "leave it out: devtmpfs makes it",
            )


def checksums_are_right(initramfs: Initramfs) -> Iterator[Fault]:
    """Linux stops at a member whose checksum is wrong, and boots with what it has until then."""
    for entry in initramfs.entries:
        if not entry.is_sound:
            yield f"the checksum of {entry.name!r} is wrong", "make the archive again"


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
    found: dict[str, str | int] = {
        "mode": stat.filemode(entry.mode),
        "owner": f"{entry.uid}:{entry.gid}",
        "mtime": entry.mtime,
    }
    if stat.S_ISLNK(entry.mode):
        found["target"] = bytes(entry.data[:MAX_TARGET]).decode(errors="replace")
    if stat.S_ISCHR(entry.mode) or stat.S_ISBLK(entry.mode):
        found["device"] = f"{entry.device[0]}:{entry.device[1]}"
    return found


CPIO = "Linux, Documentation/driver-api/early-userspace/buffer-format.rst"
UNPACK = "Linux, init/initramfs.c"
BUSYBOX = "BusyBox 1.37, init/init.c"
REPRODUCIBLE = "reproducible-builds.org, Archives"

KIND = Kind(
    "initramfs",
    "initramfs",
    "CPIO000",
    read_initramfs,
    (
        Rule(
            "CPIO001",
            "names are relative and normalised",
            names_are_relative,
            house=True,
            spec=f"{CPIO}, c_filename",
            fix="Name members like `etc/inittab`.",
        ),
        Rule(
            "CPIO002",
            "no name is there twice",
            names_are_there_once,
            house=True,
            spec=f"{UNPACK} (clean_path)",
            fix="Leave it in once.",
        ),
        Rule(
            "CPIO003",
            "members are sorted",
            members_are_sorted,
            house=True,
            spec=f"{REPRODUCIBLE}, File ordering",
            fix="Write members sorted by name.",
        ),
        Rule(
            "CPIO004",
            "every member's directory is there",
            parents_are_there,
            lenient=True,
            spec=f"{UNPACK} (do_name): a file whose directory is missing is not made",
            fix="Write each directory before what is in it.",
        ),
        Rule(
            "CPIO005",
            "root owns everything",
            root_owns_all,
            house=True,
            spec=f"{REPRODUCIBLE}, Users, groups and numeric ids",
            fix="Write members as root:root.",
        ),
        Rule(
            "CPIO006",
            "there is one mtime",
            times_are_one,
            house=True,
            spec="reproducible-builds.org, SOURCE_DATE_EPOCH",
            fix="Write all members with SOURCE_DATE_EPOCH.",
        ),
        Rule(
            "CPIO007",
            "nothing is writable for all",
            nobody_else_writes,
            house=True,
            spec="inode(7), S_IWOTH",
            fix="Take the right away; /tmp gets the sticky bit.",
        ),
        Rule(
            "CPIO008",
            f"{INIT} leads to a program",
            init_can_run,
            house=True,
            spec="Linux, init/main.c (ramdisk_execute_command)",
            fix=f"Add {INIT}, a link to BusyBox.",
        ),
        Rule(
            "CPIO009",
            f"{INSTALLER} leads to a program",
            installer_can_run,
            house=True,
            spec="what /etc/inittab starts",
            fix=f"Add {INSTALLER}.",
        ),
        Rule(
            "CPIO010",
            "/dev/console is there",
            partial(device_is_there, "/dev/console", (5, 1)),
            house=True,
            spec="Linux, init/main.c (console_on_rootfs)",
            fix="Add the character device 5:1.",
        ),
        Rule(
            "CPIO011",
            "/dev/null is there",
            partial(device_is_there, "/dev/null", (1, 3)),
            house=True,
            spec=f"{BUSYBOX} (bb_sanitize_stdio)",
            fix="Add the character device 1:3.",
        ),
        Rule(
            "CPIO012",
            f"{INITTAB} is there",
            inittab_is_there,
            house=True,
            spec=f"{BUSYBOX} (parse_inittab)",
            fix=f"Add {INITTAB} to the recipe's rootfs/.",
        ),
        Rule(
            "CPIO013",
            "it is one archive, packed with zstd",
            is_one_zstd_archive,
            house=True,
            spec=f"{UNPACK} (unpack_to_rootfs)",
            fix="Compress one cpio archive with zstd.",
        ),
        Rule(
            "CPIO014",
            "links lead somewhere",
            links_lead_somewhere,
            house=True,
            spec="symlink(7)",
            fix="Add what the link leads to, or leave the link out.",
        ),
        Rule(
            "CPIO015",
            f"there are no device nodes but {', '.join(DEVICES)}",
            devices_are_known,
            house=True,
            spec="Linux, drivers/base/Kconfig (DEVTMPFS)",
            fix="Leave the node out.",
        ),
        Rule(
            "CPIO016",
            "checksums are right",
            checksums_are_right,
            spec=f"{CPIO}, c_chksum; {UNPACK} (do_copy)",
            fix="Make the archive again; with magic 070701 it needs no checksums.",
        ),
    ),
    members,
    (
        Rule(
            "CPIO017",
            "its programs have their loaders and libraries",
            closure_is_complete,
            lenient=True,
            spec="ld.so(8); System V ABI, gABI, Dynamic Linking (DT_NEEDED, DT_RUNPATH)",
            fix="Add the library, or link the program statically.",
        ),
    ),
)
