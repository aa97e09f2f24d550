"""The answers to what Linux makes of an initramfs: what it starts out of it, which microcode it finds.

Specification: Linux, init/main.c (`kernel_init_freeable`, `kernel_init`): rdinit= or else /init is started
when it is in the initramfs; if not, root= is mounted; where it cannot be started, init= or others are.
"""

import re

from pipeline.checks.elf import Program
from pipeline.checks.initramfs.microcode import Early, early_microcode
from pipeline.checks.initramfs.startable import Refused, Started, start
from pipeline.checks.kind import Node
from pipeline.formats.fields import Image
from pipeline.formats.magic import describe
from pipeline.inspection.answer import Condition, Said
from pipeline.inspection.linux import System, nodes, some, systems
from pipeline.inspection.member_path import path_of

DEFAULT_INIT, OTHER_INIT = "/init", "/sbin/init"
FALLBACKS = (OTHER_INIT, "/etc/init", "/bin/init", "/bin/sh")
UNPACK_CODES = ("UKI012", "CPIO000")
LACK_CODES = (*UNPACK_CODES, "UKI008", "CPIO019", "UKI013", "UKI003")
START_CODES = ("UKI013", "UKI014")
"""Which findings decide that a UKI's kernel starts nothing: the first that is there."""

FOR_PCS = ("x86-64", "x86")
MAX_SEARCHED = 1 << 24  # bytes of a program that are searched for its version
BUSYBOX = re.compile(rb"BusyBox v[0-9][0-9A-Za-z.\-]{0,20}")


def init(root: Node) -> Said:
    """Say what the kernel starts as process 1."""
    found = systems(root)
    for system in found:
        if system.initramfs or system.cmdline:
            return _init_of(system)
    if root.kind and root.kind.name == "initramfs" and root.artifact is None:
        fault = root.findings[-1]
        return Said("no", because=fault.message, lacks=DEFAULT_INIT, finding=fault.code, hint=fault.hint)
    alone = [(path, node) for path, node in nodes(root, "initramfs") if not node.artifact.is_early]
    if root.kind and root.kind.name == "initramfs" and not alone:
        return Said("no", because="there is nothing in it but what Linux looks for before it unpacks")
    if not alone or found:
        return Said("unknown", because="no initramfs that can be read was found inside")
    if alone[0][1] is root:
        return _init_alone(root)
    places = [path_of(path) for path, _ in alone]
    for place, (_, node) in zip(places, alone, strict=True):
        if said := _init_on_medium(place, node):
            return said
    return Said("unknown", because=f"the boot loader says what is started of {some(places)}")


def _init_of(system: System) -> Said:
    """Say what the kernel of a UKI starts."""
    named = system.cmdline.values("rdinit") if system.cmdline else []
    path = named[-1] if named else DEFAULT_INIT
    try:
        initramfs = _unpacked(system)
        what = _what(initramfs, path, start(initramfs, path, system.uki.child(".linux")))
    except Refused as error:
        refused, why = error, error.message
    else:
        how = "rdinit= names it" if named else "no rdinit= names another"
        return Said("yes", path, f"{how}; {what}")
    is_there = refused.lack != "nothing there"
    if not is_there and system.kernel and system.kernel.has_own_initramfs:
        return Said("unknown", because=f"{why}; the kernel has an initramfs of its own in it")
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
        hint=refused.hint,
        finding=_decides(system.uki, *(START_CODES if is_there else LACK_CODES)),
    )


def _unpacked(system: System) -> Node:
    """Return the initramfs. Raises Refused where the kernel has none after unpacking."""
    below = system.uki.child(".initrd")
    for found in (*system.uki.findings, *(below.findings if below else ())):
        if found.code in UNPACK_CODES:
            raise Refused(found.message, found.hint, "nothing there")
    if system.initramfs is None:
        raise Refused("no initramfs can be read", "give ukify --initrd", "nothing there")
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
        return _unless_told(initramfs, "")
    except Refused as refused:
        why, hint, is_missing = refused.message, refused.hint, refused.lack == "nothing there"
    if is_missing:
        try:
            started = start(initramfs, OTHER_INIT)
        except Refused as refused:
            why += f", and {refused.message}"
        else:
            what = _what(initramfs, OTHER_INIT, started)
            conditions = (Condition("rdinit", OTHER_INIT), *_kernels(started))
            return Said("yes", OTHER_INIT, f"{what}; {why}", conditions=conditions)
    codes = ("CPIO019", "CPIO018") if is_missing else ("CPIO018",)
    return Said("no", because=why, lacks=DEFAULT_INIT, finding=_decides(initramfs, *codes), hint=hint)


def _init_on_medium(path: str, initramfs: Node) -> Said | None:
    """Say what is started of an initramfs that a boot loader hands over, None where nothing may be."""
    try:
        return _unless_told(initramfs, f"in {path}; ")
    except Refused:
        return None


def _unless_told(initramfs: Node, where: str) -> Said:
    """Say what is started by a kernel that nobody knows. Raises Refused as `start` does."""
    started = start(initramfs, DEFAULT_INIT)
    what = _what(initramfs, DEFAULT_INIT, started)
    because = f"{where}{what}, unless rdinit= says otherwise"
    return Said("yes", DEFAULT_INIT, because, conditions=_kernels(started))


def _kernels(started: Started) -> tuple[Condition, ...]:
    """Return what a kernel must be that starts it, where that is not one for PCs."""
    machine = started.elf.machine
    return () if machine in FOR_PCS else (Condition("kernel", machine),)


def _what(initramfs: Node, path: str, started: Started) -> str:
    """Return what a path leads to, as a noun phrase."""
    entry = started.entry
    node = next((child for child in initramfs.children if child.member.image is entry.data), None)
    via = f", in /{entry.name}" if entry.name != path.strip("/") else ""
    return _kind(node.artifact if node else None, entry.data) + via


def microcode(root: Node) -> Said:
    """Say whether Linux finds microcode before it unpacks anything."""
    initramfs = [(path_of(path), node) for path, node in nodes(root, "initramfs")]
    for path, node in initramfs:
        early = early_microcode(node.artifact)
        if early and "CPIO020" not in {finding.code for finding in node.findings}:
            where = ", ".join(_place(one, path) for one in early.values())
            return Said("yes", f"for {' and '.join(early)}", where)
    for path, node in initramfs:
        for finding in node.findings:
            if finding.code == "CPIO020":
                place = f"{path}: " if path else ""
                return Said("no", because=place + finding.message, finding=finding.code, hint=finding.hint)
    return Said("not applicable")


def _place(early: Early, path: str) -> str:
    off = "" if early.is_aligned else ", no multiple of 16 as Intel's manual asks for"
    return f"{early.name} at {early.offset:#x}{f' of {path}' if path else ''}{off}"


def _kind(artifact: object, data: Image) -> str:
    """Return what a program is, as a noun phrase."""
    if not isinstance(artifact, Program) or artifact.elf is None:
        return describe(data)
    how = "static" if artifact.elf.is_static else "dynamic"
    return f"{_busybox(data)}a {how} program for {artifact.elf.machine}"


def _busybox(data: Image) -> str:
    found = BUSYBOX.search(bytes(data[:MAX_SEARCHED]))
    return f"{found[0].decode()}, " if found else ""
