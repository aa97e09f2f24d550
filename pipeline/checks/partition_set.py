"""What must hold of a set of partitions: an installer finds all that its list names, and it would start.

Specifications: docs/installing-sets.md ("What a set is"); UEFI 2.10, §5.3.3 and §13.3; GRUB 2.12,
grub-core/boot/i386/pc/boot.S
"""

import hashlib
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Kind, Member
from pipeline.errors import FormatError
from pipeline.formats import ext4, magic, partition_set, tar
from pipeline.formats.budget import ENDLESS
from pipeline.formats.compression import decompress
from pipeline.formats.fields import Image, charged, chunks
from pipeline.formats.filesystem import FileSystem
from pipeline.formats.partition_set import (
    AGAIN,
    BIOS,
    BOOT,
    DATA,
    ESP,
    LIST,
    ROLES,
    ROOT,
    ZSTD,
    Partition,
    PartitionSet,
)

SPEC = "docs/installing-sets.md, What a set is"
MIB = 1 << 20
MOST_LIST = 1 << 20  # bytes
BOOT_CODE = 512  # bytes
UNPLACED = 2
"""The sector that a core image goes on at before it has a place: after its own first one, behind an MBR."""

LABEL = re.compile(r"[A-Za-z0-9_.-]{1,16}")
SHARED = ("EFI/BOOT/",)
"""Where files of an EFI partition may lie besides in the set's own folder."""

rule = Rules["Set"]()


@dataclass(frozen=True, slots=True)
class Set:
    """What the list says, and the files beside it by name: as they are, and unpacked where they can be."""

    said: PartitionSet
    files: dict[str, Image]
    unpacked: dict[str, Image]
    damaged: dict[str, FormatError]

    def system(self, role: str) -> FileSystem | None:
        """Return the ext4 of the first partition of a role, None where there is none that can be read."""
        for one in self.said.partitions:
            image = self.unpacked.get(one.content.file) if one.content and one.role == role else None
            if image is not None and magic.recognise(image) is magic.Format.EXT:
                return ext4.read_ext4(image)
        return None


def read_set(image: Image) -> Set:
    """Read a set. Raises FormatError for a damaged tar, and for a list that is missing or wrong."""
    files = {each.name: each.image for each in tar.read_tar(image) if each.image is not None}
    if LIST not in files:
        raise FormatError(f"the set has no {LIST}", AGAIN)
    said = partition_set.read_list(bytes(files.pop(LIST)[:MOST_LIST]))
    unpacked, damaged = dict(files), dict[str, FormatError]()
    for content in (one.content for one in said.partitions if one.content):
        if content.packed == ZSTD and content.file in files:
            try:
                unpacked[content.file], _ = decompress(files[content.file])
            except FormatError as error:
                damaged[content.file] = error
                del unpacked[content.file]
    return Set(said, files, unpacked, damaged)


def _named(said: PartitionSet) -> Iterator[tuple[str, int, str]]:
    """Yield file, size and SHA-256 of all that a list names."""
    yield said.boot_code.file, said.boot_code.bytes, said.boot_code.sha256
    for one in said.partitions:
        for each in ((one.content,) if one.content else ()) + one.files:
            yield each.file, each.bytes, each.sha256


@rule("SET001", "its files are those that its list names", spec=SPEC, fix=AGAIN)
def files_are_those_of_the_list(found: Set) -> Iterator[Fault]:
    """An installer opens what the list names, and would fail at what is not there."""
    named = {file for file, _, _ in _named(found.said)}
    for file in sorted(named ^ found.files.keys()):
        yield f"{file} is {f'not in {LIST}' if file in found.files else f'in {LIST} alone'}"


