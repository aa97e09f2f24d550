"""Takes a boot image apart into what it is compared by: UKIs, kernels, the files of its file systems."""

import hashlib
import re
import shlex
import stat
from collections import deque
from collections.abc import Iterator, Mapping

from pipeline.checks.catalog import KINDS, recognise, take_apart
from pipeline.checks.elf import Program
from pipeline.checks.finding import POLICIES
from pipeline.checks.initramfs.read import Initramfs
from pipeline.checks.inittab import Inittab
from pipeline.checks.kernel import Kernel as KernelArtifact
from pipeline.checks.kind import Node
from pipeline.checks.quoting import escaped
from pipeline.errors import FormatError, PipelineError
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.budget import Budget
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image, budget_of, chunks
from pipeline.formats.magic import describe
from pipeline.inspection.answer import WAYS
from pipeline.inspection.member_path import SEPARATOR, path_of
from pipeline.inspection.questions import interviewed
from pipeline.release.audit import read_audit
from pipeline.release.diff.side import Archive, Component, Finding, Kernel, Side, Stored, Uki

UNIT = re.compile(r"(?:usr/)?(?:etc|lib)/systemd/system/(?:[^/]+\.(?:wants|requires)/)?[^/]+\.[a-z]+")
SPECIFIC = "VERSION_ID", "IMAGE_VERSION"
MAX_CARRIED = 8
"""UKIs in initramfs that are looked into; products have one."""

WITH_PARTS = ("disk", "fat", "initramfs", "iso", "uki")
MAX_OSREL = 1 << 16  # bytes
MAX_TARGET = 4096  # bytes, as Linux: PATH_MAX
POLICY_CODES = frozenset(rule.code for kind in KINDS.values() for rule in kind.all_rules if rule.policy)


def digest_of(image: Image) -> str:
    """Return the SHA-256 of an image in hex, "" where it is empty. It is not kept in memory."""
    if not len(image):
        return ""
    found = hashlib.sha256()
    for part in chunks(image):
        found.update(part)
    return found.hexdigest()


def image_side(image: Image, name: str, prefix: str = "") -> Side:
    """Return what an image is made of; paths begin with `prefix`, where there are several images.

    The image, and each of the few UKIs that an initramfs in it carries, has the budget of a file of its size.
    Raises PipelineError for what is no boot image, and FormatError or Spent as readers do.
    """
    node = take_apart(image, name, policies=tuple(POLICIES))
    if node.kind is None:
        raise PipelineError(
            f"is {describe(image)}: nothing that boots, nor what lies in such a thing",
            "give an ISO, a disk or FAT image, an EFI program, a kernel or an initramfs",
        )
    node, answers = interviewed(node)
    budget = budget_of(node.member.image)
    budget.refill()
    nodes = _with_carried(node, prefix, budget)
    budget.refill()
    parts = {path: each for path, each in nodes.items() if each.same_as is None}
    crates, faults = _crates(parts)
    faults += [f"not all of {path or 'it'} was looked at" for path, each in parts.items() if each.left_out]
    return Side(
        name,
        _version(parts),
        len(image),
        {prefix: Stored(len(image), digest_of(image))},
        dict(_archives(parts)),
        {path: _uki(each) for path, each in parts.items() if _is(each, "uki")},
        dict(_kernels(parts)),
        crates=crates,
        findings=tuple(_findings(nodes)),
        boots={one.question: one.verdict for one in answers if one.question in WAYS},
        untold=tuple(faults),
    )


def _with_carried(node: Node, prefix: str, budget: Budget) -> dict[str, Node]:
    """Return all nodes by their paths, with those of UKIs that lie in an initramfs.

    No kernel of this image starts those, so that they are taken apart for themselves, as what gets installed.
    """
    nodes: dict[str, Node] = {}
    pending, left = deque([(prefix, node)]), MAX_CARRIED
    while pending:
        start, root = pending.popleft()
        found = {path_of(names, start): each for names, each in root.walk()}
        nodes |= found
        for path, each in found.items():
            for entry in _ukis_in(each) if each.same_as is None else ():
                if left:
                    left -= 1
                    carried = f"{path}{SEPARATOR}{escaped(entry.name)}" if path else escaped(entry.name)
                    below = take_apart(entry.data, entry.name, "uki", tuple(POLICIES), budget=budget)
                    pending.append((carried, below))
    return nodes


def _ukis_in(node: Node) -> Iterator[Entry]:
    if isinstance(node.artifact, Initramfs):
        for entry in node.artifact.tree.members.values():
            if stat.S_ISREG(entry.mode) and recognise(entry.data) == "uki":
                yield entry


def _is(node: Node, kind: str) -> bool:
    return node.artifact is not None and node.kind is not None and node.kind.name == kind


