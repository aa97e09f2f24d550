"""Where firmware looks for programs on a medium: which bytes a boot image or a partition covers.

There are two ways to look: by the rules, and as EDK II does, from which most firmware is made.
Specifications: UEFI 2.10, §13.3.2 "Partition Discovery"; El Torito 1.0;
EDK II, MdeModulePkg/Universal/Disk/PartitionDxe
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, zip_longest

from pipeline.checks.attempt import or_none
from pipeline.checks.fat.volume import EfiImage
from pipeline.checks.kind import Node
from pipeline.checks.medium.iso import FLOPPY, HARD_DISK, Iso
from pipeline.checks.medium.partitions import Partitions, read_partitions
from pipeline.checks.medium.programs import Program, in_tree, in_volume
from pipeline.errors import FormatError
from pipeline.formats import eltorito, gpt
from pipeline.formats.eltorito import BootEntry
from pipeline.formats.fields import Image, unpack
from pipeline.formats.magic import Format, describe, recognise
from pipeline.formats.udf import Udf, has_two_anchors

CD_BLOCK = eltorito.SECTOR_SIZE
DISK_BLOCKS = gpt.SECTOR_SIZES  # bytes
MBR_EFI_SYSTEM = 0xEF
VOLUME_SIZE = 0x8050  # where the primary volume descriptor says it, in blocks of 2048 bytes
OS_SPECIFIC = 2  # attribute of a GPT partition that firmware leaves out: no block I/O protocol


@dataclass(frozen=True)
class Place:
    """Somewhere that firmware looks: a boot image of a CD, a partition, or all there is.

    It covers `size` bytes from `offset` on, none where firmware can read none of them. `node` is what was
    taken apart there. `is_system` tells whether firmware has to look.
    """

    name: str
    offset: int
    size: int
    medium: Node
    node: Node | None
    is_system: bool
    is_udf: bool = False

    @property
    def image(self) -> Image:
        """The bytes that it covers, as far as there are any."""
        return self.medium.member.image[self.offset : self.offset + self.size]

    @property
    def is_fat(self) -> bool:
        """Whether it begins with a FAT file system that can be read."""
        return bool(self.size and self.node and is_fat(self.node) and self.node.artifact)

    @property
    def fat(self) -> EfiImage:
        """The FAT file system that it is; TypeError where `is_fat` is not so."""
        if self.node is None or not isinstance(self.node.artifact, EfiImage):
            raise TypeError(f"{self.name} is no FAT file system")
        return self.node.artifact

    @cached_property
    def programs(self) -> tuple[Program, ...]:
        """The programs that firmware would start, if they lie inside."""
        if self.is_udf:
            names = {member.path[1:].casefold() for member in self.medium.artifact.udf.members}
            return in_tree(child for child in self.medium.children if child.name.casefold() in names)
        return in_volume(self.node) if self.node and self.is_fat else ()

    @property
    def what(self) -> str:
        """What lies there, as a noun phrase."""
        if self.is_udf:
            return "a file system of its own"
        if not len(self.image):
            return "something beyond the end of the file"
        if recognise(self.image) is Format.FAT:
            return "a FAT file system that is cut off or damaged"
        return describe(self.image)


def on_cd(node: Node, *, by_rules: bool) -> tuple[Place, ...]:
    """Return where firmware looks on a CD: at what El Torito's entries point; EDK II reads UDF, too."""
    places = tuple(_torito(node, CD_BLOCK, by_rules=by_rules))
    iso = node.artifact
    if by_rules or not isinstance(iso, Iso) or not isinstance(iso.udf, Udf) or not has_two_anchors(iso.image):
        return places
    whole = Place("the UDF file system", 0, len(iso.image), node, None, is_system=False, is_udf=True)
    return (*places, whole)


def on_disk(node: Node, block: int, *, by_rules: bool) -> tuple[Place, ...]:
    """Return where firmware looks on a disk or stick whose blocks are `block` bytes.

    EDK II goes by the first of GPT, El Torito and MBR that is there (§13.3.2); much other firmware knows
    El Torito of CDs only. What has none of them is one file system.
    """
    if is_fat(node):
        return (Place("the whole medium", 0, len(node.member.image), node, node, is_system=False),)
    disk = tables(node, block)
    find = finder(node)
    if disk.used if by_rules else has_gpt(disk):
        return tuple(
            find(
                f"GPT partition {one.number}",
                one.first_lba * block,
                (one.last_lba - one.first_lba + 1) * block,
                one.kind == gpt.EFI_SYSTEM_PARTITION,
            )
            for one in gpt_partitions(disk)
        )
    boots = () if by_rules else tuple(_torito(node, block, by_rules=False))
    return boots or tuple(
        find(
            f"MBR partition {one.number}",
            one.first_lba * block,
            one.size * block,
            one.kind == MBR_EFI_SYSTEM,
        )
        for one in mbr_partitions(disk, by_rules=by_rules)
    )


def tables(node: Node, block: int) -> Partitions:
    """Return the partition tables of a medium, taken for a disk whose blocks are `block` bytes."""
    disk = own_tables(node)
    return disk if disk.sector_size == block else read_partitions(disk.image, block)


def has_gpt(disk: Partitions) -> bool:
    """Tell whether EDK II goes by a GPT: it does not mind the MBR's signature, which the rules ask for."""
    return isinstance(disk.table, gpt.Table) and any(
        one.kind == gpt.PROTECTIVE and one.first_lba == 1
        for one in or_none(gpt.mbr_partitions, disk.image) or ()
    )


