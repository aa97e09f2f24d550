"""What must hold of a disk's partitions and the file systems in them: type, size, labels, trees of dm-verity.

Specifications: UAPI.2 Discoverable Partitions Specification; UEFI 2.10, §5.3.3; Linux,
Documentation/admin-guide/device-mapper/verity.rst
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from uuid import UUID

from pipeline.checks.attempt import attempt
from pipeline.checks.finding import Fault, Rules
from pipeline.checks.medium.partitions import Partitions
from pipeline.errors import FormatError
from pipeline.formats import discoverable, erofs, ext4, fat, gpt
from pipeline.formats.fields import Image
from pipeline.formats.magic import Format, recognise
from pipeline.formats.verity import Verity, data_fault, read_verity, root_hash, tree_faults

DISCOVERABLE = "UAPI.2 Discoverable Partitions Specification"
REMAKE = "make the tree, the root hash and the disk again, of one file system"

MOUNTED = frozenset({Format.EXT, Format.EROFS, Format.SQUASHFS})
KNOWN = MOUNTED | {Format.FAT, Format.VERITY}
WANTED: Mapping[UUID, tuple[str, frozenset[Format]]] = {
    discoverable.BIOS_BOOT: ("is for GRUB's code", frozenset()),
    discoverable.SWAP: ("is swap space", frozenset()),
    discoverable.XBOOTLDR: ("is for boot loaders", frozenset({Format.FAT, Format.EXT})),
    discoverable.VAR: ("is for /var", frozenset({Format.EXT})),
    discoverable.TMP: ("is for /var/tmp", frozenset({Format.EXT})),
    **{kind: ("is for a tree of dm-verity", frozenset({Format.VERITY})) for kind in discoverable.VERIFIED},
    **dict.fromkeys(discoverable.VERIFIED.values(), ("is for / or /usr", MOUNTED)),
}
"""What of those that are known here may lie in a partition of a type; others, as LUKS, always may."""

rule = Rules[Partitions]()


def _part(disk: Partitions, one: gpt.Partition) -> Image:
    unit = disk.sector_size
    return disk.image[one.first_lba * unit : (one.last_lba + 1) * unit]


def _contents(disk: Partitions) -> Iterator[tuple[gpt.Partition, Format, Image]]:
    """Yield the partitions of the GPT that have something known in them, with that."""
    for one in disk.used:
        part = _part(disk, one)
        content = recognise(part)
        if content in KNOWN:
            yield one, content, part


def _label(content: Format, image: Image) -> str:
    """Return the label of a file system, "" without. Raises FormatError where its superblock is damaged."""
    if content is Format.EXT:
        return ext4.read_volume(image).superblock.label
    if content is Format.EROFS:
        return erofs.read_volume(image).superblock.label
    label = fat.read_volume(image).label if content is Format.FAT else ""
    return "" if label == "NO NAME" else label


@rule(
    "DISK017",
    "partitions have what their types say",
    lenient=True,
    spec=f'{DISCOVERABLE}, "Defined Partition Type UUIDs"',
    fix="correct `Type=` in repart.d, or what `CopyBlocks=` names",
)
def contents_are_of_their_types(disk: Partitions) -> Iterator[Fault]:
    """What starts a system mounts partitions by their types, and finds something else there."""
    for one, content, _ in _contents(disk):
        what, wanted = WANTED.get(one.kind, ("", KNOWN))
        if content not in wanted:
            yield f"GPT partition {one.number} {what} by its type, but has {content.value}"


EMPTY = "_empty"
"""What partitions are called that wait for a version to come (systemd, sysupdate.d(5))."""


@rule(
    "DISK018",
    "partitions and file systems have labels of their own",
    lenient=True,
    spec="udev, 60-persistent-storage.rules (by-partlabel, by-label)",
    fix="give one of them another label",
)
def labels_are_given_once(disk: Partitions) -> Iterator[Fault]:
    """What is mounted by its label may be either of two that have it, another one at each boot."""
    labels = defaultdict[tuple[str, str], list[int]](list)
    for one in disk.used:
        if one.name != EMPTY:
            labels["partitions", one.name].append(one.number)
    for one, content, part in _contents(disk):
        label = attempt(_label, content, part)
        if isinstance(label, str):
            labels["file systems", label].append(one.number)
    for (what, label), numbers in labels.items():
        if label and len(numbers) > 1:
            shown = ", ".join(map(str, numbers))
            of = "GPT partitions" if what == "partitions" else "the file systems in GPT partitions"
            yield f"{of} {shown} have the same label, {label!r}"


@rule(
    "DISK019",
    "partitions have GUIDs of their own",
    lenient=True,
    spec="UEFI 2.10, §5.3.3 (UniquePartitionGUID)",
    fix="give one of them another, for example with `sgdisk --partition-guid`",
)
def guids_are_given_once(disk: Partitions) -> Iterator[Fault]:
    """Boot entries of firmware and `root=PARTUUID=` find a partition by it."""
    guids = defaultdict[UUID, list[int]](list)
    for one in disk.used:
        guids[one.guid].append(one.number)
    for guid, numbers in guids.items():
        if len(numbers) > 1:
            yield f"GPT partitions {', '.join(map(str, numbers))} have the same GUID, {guid}"


@rule(
    "DISK020",
    "trees of dm-verity can be read",
    lenient=True,
    spec="Linux, Documentation/admin-guide/device-mapper/verity.rst",
    fix=REMAKE,
)
def trees_can_be_read(disk: Partitions) -> Iterator[Fault]:
    """Linux verifies nothing by a superblock that contradicts itself, nor by a part of a tree."""
    for one, content, part in _contents(disk):
        verity = attempt(read_verity, part) if content is Format.VERITY else None
        if isinstance(verity, FormatError):
            yield f"GPT partition {one.number}: {verity.message}", verity.hint
        elif verity and verity.size > len(part):
            yield (
                f"GPT partition {one.number} is too small for its tree of dm-verity: "
                f"it has {len(part)} bytes, the tree {verity.size}"
            )


def _trees(disk: Partitions) -> Iterator[tuple[gpt.Partition, Image, Verity, bytes]]:
    """Yield the partitions with whole trees of dm-verity, and their root hashes."""
    for one, content, tree in _contents(disk):
        if one.kind in discoverable.VERIFIED and content is Format.VERITY:
            verity = attempt(read_verity, tree)
            if isinstance(verity, Verity) and verity.levels and verity.size <= len(tree):
                root = attempt(root_hash, verity, tree)
                if isinstance(root, bytes):
                    yield one, tree, verity, root


@rule(
    "DISK021",
    "data and trees of dm-verity are found by their root hash",
    lenient=True,
    spec=f'{DISCOVERABLE}, "Defined Partition Type UUIDs" (root hash)',
    fix="give the partitions the two halves of the root hash as their GUIDs, as the step `disk` does",
)
def pairs_are_found(disk: Partitions) -> Iterator[Fault]:
    """By `roothash=` on the command line systemd looks for partitions whose GUIDs are its two halves."""
    for one, _, _, root in _trees(disk):
        first, last = UUID(bytes=root[:16]), UUID(bytes=root[-16:])
        if one.guid != last:
            yield (
                f"GPT partition {one.number} has the GUID {one.guid}, but the root hash of its tree, "
                f"{root.hex()}, asks for {last}"
            )
        elif not any(
            each.guid == first for each in disk.used if each.kind == discoverable.VERIFIED[one.kind]
        ):
            yield (
                f"GPT partition {one.number} has the tree of data that is not there: by the root hash "
                f"{root.hex()} it should have the GUID {first}"
            )


@rule(
    "DISK022",
    "trees of dm-verity fit their data",
    lenient=True,
    spec="Linux, Documentation/admin-guide/device-mapper/verity.rst",
    fix=REMAKE,
)
def trees_fit_their_data(disk: Partitions) -> Iterator[Fault]:
    """Reading a block whose hash is another fails, and with it what starts from there."""
    verified = set[bytes]()  # root hashes: the data is read once for each
    for one, tree, verity, root in _trees(disk):
        if root in verified:
            continue
        verified.add(root)
        guid = UUID(bytes=root[:16])
        data = next((each for each in disk.used if each.guid == guid), None)
        for fault in tree_faults(verity, tree):
            yield f"GPT partition {one.number}: {fault}"
        fault = data_fault(verity, tree, _part(disk, data)) if data else ""
        if data and fault:
            yield f"GPT partitions {data.number} and {one.number} do not fit: {fault}"
