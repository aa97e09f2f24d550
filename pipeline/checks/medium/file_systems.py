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
from pipeline.formats import discoverable, gpt
from pipeline.formats.fields import Image
from pipeline.formats.magic import Format, recognise
from pipeline.formats.superblock import Content, Superblock, read_superblock
from pipeline.formats.verity import MAGIC, Verity, data_fault, read_verity, root_hash, tree_faults

DISCOVERABLE = "UAPI.2 Discoverable Partitions Specification"
REMAKE = "make the tree, the root hash and the disk again, of one file system"

MOUNTED = frozenset({Content.EXT4, Content.EROFS, Content.SQUASHFS})
WANTED: Mapping[UUID, tuple[str, frozenset[Content]]] = {
    discoverable.BIOS_BOOT: ("is for GRUB's code", frozenset()),
    discoverable.SWAP: ("is swap space", frozenset()),
    discoverable.XBOOTLDR: ("is for boot loaders", frozenset({Content.FAT, Content.EXT4})),
    discoverable.VAR: ("is for /var", frozenset({Content.EXT4})),
    discoverable.TMP: ("is for /var/tmp", frozenset({Content.EXT4})),
    **{kind: ("is for a tree of dm-verity", frozenset({Content.VERITY})) for kind in discoverable.VERIFIED},
    **dict.fromkeys(discoverable.VERIFIED.values(), ("is for / or /usr", MOUNTED)),
}
"""What of the contents that are known here may lie in a partition of a type; others, as LUKS, always may."""

rule = Rules[Partitions]()


def _part(disk: Partitions, one: gpt.Partition) -> Image:
    unit = disk.sector_size
    return disk.image[one.first_lba * unit : (one.last_lba + 1) * unit]


def _contents(disk: Partitions) -> Iterator[tuple[gpt.Partition, Superblock]]:
    """Yield the partitions of the GPT that have a superblock which can be read, with that."""
    for one in disk.used:
        found = attempt(read_superblock, _part(disk, one))
        if isinstance(found, Superblock):
            yield one, found


@rule(
    "DISK017",
    "partitions have what their types say",
    lenient=True,
    spec=f'{DISCOVERABLE}, "Defined Partition Type UUIDs"',
    fix="correct `Type=` in repart.d, or what `CopyBlocks=` names",
)
def contents_are_of_their_types(disk: Partitions) -> Iterator[Fault]:
    """What starts a system mounts partitions by their types, and finds something else there."""
    for one, found in _contents(disk):
        what, wanted = WANTED.get(one.kind, ("", frozenset({found.content})))
        if found.content not in wanted:
            yield f"GPT partition {one.number} {what} by its type, but has {found.content.value}"


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
        labels["partitions", one.name].append(one.number)
    for one, found in _contents(disk):
        labels["file systems", found.label].append(one.number)
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
    "partitions hold all of their file systems",
    lenient=True,
    spec="Linux, fs/ext4/super.c (ext4_check_geometry); UEFI 2.10, §5.3.3",
    fix="make the partition as large as its file system, or the file system smaller",
)
def partitions_hold_their_file_systems(disk: Partitions) -> Iterator[Fault]:
    """Linux mounts no ext4 that is larger than its partition, and reads no further than that of others."""
    for one, found in _contents(disk):
        size = (one.last_lba - one.first_lba + 1) * disk.sector_size
        if found.size > size and found.content is not Content.FAT:  # of which DISK015 says it
            yield (
                f"GPT partition {one.number} is too small for its content: it has {size} bytes, "
                f"{found.content.value} of {found.size} is in it"
            )


@rule(
    "DISK021",
    "file systems in partitions can be read",
    lenient=True,
    spec="Linux, Documentation/filesystems and Documentation/admin-guide/device-mapper/verity.rst",
    fix="make the file system again",
)
def superblocks_can_be_read(disk: Partitions) -> Iterator[Fault]:
    """Linux mounts no file system whose superblock contradicts itself."""
    for one in disk.used:
        part = _part(disk, one)
        found = attempt(read_superblock, part)
        if isinstance(found, FormatError) and recognise(part) is not Format.FAT:  # whose rules say it
            yield f"GPT partition {one.number}: {found.message}", found.hint


def _trees(disk: Partitions) -> Iterator[tuple[gpt.Partition, Image, Verity, bytes]]:
    """Yield the partitions with trees of dm-verity that can be read, and their root hashes."""
    for one in disk.used:
        tree = _part(disk, one)
        if one.kind in discoverable.VERIFIED and bytes(tree[: len(MAGIC)]) == MAGIC:
            verity = attempt(read_verity, tree)
            if isinstance(verity, Verity) and verity.levels:
                root = attempt(root_hash, verity, tree)
                if isinstance(root, bytes):
                    yield one, tree, verity, root


@rule(
    "DISK022",
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
    "DISK023",
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
