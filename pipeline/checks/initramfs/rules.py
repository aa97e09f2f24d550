"""What must hold of an initramfs: what Linux and BusyBox init need is in it, and nothing leaked in.

`/etc/inittab` has rules of its own in `inittab`.
"""

import stat
from collections.abc import Iterator, Mapping
from functools import partial

from pipeline.checks.attempt import or_none
from pipeline.checks.elf import read_companion
from pipeline.checks.finding import Fault, Rules
from pipeline.checks.initramfs import closure, members, microcode, read
from pipeline.checks.initramfs.read import Initramfs, read_initramfs
from pipeline.checks.initramfs.startable import Refused, start
from pipeline.checks.inittab import BUSYBOX
from pipeline.checks.inittab import read as read_inittab
from pipeline.checks.kind import Kind, Member, Node
from pipeline.errors import FormatError
from pipeline.formats import elf
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.tree import MAX_TARGET

DEFAULT_INIT = "/init"
INIT = "/sbin/init"
INITTAB = "/etc/inittab"
MOUNTED = ("/proc/", "/sys/", "/dev/", "/run/")  # what lies below is there once something is mounted


rule = Rules[Initramfs]()
as_a_whole = Rules[Node]()


@rule(
    "CPIO008",
    f"{INIT} leads to a program",
    policy="appliance",
    spec="Linux, init/main.c (ramdisk_execute_command)",
    fix=f"add {INIT}, a link to BusyBox",
)
def init_can_run(initramfs: Initramfs) -> None:
    """A dangling link is as bad as none."""
    initramfs.tree.resolve_program(INIT)


@rule(
    "CPIO009",
    "the recipe's programs can be run",
    policy="appliance",
    spec="what /etc/inittab starts",
    fix="add the program",
)
def own_programs_can_run(initramfs: Initramfs) -> None:
    """They are what all this is for."""
    for path in initramfs.programs:
        initramfs.tree.resolve_program(path)


@as_a_whole(
    "CPIO018",
    "Linux can start its /init",
    spec="Linux, init/main.c (kernel_init), fs/binfmt_script.c and fs/binfmt_elf.c",
    fix="put a program, or a script whose interpreter is there, at /init",
)
def has_something_to_start(node: Node) -> Iterator[Fault]:
    """Linux panics where it can start neither this nor what stands in for it."""
    initramfs: Initramfs = node.artifact
    if initramfs.is_early:
        return
    try:
        start(node, DEFAULT_INIT)
    except Refused as refused:
        if refused.lack != "nothing there" or or_none(start, node, INIT) is None:
            yield f"Linux would start {DEFAULT_INIT}, but {refused.message}", refused.hint


@rule(
    "CPIO012",
    f"{INITTAB} is there",
    policy="appliance",
    spec=f"{BUSYBOX} (parse_inittab)",
    fix=f"add {INITTAB} to the recipe's rootfs/",
)
def inittab_is_there(initramfs: Initramfs) -> None:
    """Without it BusyBox init asks for shells on consoles."""
    initramfs.tree.resolve(INITTAB)


def device_is_there(path: str, device: tuple[int, int], initramfs: Initramfs) -> Iterator[Fault]:
    """Before devtmpfs is mounted, all output of init goes to these."""
    member = initramfs.tree.resolve(path)
    if not stat.S_ISCHR(member.mode) or member.device != device:
        yield (
            f"{path} is {stat.filemode(member.mode)} {member.device[0]}:{member.device[1]}, "
            f"not the character device {device[0]}:{device[1]}"
        )


for code, path, device, spec in (
    ("CPIO010", "/dev/console", (5, 1), "Linux, init/main.c (console_on_rootfs)"),
    ("CPIO011", "/dev/null", (1, 3), f"{BUSYBOX} (bb_sanitize_stdio)"),
):
    rule(
        code,
        f"{path} is there",
        policy="appliance",
        spec=spec,
        fix=f"add {path} as the character device {device[0]}:{device[1]}",
    )(partial(device_is_there, path, device))


@rule(
    "CPIO014",
    "links lead somewhere",
    policy="appliance",
    spec="symlink(7)",
    fix="add what the link leads to, or leave the link out",
)
def links_lead_somewhere(initramfs: Initramfs) -> Iterator[Fault]:
    """What follows a dangling link fails, long after the boot. Init and programs have rules of their own."""
    for entry in initramfs.entries:
        if not stat.S_ISLNK(entry.mode) or f"/{entry.name}" in (INIT, *initramfs.programs):
            continue
        target = bytes(entry.data[:MAX_TARGET]).decode(errors="replace")
        if target.startswith(MOUNTED):
            continue
        try:
            initramfs.tree.locate(f"/{entry.name}")
        except FormatError as error:
            yield f"the link {entry.name!r} leads nowhere: {error.message}", error.hint


def members_of(initramfs: Initramfs) -> Iterator[Member]:
    """Yield its files: programs are looked into, and the inittab, whose commands lie in the archive."""
    paths = (INIT, *initramfs.programs)
    found = (or_none(initramfs.tree.resolve_program, path) for path in paths)
    programs = {id(entry.data) for entry in found if entry}
    read_as = partial(read_inittab, tree=initramfs.tree, programs=initramfs.programs)
    for entry in initramfs.entries:
        if entry.name == INITTAB.lstrip("/"):
            yield Member(entry.name, entry.data, None, "inittab", read_as, facts(entry))
        else:
            is_own = id(entry.data) in programs
            # what is cut off is told as the archive's damage
            is_program = is_own or (not entry.missing and bytes(entry.data[:4]) == elf.MAGIC)
            read_elf = None if is_own else read_companion
            kind = "elf" if is_program else ""
            yield Member(entry.name, entry.data, None, kind, read_elf if is_program else None, facts(entry))


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


def initramfs_of(programs: tuple[str, ...]) -> Kind[Initramfs]:
    """Return the kind of an initramfs that is for these programs, as `Inittab` has them."""
    return Kind(
        "initramfs",
        "initramfs",
        "CPIO000",
        partial(read_initramfs, programs=programs),
        (*members.rule.table, *rule.table, *read.rule.table, *microcode.rule.table),
        members_of,
        tuple(closure.together.table),
        tuple(as_a_whole.table),
    )


INITRAMFS = initramfs_of(())
