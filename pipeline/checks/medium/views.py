"""Owns comparing what several views of one medium say of the same blocks: tables, file systems, boot images.

Must not know which of them firmware goes by: one that disagrees is read by somebody.

Specifications: UEFI 2.10, §5.2.3 and §5.3; ECMA-119, §9.1; Microsoft FAT Specification, §3.1
"""

from collections.abc import Iterator
from itertools import islice

from pipeline.checks.finding import Fault
from pipeline.checks.kind import Node
from pipeline.checks.medium.iso import Iso, volume_size
from pipeline.checks.medium.partitions import Partitions, attempt
from pipeline.checks.medium.places import edk2_size, volume_end
from pipeline.errors import FormatError
from pipeline.formats import eltorito, gpt
from pipeline.formats.fields import Image
from pipeline.formats.iso9660 import Iso9660

SECTOR = eltorito.VIRTUAL_SECTOR_SIZE
MAX_SHOWN = 8


def protective_is_inactive(disk: Partitions) -> Iterator[Fault]:
    """UEFI ignores the flag, but some firmware (of Dell and Lenovo) then takes the disk for one of a BIOS."""
    for one in () if isinstance(disk.mbr, FormatError) else disk.mbr:
        if one.kind == gpt.PROTECTIVE and one.bootable:
            yield (
                f"the MBR's protective partition {one.number} is marked as active, where 0x00 is prescribed",
                "`parted FILE disk_set pmbr_boot off`",
            )


def last_block_is_its_own(disk: Partitions) -> Iterator[Fault]:
    """Where the primary GPT is damaged, firmware goes by the table in the last block, whosever that is."""
    table = disk.primary
    if isinstance(table, FormatError) or table.alternate_lba >= disk.last_lba:
        return
    last = attempt(lambda: gpt.read_table(disk.image, disk.last_lba, disk.sector_size))
    if isinstance(last, gpt.Table) and last.disk_guid != table.disk_guid:
        yield (
            f"the last block has the backup of another GPT, of the disk {last.disk_guid}",
            "`sgdisk -e FILE` moves the disk's own backup there",
        )


def partitions_hold_their_fat(disk: Partitions) -> Iterator[Fault]:
    """Firmware reads no further than the partition, and Linux does not mount what is larger."""
    for place in disk.places:
        volume = volume_size(disk.image[place.offset : place.offset + place.size])
        if place.size < volume <= len(disk.image) - place.offset:
            yield (
                f"{place.name} has {place.size // SECTOR:,} sectors, "
                f"the FAT file system in it {volume // SECTOR:,}",
                "make the partition as long as its file system, or the file system shorter",
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
            f"but the ISO ends at {len(iso.image)}",
            "give it the sectors of its FAT image, or 0",
        )
    elif 0 < entry.size < boot.volume:
        yield (
            f"El Torito's EFI entry covers {entry.sector_count:,} of the {boot.volume // SECTOR:,} sectors "
            "which its FAT has",
            f"give xorriso `-boot-load-size {boot.volume // SECTOR}`",
        )


def boot_images_are_alone(iso: Iso) -> Iterator[Fault]:
    """A file in a boot image's blocks is what a later session wrote over it, and one of both is damaged."""
    files = iso.files.members if isinstance(iso.files, Iso9660) else ()
    faults = (
        (
            f"the ISO's {file.path} lies in the blocks of the FAT image that El Torito's entry "
            f"{boot.number} points at",
            "make the ISO again: something was added to it that wrote over the image",
        )
        for boot in iso.boot_images
        if boot.volume
        for file in files
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
