"""The answers to which kernel there is and what it is told.

Specification: Linux, Documentation/admin-guide/serial-console.rst: the last console= is /dev/console.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.checks.cmdline import Cmdline
from pipeline.checks.initramfs.read import Initramfs
from pipeline.checks.kernel import Kernel
from pipeline.checks.kind import Node
from pipeline.checks.pe.uki_profiles import IN_VIEW, views
from pipeline.inspection.answer import Said
from pipeline.inspection.member_path import path_of

MAX_NAMED = 3
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
    return tuple(_system(path_of(path), view) for path, node in nodes(root, "uki") for _, view in views(node))


def nodes(root: Node, kind: str) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Return what is of a kind and could be read, with its path."""
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
    return Said("yes", some(found), some(path for path in found.values() if path))


def some(texts: Iterable[str]) -> str:
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
        return Said("unknown", because=f"the boot loader gives it, from {some(menus)}")
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


def architecture(node: Node) -> Said:
    """Say which machine a program in Linux' own format is for."""
    headers = node.artifact.elf
    return Said("yes", headers.machine, f"{headers.bits}-bit") if headers else Said("unknown")