@rule("SET002", "its files are what its list says", spec=SPEC, fix=AGAIN)
def digests_are_right(found: Set) -> Iterator[Fault]:
    """An installer compares what it has written, and reads back, with the list: it would refuse the set."""
    for error in found.damaged.values():
        yield error.message, error.hint
    digests = {file: _digest(image) for file, image in found.unpacked.items()}
    for file, size, sha256 in dict.fromkeys(_named(found.said)):
        if file not in found.unpacked:
            continue
        if len(found.unpacked[file]) != size:
            yield f"{file} has {len(found.unpacked[file])} bytes, {LIST} says {size}"
        elif digests[file] != sha256:
            yield f"{file} has the SHA-256 {digests[file]}, {LIST} says {sha256}"


def _digest(image: Image) -> str:
    """Return the SHA-256 of a file, once for all that name it: what was unpacked has been paid for."""
    state = hashlib.sha256()
    for chunk in chunks(charged(image, ENDLESS)):
        state.update(chunk)
    return state.hexdigest()


@rule("SET003", "its content fits its partitions, which are in MiB", spec=SPEC, fix=AGAIN)
def sizes_are_right(found: Set) -> Iterator[Fault]:
    """An installer aligns partitions to MiB, and makes none smaller than the list has it."""
    for one in found.said.partitions:
        needed = one.content.bytes if one.content else sum(each.bytes for each in one.files)
        if one.size % MIB or not one.size:
            yield f"the partition {one.label} has {one.size} bytes, which are no whole number of MiB"
        elif needed > one.size:
            yield f"the partition {one.label} has {one.size} bytes, and its content {needed}"


@rule("SET004", "its last partition grows, and no other", spec=SPEC, fix="have no other partition grow")
def the_last_one_grows(found: Set) -> Iterator[Fault]:
    """What is left of a disk belongs to the last partition; behind one that grows there is no room."""
    *others, last = found.said.partitions or (None,)
    if last is None or not last.grow:
        yield f"no partition takes what is left of a disk: {last.label if last else 'there is none'}"
    for one in others:
        if one and one.grow:
            yield f"the partition {one.label} grows, and is not the last one"


@rule("SET005", "its labels find one partition each", spec=f"{SPEC}; ext4, s_volume_name", fix="rename one")
def labels_are_unique(found: Set) -> Iterator[Fault]:
    """What is installed mounts by label, and GRUB finds its menu by one."""
    for label, count in Counter(one.label for one in found.said.partitions).items():
        if count > 1:
            yield f"the label {label!r} is given {count} times"
        if not LABEL.fullmatch(label):
            yield f"the label {label!r} is not 1 to 16 letters, digits, _, - and ."


@rule("SET006", "its file systems have the labels of their partitions", spec=SPEC, fix="give both one label")
def file_systems_have_the_labels(found: Set) -> Iterator[Fault]:
    """Installers name partitions by the list; what is installed looks for file systems."""
    for one in found.said.partitions:
        image = found.unpacked.get(one.content.file) if one.content else None
        if image is None or magic.recognise(image) is not magic.Format.EXT:
            continue
        label = ext4.read_volume(image).superblock.label
        if label != one.label:
            yield f"the partition {one.label} has a file system called {label!r}"


@rule("SET007", "it has what firmware and its menu need, once", spec=f"{SPEC}; UEFI 2.10, §13.3", fix=AGAIN)
def roles_are_there(found: Set) -> Iterator[Fault]:
    """A BIOS starts a BIOS boot partition's core image, UEFI an EFI partition; both read one boot tree."""
    roles = Counter(one.role for one in found.said.partitions)
    for role in (BIOS, ESP, BOOT, ROOT):
        if roles[role] != 1:
            yield f"{roles[role]} partitions have the role {role!r}, not one"
    for one in found.said.partitions:
        if one.role not in (*ROLES, ROOT, DATA):
            yield f"the partition {one.label} has the unknown role {one.role!r}"
        elif one.role in ROLES and one.type != str(ROLES[one.role]):
            yield f"the partition {one.label} is {one.role} of type {one.type}, not {ROLES[one.role]}"
        elif not _is_guid(one.type):
            yield f"the partition {one.label} has the type {one.type!r}, which is no GUID in small letters"
        yield from _content(one)


