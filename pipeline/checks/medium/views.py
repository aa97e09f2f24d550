"""Comparing what several views of one medium say of the same blocks: tables, file systems, boot images.

Specifications: UEFI 2.10, §5.2.3 and §5.3; ECMA-119, §9.1; Microsoft FAT Specification, §3.1
"""

from collections.abc import Iterator
from itertools import islice

from pipeline.checks.attempt import attempt
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.kind import Node
from pipeline.checks.medium.iso import SECTOR_SIZE, Iso, volume_size
from pipeline.checks.medium.partitions import Partitions
from pipeline.checks.medium.places import edk2_size, volume_end
from pipeline.errors import FormatError
from pipeline.formats import eltorito, gpt
from pipeline.formats.fields import Image

SECTOR = eltorito.VIRTUAL_SECTOR_SIZE
MAX_SHOWN = 8

rule = Rules[Partitions]()
iso_rule = Rules[Iso]()
together = Rules[Node]()


@rule(
    "ISO029",
    "the protective partition is not active",
    also="DISK013",
    severity=Severity.WARNING,
    spec="UEFI 2.10, §5.2.3 (BootIndicator)",
    fix="turn it off with `parted FILE disk_set pmbr_boot off`",
)
def protective_is_inactive(disk: Partitions) -> Iterator[Fault]:
    """UEFI ignores the flag, but some firmware (of Dell and Lenovo) then takes the disk for one of a BIOS."""
    for one in disk.records:
        if one.kind == gpt.PROTECTIVE and one.bootable:
            yield f"the MBR's protective partition {one.number} is marked as active, where 0x00 is prescribed"


@rule(
    "ISO030",
    "the last block has no other disk's GPT",
    also="DISK014",
    severity=Severity.WARNING,
    spec="UEFI 2.10, §5.3.2",
    fix="move the disk's own backup there, with `sgdisk -e FILE`",
)
def last_block_is_its_own(disk: Partitions) -> Iterator[Fault]:
    """Where the primary GPT is damaged, firmware goes by the table in the last block, even another disk's."""
    table = disk.primary
    if isinstance(table, FormatError) or table.alternate_lba >= disk.last_lba:
        return
    last = attempt(gpt.read_table, disk.image, disk.last_lba, disk.sector_size)
    if isinstance(last, gpt.Table) and last.disk_guid != table.disk_guid:
        yield f"the last block has the backup of another GPT, of the disk {last.disk_guid}"


@rule(
    "ISO031",
    "partitions hold all of their FAT file systems",
    also="DISK015",
    severity=Severity.WARNING,
    spec="UEFI 2.10, §5.3.3; Microsoft FAT Specification (2005), §3.1",
    fix="make the partition as long as its file system, or the file system shorter",
)
def partitions_hold_their_fat(disk: Partitions) -> Iterator[Fault]:
    """Firmware reads no further than the partition, and Linux does not mount what is larger."""
    for place in disk.places:
        volume = volume_size(disk.image[place.offset : place.offset + place.size])
        if place.size < volume <= len(disk.image) - place.offset:
            yield (
                f"{place.name} has {place.size // SECTOR:,} sectors, "
                f"the FAT file system in it {volume // SECTOR:,}"
            )


@together(
    "DISK016",
    "sectors of FAT are no smaller than the disk's blocks",
    severity=Severity.WARNING,
    spec="Linux, fs/fat/inode.c (fat_fill_super)",
    fix="make it with `mkfs.vfat -S`, and the size of the disk's blocks",
)
def sectors_are_no_smaller(node: Node) -> Iterator[Fault]:
    """Linux mounts no FAT whose sectors are smaller than the disk's blocks."""
    disk: Partitions = node.artifact
    for child in node.children:
        volume = getattr(child.artifact, "volume", None)
        if volume and volume.sector_size < disk.sector_size:
            yield (
                f"{child.name} is FAT with sectors of {volume.sector_size} bytes on a disk with blocks of "
                f'{disk.sector_size}: Linux does not mount it ("logical sector size too small")',
                f"make it again with `mkfs.vfat -S {disk.sector_size}`",
            )


