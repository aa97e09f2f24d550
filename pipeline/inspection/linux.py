"""Owns the answers to what a kernel would do: which one it is, what it is told, and what it starts.

Must not know firmware, nor media.

Specification: Linux, init/main.c (`kernel_init_freeable`): rdinit= or else /init is started when it is in
the initramfs; if not, root= is mounted. Documentation/admin-guide/serial-console.rst: the last console=
is /dev/console.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.checks.cmdline import Cmdline
from pipeline.checks.initramfs_archive import Initramfs
from pipeline.checks.kernel import Kernel
from pipeline.checks.kind import Node
from pipeline.checks.program import Program
from pipeline.checks.startable import Refused, start
from pipeline.checks.uki_profiles import IN_VIEW, views
from pipeline.formats.fields import Image
from pipeline.formats.magic import describe
from pipeline.inspection.answers import Said
from pipeline.inspection.names import path_of

DEFAULT_INIT, OTHER_INIT = "/init", "/sbin/init"
FALLBACKS = (OTHER_INIT, "/etc/init", "/bin/init", "/bin/sh")
UNPACK_CODES = ("UKI012", "CPIO000")
LACK_CODES = (*UNPACK_CODES, "UKI008", "CPIO019", "UKI013", "UKI003")
START_CODES = ("UKI013", "UKI014")
"""Which findings decide that a UKI's kernel starts nothing: the first of them that there is."""

MAX_NAMED = 3
MAX_SEARCHED = 1 << 24  # bytes of a program that are searched for its version
BUSYBOX = re.compile(rb"BusyBox v[0-9][0-9A-Za-z.\-]{0,20}")
MENUS = re.compile(
    r"(^|/)(grub\.cfg|isolinux\.cfg|syslinux\.cfg|extlinux\.conf|refind\.conf|loader\.conf)$", re.I
)


@dataclass(frozen=True, slots=True)
class System:
    """A kernel and what it is started with, as far as one file says so."""

    path: str  # of the UKI
    uki: Node
    kernel: Kernel | None
    uname: str
    cmdline: Cmdline | None
    initramfs: Node | None


def systems(root: Node) -> tuple[System, ...]:
    """Return what every UKI inside starts, in each of its profiles."""
    return tuple(
        _system(path_of(path), view) for path, node in _nodes(root, "uki") for _, view in views(node)
    )


def _nodes(root: Node, kind: str) -> Iterator[tuple[tuple[str, ...], Node]]:
    return (
        (path, node)
        for path, node in root.walk()
        if node.kind and node.kind.name == kind and node.artifact is not None
    )


def _system(path: str, uki: Node) -> System:
    linux, cmdline, initrd, uname = map(uki.child, (".linux", ".cmdline", ".initrd", ".uname"))
    return System(
        path,
        uki,
        linux.artifact if linux and isinstance(linux.artifact, Kernel) else None,
        bytes(uname.member.image[:256]).decode(errors="replace").rstrip("\0\n") if uname else "",
        cmdline.artifact if cmdline and isinstance(cmdline.artifact, Cmdline) else None,
        initrd if initrd and isinstance(initrd.artifact, Initramfs) else None,
    )


def kernels(root: Node) -> Said:
    """Say which versions of Linux are inside."""
    found: dict[str, str] = {}
    for path, node in root.walk():
        header = node.artifact.header if isinstance(node.artifact, Kernel) else None
        if header:
            found.setdefault(header.version or "a kernel that does not name its version", path_of(path))
    for system in systems(root):
        if system.uname and not (system.kernel and system.kernel.header):
            found.setdefault(system.uname, f"{system.path}!.uname" if system.path else ".uname")
    if not found:
        return Said("unknown", because="no Linux kernel was found inside")
    return Said("yes", _some(found), _some(path for path in found.values() if path))


def _some(texts: Iterable[str]) -> str:
    """Join texts, the first few of them."""
    every = list(texts)
    more = f" and {len(every) - MAX_NAMED} more" if len(every) > MAX_NAMED else ""
    return ", ".join(every[:MAX_NAMED]) + more


def command_line(root: Node) -> Said:
    """Say what the kernel is told."""
    found = systems(root)
    lines = {
        system.cmdline.raw.decode(errors="surrogateescape"): system for system in found if system.cmdline
    }
    if lines:
        line, system = next(iter(lines.items()))
        others = "UKIs" if len({system.path for system in found}) > 1 else "profiles"
        more = f"; {len(lines) - 1} more in other {others}" if len(lines) > 1 else ""
        return Said("yes", line or "(empty)", _in(system, ".cmdline") + more)
    if found:
        return Said("no", because="no UKI inside has a .cmdline that can be read", lacks="a command line")
    menus = [path_of(path) for path, _ in root.walk() if path and MENUS.search(path[-1])]
    if menus:
        return Said("unknown", because=f"the boot loader gives it, from {_some(menus)}")
    return Said("unknown", because="no UKI is inside; whatever starts the kernel gives it")


def _in(system: System, name: str) -> str:
    part = system.uki.child(name)
    section = str(part.member.facts.get(IN_VIEW, name)) if part else name
    return f"{system.path}!{section}" if system.path else section


def consoles(root: Node) -> Said:
    """Say where the kernel's messages go."""
    for system in systems(root):
        if system.cmdline:
            named = system.cmdline.values("console")
            if not named:
                return Said("no", because="the command line has no console=: the kernel takes what it finds")
            last = named[-1].partition(",")[0]
            return Said("yes", " ".join(named), f"/dev/console is the last one, {last}")
    return Said("unknown", because="the command line would say so")