def _is_guid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _content(one: Partition) -> Iterator[Fault]:
    if (one.role == ESP) != bool(one.files) or (one.role == ESP) == (one.content is not None):
        wanted = "files, and no content" if one.role == ESP else "content, and no files"
        yield f"the partition {one.label} has to have {wanted}: its role is {one.role!r}"
    if one.content and one.content.packed not in ("", ZSTD):
        yield f"{one.content.file} is packed by {one.content.packed!r}, not by {ZSTD!r} or ''"


@rule(
    "SET008",
    "its EFI files lie in a folder of their own",
    spec="UEFI 2.10, §13.3.1.3",
    fix="put them below EFI/, in the folder that boot.folder names",
)
def efi_files_have_a_folder(found: Set) -> Iterator[Fault]:
    """Beside another system, a file anywhere else might replace one of that system's."""
    paths = [each.path for one in found.said.partitions for each in one.files]
    allowed = (f"EFI/{found.said.folder}/", *SHARED)
    for path in paths:
        if not path.startswith(allowed) or ".." in path.split("/"):
            yield f"{path} lies neither in EFI/{found.said.folder} nor in EFI/BOOT"
    for path, count in Counter(path.upper() for path in paths).items():
        if count > 1:
            yield f"{path} is there {count} times: FAT does not tell capitals apart"


@rule(
    "SET009",
    "its boot sector is whole, and in no place yet",
    spec="GRUB 2.12, grub-core/boot/i386/pc/boot.S and diskboot.S",
    fix="take boot.img and core.img as grub-mkimage leaves them",
)
def boot_code_is_unpatched(found: Set) -> Iterator[Fault]:
    """An installer writes into both where the core image lies: what it replaces has to be known."""
    code = found.files.get(found.said.boot_code.file)
    if code is not None and (len(code) != BOOT_CODE or bytes(code[510:512]) != b"\x55\xaa"):
        yield f"{found.said.boot_code.file} has {len(code)} bytes, and is no boot sector"
    for one in found.said.partitions:
        core = found.files.get(one.content.file) if one.content and one.role == BIOS else None
        if core is None or not one.content:
            continue
        first = int.from_bytes(bytes(core[0x1F4:0x1FC]), "little")
        if len(core) <= BOOT_CODE or first > UNPLACED:
            yield f"{one.content.file} says that it goes on at sector {first}: it was patched for a disk"


@rule("SET010", "its entries lead to files of its boot tree", spec=SPEC, fix=AGAIN)
def entries_lead_to_files(found: Set) -> Iterator[Fault]:
    """GRUB stops with `file not found`, and the machine does not start."""
    if not found.said.entries:
        yield "it has no entry, so nothing could be started"
    system = found.system(BOOT)
    if system is None:
        return  # SET002 and SET007 say why
    there = {file.path: file for file in system.files}
    for entry in found.said.entries:
        for path, sha256 in ((entry.kernel, entry.kernel_sha256), (entry.initrd, entry.initrd_sha256)):
            file = there.get(path.lstrip("/"))
            if file is None:
                yield f"the entry {entry.id} names {path}, which is not in the boot tree"
                continue
            state = hashlib.sha256()
            for chunk in chunks(file.inode.data):
                state.update(chunk)
            if state.hexdigest() != sha256:
                yield f"the entry {entry.id}: {path} has the SHA-256 {state.hexdigest()}, not {sha256}"


def _members(found: Set) -> Iterator[Member]:
    """Yield the files; none is looked into: those that are file systems were, before they came here."""
    for name, image in found.files.items():
        yield Member(name, image, kind="")


PARTITION_SET = Kind("partition-set", "set of partitions", "SET000", read_set, tuple(rule.table), _members)
