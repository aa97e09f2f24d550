"""What must hold of the tar of a root file system, before a file system is made of it.

Specification: hier(7), file-hierarchy(7), machine-id(5), os-release(5)
"""

import stat
from collections.abc import Iterator
from functools import partial

from pipeline.checks.attempt import or_none
from pipeline.checks.elf import read_companion
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.initramfs import closure
from pipeline.checks.kind import Kind, Member, Node
from pipeline.checks.root import leftovers, units
from pipeline.checks.root.members import Root, read_root
from pipeline.formats import elf
from pipeline.formats.budget import STEPS
from pipeline.formats.tree import MAX_TARGET

INIT = "/sbin/init"
CAPABILITY = "security.capability"
"""The extended attribute that gives a program rights of root's (capabilities(7))."""

MADE_AT_BOOT = ("/run/", "/proc/", "/sys/", "/dev/", "/tmp/", "/var/")  # noqa: S108
"""Where links may lead to what is only there on a machine that runs."""

SECRETS = ("etc/ssh/ssh_host_", "var/lib/systemd/random-seed", "var/lib/systemd/credential.secret")
IDENTITIES = frozenset(
    {"var/lib/urandom/random-seed", "var/lib/NetworkManager/secret_key", "etc/iscsi/initiatorname.iscsi"}
    | {"etc/nvme/hostid", "etc/nvme/hostnqn", "etc/hostid", "var/lib/dbus/machine-id"}
)
"""What has to be another on each machine."""

CHANGED = frozenset({"etc", "home", "opt", "root", "srv", "var"})
"""What machines write to."""

IDS = (b"", b"uninitialized\n", b"uninitialized")


def members_of(root: Root) -> Iterator[Member]:
    """Give its programs and libraries, which are judged together; of one with several names, once."""
    for name, entry in root.members.items():
        if stat.S_ISREG(entry.mode) and bytes(entry.data[: len(elf.MAGIC)]) == elf.MAGIC:
            yield Member(name, entry.data, None, "elf", read_companion)


rule = Rules[Root]()
together = Rules[Node]()


@rule(
    "ROOT001",
    "it has an init",
    spec="Linux, init/main.c (kernel_init); file-hierarchy(7)",
    fix="add the package systemd-sysv to its set",
)
def has_an_init(root: Root) -> None:
    """Linux starts /sbin/init of its root file system, and panics without one."""
    root.tree.resolve_program(INIT)


@rule(
    "ROOT002",
    "its units have their programs and users",
    spec="systemd.service(5), systemd.exec(5)",
    fix="add the package, the user in sysusers.d, or mask the unit",
)
def units_are_complete(root: Root) -> Iterator[Fault]:
    """A unit that is enabled and cannot be started fails at each boot: 203/EXEC, 217/USER, 216/GROUP."""
    yield from units.faults(root.tree)


@rule(
    "ROOT003",
    "its symbolic links lead somewhere",
    severity=Severity.WARNING,
    spec="symlink(7)",
    fix="add what it leads to, or leave the link out",
)
def links_lead_somewhere(root: Root) -> Iterator[Fault]:
    """What is behind a link that leads nowhere is missing, and ls(1) shows it only in red."""
    for name, entry in root.members.items():
        if not stat.S_ISLNK(entry.mode):
            continue
        target = bytes(entry.data[:MAX_TARGET]).decode(errors="surrogateescape")
        if or_none(root.tree.locate, f"/{name}") is None and not f"{_led(name, target)}/".startswith(
            MADE_AT_BOOT
        ):
            yield f"/{name} leads to {target}, which is not there"


def _led(name: str, target: str) -> str:
    """Return where a link leads, by its name and target alone."""
    parts = [] if target.startswith("/") else name.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


@together(
    "ROOT004",
    "its programs have their loaders and libraries",
    lenient=True,
    spec="ld.so(8); System V ABI, gABI, Dynamic Linking (DT_NEEDED, DT_RUNPATH)",
    fix="add the package that has the library",
)
def libraries_are_there(node: Node) -> Iterator[Fault]:
    """A program whose loader or library is missing does not start: `No such file or directory`."""
    for fault in closure.closure_is_complete(node):
        yield (fault if isinstance(fault, str) else fault[0]).replace("in the archive", "in this root")


@rule(
    "ROOT005",
    "nobody may write what belongs to others",
    spec="chmod(2); file-hierarchy(7)",
    fix="take the right to write from others, or give the directory the sticky bit (01777)",
)
def is_not_world_writable(root: Root) -> Iterator[Fault]:
    """What anybody may write, root may run; in a sticky directory, each may remove only what is theirs."""
    for name, entry in root.members.items():
        sticky = stat.S_ISDIR(entry.mode) and entry.permissions & stat.S_ISVTX
        if not stat.S_ISLNK(entry.mode) and entry.permissions & stat.S_IWOTH and not sticky:
            yield f"/{name} has mode {entry.permissions:04o}: anybody may write to it"