def init(root: Node) -> Said:
    """Say what the kernel starts as process 1."""
    found = systems(root)
    for system in found:
        if system.initramfs or system.cmdline:
            return _init_of(system)
    if root.kind and root.kind.name == "initramfs" and root.artifact is None:
        return Said("no", because=root.findings[-1].message, lacks=DEFAULT_INIT, finding="CPIO000")
    alone = [(path, node) for path, node in _nodes(root, "initramfs") if not node.artifact.is_early]
    if not alone or found:
        return Said("unknown", because="no initramfs that can be read was found inside")
    if alone[0][1] is root:
        return _init_alone(root)
    places = [path_of(path) for path, _ in alone]
    for place, (_, node) in zip(places, alone, strict=True):
        if said := _init_on_medium(place, node):
            return said
    return Said("unknown", because=f"the boot loader says what is started of {_some(places)}")


def _init_of(system: System) -> Said:
    """Say what the kernel of a UKI starts."""
    named = system.cmdline.values("rdinit") if system.cmdline else []
    path = named[-1] if named else DEFAULT_INIT
    try:
        initramfs = _unpacked(system)
        what = _started(initramfs, path, system.uki.child(".linux"))
    except Refused as error:
        refused, why = error, error.message
    else:
        how = "rdinit= names it" if named else "no rdinit= names another"
        return Said("yes", path, f"{how}; {what}")
    is_there = refused.lack != "nothing there"
    if not is_there and system.cmdline is None:
        return Said("unknown", because=f"{why}; what gives the command line may name another")
    root = system.cmdline.values("root") if system.cmdline and not is_there else []
    if root:
        then = (system.cmdline.values("init") if system.cmdline else []) or [OTHER_INIT]
        return Said(
            "unknown", because=f"{why}: the kernel mounts root={root[-1]} and starts {then[-1]} there"
        )
    asked = f"rdinit={path}" if named else f"no rdinit=, so the kernel takes {path}"
    return Said(
        "no",
        because=f"{asked}, and {why}{_instead(initramfs, system) if is_there else ''}",
        lacks=f"{path} in the initramfs",
        finding=_decides(system.uki, *(START_CODES if is_there else LACK_CODES)),
    )


def _unpacked(system: System) -> Node:
    """Return the initramfs. Raises Refused where the kernel has none after unpacking."""
    below = system.uki.child(".initrd")
    for found in (*system.uki.findings, *(below.findings if below else ())):
        if found.code in UNPACK_CODES:
            raise Refused(found.message, found.hint, "nothing there")
    if system.initramfs is None:
        raise Refused("there is no initramfs that can be read", "give ukify --initrd", "nothing there")
    return system.initramfs


def _instead(initramfs: Node, system: System) -> str:
    """Say what the kernel does after it could not start what is there (`kernel_init`)."""
    named = system.cmdline.values("init") if system.cmdline else []
    for path in named[-1:] or FALLBACKS:
        try:
            start(initramfs, path, system.uki.child(".linux"))
        except Refused:
            continue
        return f"; Linux starts {path} instead"
    return "; Linux panics"


def _decides(node: Node, *codes: str) -> str:
    """Return the first of the codes that was found in a node or in its initramfs, "" for none."""
    below = node.child(".initrd")
    found = {each.code for each in (*node.findings, *(below.findings if below else ()))}
    return next((code for code in codes if code in found), "")


def _init_alone(initramfs: Node) -> Said:
    """Without a command line: what the kernel starts unless it is told otherwise."""
    try:
        return Said(
            "yes", DEFAULT_INIT, f"{_started(initramfs, DEFAULT_INIT)}, unless rdinit= says otherwise"
        )
    except Refused as refused:
        why, is_missing = refused.message, refused.lack == "nothing there"
    if is_missing:
        try:
            what = _started(initramfs, OTHER_INIT)
        except Refused as refused:
            why += f", and {refused.message}"
        else:
            return Said("unknown", because=f"{why}; rdinit={OTHER_INIT} would start {what}")
    codes = ("CPIO019", "CPIO018") if is_missing else ("CPIO018",)
    return Said("no", because=why, lacks=DEFAULT_INIT, finding=_decides(initramfs, *codes))


def _init_on_medium(path: str, initramfs: Node) -> Said | None:
    """Say what is started of an initramfs that a boot loader hands over, None where nothing may be."""
    try:
        what = _started(initramfs, DEFAULT_INIT)
    except Refused:
        return None
    return Said("yes", DEFAULT_INIT, f"in {path}; {what}, unless rdinit= says otherwise")


def _started(initramfs: Node, path: str, kernel: Node | None = None) -> str:
    """Return what a path leads to. Raises Refused when that is nothing that Linux can start."""
    entry = start(initramfs, path, kernel)
    node = next((child for child in initramfs.children if child.member.image is entry.data), None)
    via = f", in /{entry.name}" if entry.name != path.strip("/") else ""
    return _what(node.artifact if node else None, entry.data) + via


def _what(artifact: object, data: Image) -> str:
    """Return what a program is, as a noun phrase."""
    if not isinstance(artifact, Program) or artifact.elf is None:
        return describe(data)
    how = "static" if artifact.elf.is_static else "dynamic"
    return f"{_busybox(data)}a {how} program for {artifact.elf.machine}"


def _busybox(data: Image) -> str:
    found = BUSYBOX.search(bytes(data[:MAX_SEARCHED]))
    return f"{found[0].decode()}, " if found else ""


def architecture(node: Node) -> Said:
    """Say which machine a program in Linux' own format is for."""
    headers = node.artifact.elf
    return Said("yes", headers.machine, f"{headers.bits}-bit") if headers else Said("unknown")