def _findings(nodes: Mapping[str, Node]) -> Iterator[Finding]:
    for path, node in nodes.items():
        for found in node.findings:
            yield Finding(found.code, path, found.message, found.code in POLICY_CODES)


def _version(parts: Mapping[str, Node]) -> str:
    """Return what the first UKI that names its version says: os-release(5) in its section `.osrel`."""
    for node in parts.values():
        section = node.child(".osrel") if _is(node, "uki") else None
        text = bytes(section.member.image[:MAX_OSREL]).decode(errors="replace") if section else ""
        for line in text.splitlines():
            key, _, value = line.partition("=")
            if key in SPECIFIC:
                return escaped(_unquoted(value))
    return ""


def _unquoted(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:  # a quote that is not closed
        return value


def _uki(node: Node) -> Uki:
    sections = {escaped(child.name): _stored(child) for child in node.children}
    cmdline = node.child(".cmdline")
    text = bytes(cmdline.member.image).decode(errors="surrogateescape").strip("\0\n") if cmdline else None
    try:
        signers = tuple(escaped(one.subject) for one in read_signatures(node.artifact) if not one.fault)
    except FormatError:
        signers = ()
    return Uki(sections, None if text is None else escaped(text), signers)


def _stored(node: Node) -> Stored:
    facts = node.member.facts
    said = {key: escaped(str(facts.get(key, ""))) for key in ("mode", "owner", "target")}
    return Stored(len(node.member.image), digest_of(node.member.image), **said)


def _kernels(parts: Mapping[str, Node]) -> Iterator[tuple[str, Kernel]]:
    for path, node in parts.items():
        kernel = node.artifact
        if isinstance(kernel, KernelArtifact):
            version = kernel.header.version.partition(" ")[0] if kernel.header else ""
            options = kernel.config if isinstance(kernel.config, Mapping) else None
            known = options and {escaped(name): escaped(value) for name, value in options.items()}
            yield path, Kernel(escaped(version), known)


def _archives(parts: Mapping[str, Node]) -> Iterator[tuple[str, Archive]]:
    """Yield the file systems, and the initramfs."""
    for path, node in parts.items():
        if isinstance(node.artifact, Initramfs):
            yield path, _initramfs(node, node.artifact)
        elif node.kind and node.kind.name in ("iso", "fat") and node.artifact is not None:
            leaves = [child for child in node.children if _is_leaf(child)]
            yield path, Archive(node.kind.name, {escaped(one.name): _stored(one) for one in leaves})


def _is_leaf(node: Node) -> bool:
    """Tell whether a file is told as one: whether it is no directory, and its parts are not told."""
    is_directory = str(node.member.facts.get("mode", "")).startswith("d")
    has_parts = node.same_as is None and any(_is(node, kind) for kind in WITH_PARTS)
    return not (is_directory or has_parts)


def _initramfs(node: Node, initramfs: Initramfs) -> Archive:
    members = {escaped(name): _member(entry) for name, entry in initramfs.tree.members.items()}
    unstripped = frozenset(
        escaped(child.name)
        for child in node.children
        if isinstance(child.artifact, Program) and child.artifact.elf and not child.artifact.elf.stripped
    )
    units = {name for name in members if UNIT.fullmatch(name)}
    started = {
        f"{line.action}: {escaped(command.name)}"
        for child in node.children
        if isinstance(child.artifact, Inittab)
        for line in child.artifact.good_lines
        for command in line.commands
    }
    return Archive("initramfs", members, unstripped, frozenset(units | started))


def _member(entry: Entry) -> Stored:
    target = ""
    if stat.S_ISLNK(entry.mode):
        target = escaped(bytes(entry.data[:MAX_TARGET]).decode(errors="surrogateescape"))
    elif stat.S_ISCHR(entry.mode) or stat.S_ISBLK(entry.mode):
        target = f"{entry.device[0]}:{entry.device[1]}"
    mode, owner = stat.filemode(entry.mode), f"{entry.uid}:{entry.gid}"
    return Stored(len(entry.data), digest_of(entry.data), mode, owner, target)


def _crates(parts: Mapping[str, Node]) -> tuple[dict[str, Component] | None, list[str]]:
    """Return the crates that programs say they are made of, None where none says so; and what went wrong."""
    found: dict[str, set[str]] = {}
    faults, is_said = [], False
    for path, node in parts.items():
        if not (isinstance(node.artifact, Program) and node.artifact.elf):
            continue
        try:
            packages = read_audit(node.artifact.image)
        except FormatError as error:
            faults.append(f"the crates of {path}: {error.message}")
            continue
        is_said = is_said or bool(packages)
        for package in packages:
            if package.kind != "build":
                found.setdefault(escaped(package.name), set()).add(escaped(package.version))
    crates = {name: Component(tuple(sorted(versions))) for name, versions in found.items()}
    return crates if is_said else None, faults
