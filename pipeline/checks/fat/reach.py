"""What firmware reads of a FAT volume to start a program in it, and which volumes it reads at all.

Specification: UEFI 2.10, §13.3.1, as EDK II has it, from which most firmware is made: FatPkg, `FatOpenDevice`
(which volumes) and `FatAccessCache` (how much at once)
"""

from itertools import islice

from pipeline.checks.fat.volume import MIRRORING_OFFSET, EfiImage, media_is_known
from pipeline.formats.fat import chain
from pipeline.formats.fat_directory import Entry

PAGE = {"FAT12": 1 << 13, "FAT16": 1 << 16, "FAT32": 1 << 16}
"""Bytes that EDK II reads at once, counted from the root directory."""

VERSION_OFFSET = 42  # of FAT32, in the boot sector
NO_MIRROR = 0x80
MIN_FAT32 = 65525  # clusters


def refused(efi: EfiImage) -> tuple[str, str]:
    """Return why firmware reads no such volume, "" where it does, and the code of the finding for it."""
    volume = efi.volume
    count = f"{volume.cluster_count:,} clusters"
    if volume.variant == "FAT32" and volume.cluster_count < MIN_FAT32:
        return f"is FAT32 with {count}, and firmware takes none of fewer than {MIN_FAT32:,}", "FAT001"
    if volume.variant == "FAT16" and volume.cluster_count >= MIN_FAT32:
        return f"is FAT16 with {count}, and firmware takes none of {MIN_FAT32:,} or more", "FAT001"
    if any(media_is_known(efi)):
        return "has an invalid media descriptor", "FAT012"
    if volume.variant == "FAT32":
        (flags,) = bytes(volume.image[MIRRORING_OFFSET : MIRRORING_OFFSET + 1])
        if flags & NO_MIRROR:
            return "is FAT32 whose tables are not mirrored, which firmware refuses", ""
        if any(bytes(volume.image[VERSION_OFFSET : VERSION_OFFSET + 2])):
            return "is FAT32 of a version other than 0.0, which firmware refuses", ""
    return "", ""


def reach(efi: EfiImage, entry: Entry) -> int:
    """Return up to which byte of the volume firmware reads to start a file.

    That is the tables, the root directory, the directories above the file, and all of the file.
    Raises FormatError where a chain of clusters is broken.
    """
    volume = efi.volume
    above = {entry.path[:at] for at, letter in enumerate(entry.path) if letter == "/"}
    folders = [one.first_cluster for one in efi.directories if one.path in above]
    last = [max(chain(volume, efi.table, first)) for first in (*folders, volume.root_cluster) if first]
    if entry.size:
        last.append(_last(efi, entry))
    end = volume.data_offset + (max(last, default=1) - 1) * volume.cluster_size
    page = PAGE[volume.variant]
    pages = -(-(end - volume.root_offset) // page)
    return min(volume.root_offset + pages * page, volume.size)


def _last(efi: EfiImage, entry: Entry) -> int:
    """Return the last cluster of a file on the disk, which need not be the last of its chain."""
    count = -(-entry.size // efi.volume.cluster_size)
    if entry.first_cluster in efi.chains.runs:
        return entry.first_cluster + count - 1
    return max(islice(chain(efi.volume, efi.table, entry.first_cluster), count))
