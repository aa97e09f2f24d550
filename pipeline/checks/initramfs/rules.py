"""Owns what must hold of an initramfs: what Linux and BusyBox init need is in it, and nothing leaked in.

Must not know how it was made. `/etc/inittab` has rules of its own in `inittab`.
"""

import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from pipeline.checks.elf import read_companion
from pipeline.checks.finding import Fault, Rule, Severity
from pipeline.checks.initramfs import members as of
from pipeline.checks.initramfs.closure import closure_is_complete
from pipeline.checks.initramfs.microcode import microcode_is_found
from pipeline.checks.initramfs.read import (
    Initramfs,
    checksums_are_right,
    is_one_zstd_archive,
    linux_unpacks_all,
    read_initramfs,
)
from pipeline.checks.initramfs.startable import Refused, start
from pipeline.checks.inittab import rules as inittab
from pipeline.checks.inittab.program import APPLIANCE, INSTALLER, own_program
from pipeline.checks.kind import Kind, Member, Node
from pipeline.errors import FormatError
from pipeline.formats import elf
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.tree import MAX_TARGET

DEFAULT_INIT = "/init"
INIT = "/sbin/init"
INITTAB = "/etc/inittab"


def init_can_run(initramfs: Initramfs) -> Iterable[Fault]:
    """A dangling link is as bad as none."""
    initramfs.tree.resolve_program(INIT)
    return ()


def own_program_can_run(initramfs: Initramfs) -> Iterable[Fault]:
    """It is what all this is for."""
    initramfs.tree.resolve_program(own_program(initramfs.tree))
    return ()


def has_something_to_start(node: Node) -> Iterator[Fault]:
    """Linux panics where it can start neither this nor what stands in for it."""
    initramfs: Initramfs = node.artifact
    if initramfs.is_early:
        return
    try:
        start(node, DEFAULT_INIT)
    except Refused as refused:
        if refused.lack == "nothing there" and _can_start(node, INIT):
            return
        yield f"Linux would start {DEFAULT_INIT}, but {refused.message}", refused.hint


def _can_start(node: Node, path: str) -> bool:
    try:
        start(node, path)
    except Refused:
        return False
    return True


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
    programs = {
        id(entry.data) for path in (INIT, INSTALLER, APPLIANCE) if (entry := _program(initramfs, path))
    }
    read_inittab = partial(inittab.read, tree=initramfs.tree)
    for entry in initramfs.entries:
        if entry.name == INITTAB.lstrip("/"):
            yield Member(entry.name, entry.data, None, "inittab", read_inittab, facts(entry))
        else:
            is_own = id(entry.data) in programs
            # what is cut off is told as the archive's damage
            is_program = is_own or (not entry.missing and bytes(entry.data[:4]) == elf.MAGIC)
            read = None if is_own else read_companion
            kind = "elf" if is_program else ""
            yield Member(entry.name, entry.data, None, kind, read if is_program else None, facts(entry))


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
            of.names_are_relative,
            house=True,
            spec=f"{CPIO}, c_filename",
            fix="Name members like `etc/inittab`.",
        ),
        Rule(
            "CPIO002",
            "no name is there twice",
            of.names_are_there_once,
            house=True,
            spec=f"{UNPACK} (clean_path)",
            fix="Leave it in once.",
        ),
        Rule(
            "CPIO003",
            "members are sorted",
            of.members_are_sorted,
            house=True,
            spec=f"{REPRODUCIBLE}, File ordering",
            fix="Write members sorted by name.",
        ),
        Rule(
            "CPIO004",
            "every member's directory is there",
            of.parents_are_there,
            lenient=True,
            spec=f"{UNPACK} (do_name): a file whose directory is missing is not made",
            fix="Write each directory before what is in it.",
        ),
        Rule(
            "CPIO005",
            "root owns everything",
            of.root_owns_all,
            house=True,
            spec=f"{REPRODUCIBLE}, Users, groups and numeric ids",
            fix="Write members as root:root.",
        ),
        Rule(
            "CPIO006",
            "there is one mtime",
            of.times_are_one,
            house=True,
            spec="reproducible-builds.org, SOURCE_DATE_EPOCH",
            fix="Write all members with SOURCE_DATE_EPOCH.",
        ),
        Rule(
            "CPIO007",
            "nothing is writable for all",
            of.nobody_else_writes,
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
            f"{INSTALLER} or {APPLIANCE} leads to a program",
            own_program_can_run,
            house=True,
            spec="what /etc/inittab starts",
            fix=f"Add {INSTALLER} or {APPLIANCE}.",
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
            partial(of.links_lead_somewhere, (INIT, INSTALLER, APPLIANCE)),
            house=True,
            spec="symlink(7)",
            fix="Add what the link leads to, or leave the link out.",
        ),
        Rule(
            "CPIO015",
            f"there are no device nodes but {', '.join(of.DEVICES)}",
            of.devices_are_known,
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
        Rule(
            "CPIO020",
            "Linux finds the microcode that is in it",
            microcode_is_found,
            Severity.WARNING,
            spec="Linux, lib/earlycpio.c and Documentation/arch/x86/microcode.rst",
            fix="Put it in front, not packed, as kernel/x86/microcode/GenuineIntel.bin or AuthenticAMD.bin.",
        ),
        Rule(
            "CPIO019",
            "Linux unpacks all of it",
            linux_unpacks_all,
            lenient=True,
            spec=f"{UNPACK} (unpack_to_rootfs, do_reset) and lib/decompress_*.c",
            fix="Fill each part up to a multiple of 4 before the next is joined to it, or make it again.",
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
    (
        Rule(
            "CPIO018",
            "Linux can start its /init",
            has_something_to_start,
            spec="Linux, init/main.c (kernel_init), fs/binfmt_script.c and fs/binfmt_elf.c",
            fix="Put a program, or a script whose interpreter is there, at /init.",
        ),
    ),
)