@iso_rule(
    "ISO013",
    "the EFI system partition is the boot image, the same blocks",
    policy="medium",
    spec="UEFI 2.10, §13.3.2.1",
    fix="give xorriso `-e --interval:appended_partition_2:all::`",
)
def system_partition_is_boot_image(iso: Iso) -> Iterator[Fault]:
    """A CD and a stick must boot the same: the same blocks, found in two ways."""
    partition, boot = iso.partitions.system_partition, iso.efi_image
    if partition is None or boot is None:
        return
    first, end = partition.first_lba * SECTOR_SIZE, (partition.last_lba + 1) * SECTOR_SIZE
    offset = boot.entry.offset
    size = max(boot.entry.size, boot.volume) if boot.entry.size else end - first
    if (first, end) != (offset, offset + size) and offset + size <= len(iso.image):
        yield (
            f"the EFI system partition is bytes {first} to {end}, "
            f"El Torito's EFI entry {offset} to {offset + size}"
        )


@iso_rule(
    "ISO018",
    "the EFI entry says how large the image is",
    lenient=True,
    spec="UEFI 2.10, §13.3.2.1; El Torito 1.0, §2.2 (sector count)",
    fix="give it the sectors of 512 bytes that its FAT image has, or 0 for all up to the end",
)
def efi_entry_covers_its_fat(iso: Iso) -> Iterator[Fault]:
    """Firmware reads no further than the entry says, in sectors of 512 bytes.

    0 and 1 mean up to the end of the medium by the rules, of the ISO's volume on EDK II.
    """
    entry, boot = iso.efi_entry, iso.efi_image
    if entry is None or boot is None or not iso.is_whole:
        return
    if not edk2_size(iso, entry):
        yield (
            f"El Torito's EFI entry has load size {entry.sector_count}, and its image lies behind the end of "
            f"the ISO volume ({volume_end(iso) // eltorito.SECTOR_SIZE} blocks), up to which EDK II reads",
            "give xorriso `-boot-load-size full`",
        )
    elif entry.size and entry.offset + entry.size > len(iso.image):
        yield (
            f"El Torito's EFI entry reaches to byte {entry.offset + entry.size}, "
            f"but the ISO ends at {len(iso.image)}"
        )
    elif 0 < entry.size < boot.volume:
        yield (
            f"El Torito's EFI entry covers {entry.sector_count:,} of the {boot.volume // SECTOR:,} sectors "
            "which its FAT has",
            f"give xorriso `-boot-load-size {boot.volume // SECTOR}`",
        )


@iso_rule(
    "ISO032",
    "no file lies in a boot image",
    severity=Severity.WARNING,
    spec="ECMA-119, §9.1.3; El Torito 1.0, §2.2",
    fix="make the ISO again: something was added to it that wrote over the image",
)
def boot_images_are_alone(iso: Iso) -> Iterator[Fault]:
    """A file in a boot image's blocks is what a later session wrote over it, and one of both is damaged."""
    faults = (
        f"the ISO's {file.path} lies in the blocks of the FAT image that El Torito's entry "
        f"{boot.number} points at"
        for boot in iso.boot_images
        if boot.volume
        for file in iso.members
        for offset, size in file.extents
        if _cuts_into(offset, offset + size, boot.entry.offset, boot.entry.offset + boot.volume)
    )
    yield from islice(faults, MAX_SHOWN)


def _cuts_into(first: int, end: int, start: int, stop: int) -> bool:
    """Tell whether a file shares bytes with an image, and is neither that nor around it."""
    return first < stop and start < end and first != start and not (first < start and stop <= end)


def is_for_macs(image: Image) -> bool:
    """Tell whether there is an Apple partition map, in blocks of 512 or 2048 bytes."""
    head = bytes(image[: eltorito.SECTOR_SIZE + SECTOR])
    return any(head[at : at + 4] == b"PM\0\0" for at in (SECTOR, eltorito.SECTOR_SIZE))