@rule(
    "ROOT006",
    "only what the recipe names runs as somebody else",
    spec="execve(2), capabilities(7)",
    fix="name it in root.setuid of the recipe, or leave its package out",
)
def setuid_is_meant(root: Root) -> Iterator[Fault]:
    """Each program that is setuid, setgid or has capabilities is a way to more rights."""
    for name, entry in root.members.items():
        if not stat.S_ISREG(entry.mode) or f"/{name}" in root.setuid:
            continue
        if entry.permissions & (stat.S_ISUID | stat.S_ISGID):
            owner = f"owner {entry.uid}, group {entry.gid}"
            yield f"/{name} has mode {entry.permissions:04o}, {owner}, and the recipe does not name it"
        if CAPABILITY in root.xattrs.get(name, ()):
            yield f"/{name} has capabilities of its own, and the recipe does not name it"
    for path in root.setuid:
        found = or_none(root.tree.resolve, path)
        rights = found and (found.permissions & (stat.S_ISUID | stat.S_ISGID) or root.xattrs.get(found.name))
        if not rights:
            yield (
                f"{path} is in root.setuid, and there is no such program that is setuid",
                "take it off the list",
            )


@rule(
    "ROOT007",
    "/run is empty",
    spec="file-hierarchy(7), /run/",
    fix="leave it empty: a tmpfs is mounted on it",
)
def run_is_empty(root: Root) -> Iterator[Fault]:
    """What lies below /run in an image is hidden as soon as it starts."""
    found = [name for name in root.members if name.startswith("run/")]
    if found:
        yield f"/run holds {len(found)} files, the first of which is /{min(found)}"
    entry = root.members.get("run")
    if entry is None or not stat.S_ISDIR(entry.mode):
        yield "there is no directory /run, on which systemd mounts its tmpfs"


@rule("ROOT008", "/var/run is /run", spec="file-hierarchy(7), /var/run/", fix="make it a link to /run")
def var_run_is_run(root: Root) -> Iterator[Fault]:
    """Programs look for sockets in either: with two folders they do not find each other's."""
    entry = root.members.get("var/run")
    if entry is None:
        yield "there is no /var/run"
    elif not stat.S_ISLNK(entry.mode):
        yield f"/var/run is no link: its mode is {stat.filemode(entry.mode)}"
    elif or_none(root.tree.locate, "/var/run") != "run":
        yield f"/var/run leads to {bytes(entry.data[:MAX_TARGET]).decode(errors='replace')}, not to /run"


@rule("ROOT009", "it is no machine yet", spec="machine-id(5)", fix="leave /etc/machine-id empty")
def has_no_identity(root: Root) -> Iterator[Fault]:
    """Two machines with one identity get one address of DHCP, and their logs and keys are not told apart."""
    entry = root.members.get("etc/machine-id")
    if entry is not None and bytes(entry.data[:64]) not in IDS:
        yield f"/etc/machine-id says {bytes(entry.data[:64]).decode(errors='replace').strip()!r}"
    for name, each in root.members.items():
        is_identity = name in IDENTITIES and len(each.data) > 0
        if (name.startswith(SECRETS) or is_identity) and stat.S_ISREG(each.mode):
            yield f"/{name} is the same on all machines", "remove it: it is made when a machine starts"


@rule(
    "ROOT010",
    "its hard links stay within a directory of programs or data",
    spec="link(2)",
    fix="make them two files, or a symbolic link",
)
def hard_links_are_meant(root: Root) -> Iterator[Fault]:
    """Whoever writes to one name changes the other, too: settings and state must have one name each.

    Nobody writes to what a store holds, which may have one file for all that are alike.
    """
    groups: dict[int, list[str]] = {}
    for name, entry in root.members.items():
        if stat.S_ISREG(entry.mode) and entry.nlink > 1:
            groups.setdefault(entry.inode, []).append(name)
    root.tree.budget.spend(STEPS, 1 + len(groups))
    for names in groups.values():
        tops = {name.partition("/")[0] for name in names}
        if len(names) > 1 and (len(tops) > 1 or tops <= CHANGED):
            first, other, *_ = sorted(names)
            yield f"/{first} and /{other} are one file"


def root_of(setuid: tuple[str, ...]) -> Kind[Root]:
    """Return the kind of a root file system in which these programs may be setuid."""
    return Kind(
        "root",
        "root file system",
        "ROOT000",
        partial(read_root, setuid=setuid),
        (*rule.table, *leftovers.rule.table),
        members_of,
        tuple(together.table),
    )


ROOT = root_of(())