def gpt_partitions(disk: Partitions) -> tuple[gpt.Partition, ...]:
    """Return the GPT's partitions that firmware shows: in usable blocks, and no block in two of them."""
    table = disk.table
    if isinstance(table, FormatError):
        return ()
    usable = sorted(
        (
            one
            for one in table.partitions
            if table.first_usable_lba <= one.first_lba <= one.last_lba <= table.last_usable_lba
        ),
        key=lambda one: one.first_lba,
    )
    reached = [0, *accumulate((one.last_lba for one in usable), max)]  # by those before
    following = [one.first_lba for one in usable[1:]]
    apart = (
        one
        for one, before, after in zip_longest(usable, reached[: len(usable)], following)
        if before < one.first_lba and (after is None or one.last_lba < after)
    )
    shown = (one for one in apart if not one.attributes & OS_SPECIFIC)
    return tuple(sorted(shown, key=lambda one: one.number))


def mbr_partitions(disk: Partitions, *, by_rules: bool) -> tuple[gpt.MbrPartition, ...]:
    """Return the MBR's partitions that firmware shows: EDK II none where two overlap, or one runs out."""
    used = [one for one in disk.records if one.size]
    if not by_rules:
        used.sort(key=lambda one: one.first_lba)
        ends = [one.first_lba + one.size for one in used]
        overlap = any(end > one.first_lba for end, one in zip(ends, used[1:], strict=False))
        if overlap or any(end > disk.last_lba + 1 for end in ends):
            return ()
    plain = (one for one in used if one.kind not in (gpt.PROTECTIVE, *gpt.EXTENDED))
    return (*sorted(plain, key=lambda one: one.number), *disk.logical)


def _torito(node: Node, block: int, *, by_rules: bool) -> Iterator[Place]:
    """Yield what El Torito's entries point at.

    EDK II takes entries for any platform that are marked as bootable, as far as the catalog's first block
    has them; by the rules they are for platform 0xEF and emulate nothing (§13.3.2.1).
    """
    iso = node.artifact
    if not isinstance(iso, Iso) or CD_BLOCK % block:
        return
    find = finder(node)
    numbers = {entry.record: number for number, entry in enumerate(iso.entries, start=1)}
    for entry in iso.entries if by_rules else eltorito.scan_catalog(iso.image):
        name = f"El Torito's entry {numbers.get(entry.record, entry.record)}"
        size = entry.size or max(len(iso.image) - entry.offset, 0)
        if not by_rules:
            is_taken = entry.load_rba > 0 and entry.record < block // eltorito.ENTRY_SIZE
            size = edk2_size(iso, entry, block)
        else:
            is_efi = entry.platform == eltorito.PLATFORM_EFI
            is_taken = entry.bootable and is_efi and entry.media == eltorito.NO_EMULATION
        if is_taken:
            yield find(name, entry.offset, size, True)


def edk2_size(iso: Iso, entry: BootEntry, block: int = CD_BLOCK) -> int:
    """Return how many bytes EDK II takes an entry for, on a medium whose blocks are `block` bytes.

    It counts in sectors of 2048 bytes, where El Torito has 512 (§2.2); a count of 0 or 1 means up to the end
    of the ISO's volume, by its primary volume descriptor. What lies behind that has none.
    """
    count = (
        FLOPPY[entry.media] // eltorito.VIRTUAL_SECTOR_SIZE if entry.media in FLOPPY else entry.sector_count
    )
    if entry.media not in (eltorito.NO_EMULATION, HARD_DISK, *FLOPPY):
        count = 0
    if count < 2:
        return max(volume_end(iso) - entry.offset, 0)
    emulates = entry.media != eltorito.NO_EMULATION
    return count * (eltorito.VIRTUAL_SECTOR_SIZE * (CD_BLOCK // block) if emulates else CD_BLOCK)


def volume_end(iso: Iso) -> int:
    """Return where the ISO's volume ends, in bytes; no later than the file does."""
    (blocks,) = unpack("<I", iso.image, VOLUME_SIZE, "ISO 9660: primary descriptor")
    return min(int(blocks) * CD_BLOCK, len(iso.image))


def finder(medium: Node) -> Callable[[str, int, int, bool], Place]:
    """Return what finds places on a medium by name, offset, size and whether firmware has to look there.

    A FAT file system counts before anything else in the same place. However many entries of a table point at
    the same bytes, they are one place with several names.
    """
    nodes: dict[int | None, Node] = {}
    for child in medium.children:
        first = nodes.setdefault(child.member.offset, child)
        if is_fat(child) and not is_fat(first):
            nodes[child.member.offset] = child
    places: dict[tuple[int, int, bool], Place] = {}

    def find(name: str, offset: int, size: int, is_system: bool) -> Place:
        place = Place(name, offset, size, medium, nodes.get(offset), is_system)
        return places.setdefault((offset, size, is_system), place)

    return find


def is_fat(node: Node) -> bool:
    """Tell whether something is a FAT file system, good or damaged."""
    return node.kind is not None and node.kind.name == "fat"


def own_tables(node: Node) -> Partitions:
    """Return the partition tables of an ISO or disk, by the blocks that they were made for."""
    return node.artifact if isinstance(node.artifact, Partitions) else node.artifact.partitions


def own_block(node: Node) -> int:
    """Return the bytes in a block of the disk that a medium was made for; 512 where it says nothing."""
    return DISK_BLOCKS[0] if is_fat(node) else own_tables(node).sector_size
