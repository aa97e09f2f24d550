"""Reads GUID partition tables: the protective MBR, both headers, the partition entries.

Specification: UEFI 2.10, chapter 5 "GUID Partition Table (GPT) Disk Layout"
https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from pipeline.errors import FormatError
from pipeline.formats.fields import Image, cut, readable, unpack

EFI_SYSTEM_PARTITION = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
PROTECTIVE = 0xEE  # the partition type of a protective MBR
EXTENDED = frozenset({0x05, 0x0F})  # the types of partitions that others lie in
FIRST_LOGICAL, MAX_LOGICAL = 5, 60
SIGNATURE = b"EFI PART"
SECTOR_SIZES = (512, 4096)  # bytes

MIN_ENTRY_SIZE = 128  # bytes
MAX_ENTRY_SIZE = 4096
MAX_ENTRIES = 1024


@dataclass(frozen=True, slots=True)
class MbrPartition:
    """One of the four partitions of an MBR; sizes and addresses are blocks."""

    number: int
    bootable: bool
    kind: int
    first_lba: int
    size: int


@dataclass(frozen=True, slots=True)
class Partition:
    """A used entry of the table; `last_lba` still belongs to the partition."""

    number: int
    kind: UUID
    guid: UUID
    first_lba: int
    last_lba: int
    attributes: int
    name: str


@dataclass(frozen=True, slots=True)
class Table:
    """One of the two headers, with its entries; addresses are blocks (LBA)."""

    lba: int
    alternate_lba: int
    first_usable_lba: int
    last_usable_lba: int
    disk_guid: UUID
    partitions: tuple[Partition, ...]


def read_mbr(image: Image) -> tuple[MbrPartition, ...]:
    """Return the MBR's partitions, empty ones left out (§5.2). FormatError when there is no MBR."""
    signature = bytes(cut(image, 0, 512, "MBR")[510:])
    if signature != b"\x55\xaa":
        raise FormatError(
            f"MBR: the signature at offset 510 is {signature.hex()}, not 55aa", "write the image with an MBR"
        )
    return mbr_partitions(image)


def mbr_partitions(image: Image) -> tuple[MbrPartition, ...]:
    """Return what would be the MBR's partitions, whatever its signature is. FormatError for fewer bytes."""
    partitions = []
    for number in range(1, 5):
        flag, _, kind, _, first, size = unpack("<B3sB3sII", image, 446 + 16 * (number - 1), "MBR")
        if kind:
            partitions.append(MbrPartition(number, flag == 0x80, kind, first, size))
    return tuple(partitions)


def logical_partitions(
    image: Image, extended: MbrPartition, sector_size: int = 512
) -> Iterator[MbrPartition]:
    """Yield the logical partitions in an extended one, numbered from 5 on, as far as their chain is good.

    Each link is a block like an MBR: its first record is the partition, counted from the link on, its second
    the next link, counted from the extended partition on.
    """
    link, seen = 0, set[int]()
    for number in range(FIRST_LOGICAL, FIRST_LOGICAL + MAX_LOGICAL):
        start = extended.first_lba + link
        block = bytes(image[start * sector_size : start * sector_size + 512])
        if len(block) < 512 or link in seen:
            return
        seen.add(link)
        flag, _, kind, _, first, size = unpack("<B3sB3sII", block, 446, "MBR")
        if not first or not size or link + first + size > extended.size:
            return
        yield MbrPartition(number, flag == 0x80, kind, start + first, size)
        _, _, kind, _, link, _ = unpack("<B3sB3sII", block, 462, "MBR")
        if kind not in EXTENDED or not link:
            return


def find_sector_size(image: Image) -> int | None:
    """Return the bytes in a block, by where a header stands, primary or backup; None without one."""
    for size in SECTOR_SIZES:
        for offset in (size, (len(image) // size - 1) * size):
            if bytes(image[offset : offset + 8]) == SIGNATURE:
                return size
    return None


def read_table(image: Image, lba: int, sector_size: int = 512) -> Table:
    """Read the header at block `lba` and its entries (§5.3), blocks being `sector_size` bytes.

    Raises FormatError when the signature, a checksum or the header's own address is wrong, when the
    entries lie outside the image, and when a partition ends before it begins.
    """
    where = f"GPT header at LBA {lba}"
    header = bytes(cut(image, lba * sector_size, sector_size, where))
    signature, size, crc, own, alternate, first, last = unpack("<8s4xII4xQQQQ", header, 0, where)
    guid, entries_lba, count, entry_size, entries_crc = unpack("<16sQIII", header, 56, where)
    if signature != SIGNATURE:
        raise FormatError(
            f"{where}: the signature is {readable(signature)}, not {readable(SIGNATURE)}",
            "write the image with a GPT",
        )
    if not 92 <= size <= sector_size:
        raise FormatError(f"{where}: a header of {size} bytes is not possible", "write the GPT again")
    _check_crc(where, header[:16] + bytes(4) + header[20:size], crc)
    if own != lba:
        raise FormatError(f"{where}: it says that it lies at LBA {own}", "write the GPT again")
    if not MIN_ENTRY_SIZE <= entry_size <= MAX_ENTRY_SIZE or entry_size % 8 or count > MAX_ENTRIES:
        raise FormatError(
            f"{where}: {count} entries of {entry_size} bytes are not possible", "write the GPT again"
        )
    entries = bytes(cut(image, entries_lba * sector_size, count * entry_size, f"{where}: entries"))
    _check_crc(f"{where}: entries", entries, entries_crc)
    return Table(
        lba=own,
        alternate_lba=alternate,
        first_usable_lba=first,
        last_usable_lba=last,
        disk_guid=UUID(bytes_le=guid),
        partitions=tuple(
            _read_partition(number, entries, (number - 1) * entry_size)
            for number in range(1, count + 1)
            if any(bytes(entries[(number - 1) * entry_size :][:16]))
        ),
    )


def _check_crc(where: str, data: bytes, expected: int) -> None:
    found = zlib.crc32(bytes(data))
    if found != expected:
        raise FormatError(
            f"{where}: the checksum is {expected:#010x}, but the bytes give {found:#010x}",
            "write the GPT again; something changed it afterwards",
        )


def _read_partition(number: int, entries: bytes, offset: int) -> Partition:
    kind, guid, first, last, attributes, name = unpack("<16s16sQQQ72s", entries, offset, "GPT entry")
    text = name.decode("utf-16-le", errors="replace").partition("\0")[0]
    return Partition(number, UUID(bytes_le=kind), UUID(bytes_le=guid), first, last, attributes, text)
