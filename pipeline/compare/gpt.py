"""The layout of disk images: the MBR, both GPT headers with their entries, the partitions.

Specification: UEFI 2.10, chapter 5 "GUID Partition Table (GPT) Disk Layout"
https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html
"""

from collections.abc import Iterator

from pipeline.compare import values
from pipeline.compare.span import Span, record, table
from pipeline.errors import FormatError
from pipeline.formats.fields import Image, unpack
from pipeline.formats.gpt import MAX_ENTRIES, PROTECTIVE, SIGNATURE, find_sector_size, read_mbr

MBR_PARTITION = table("""
    boot indicator 1 hex; *starting CHS 3 raw; OS type 1 hex; *ending CHS 3 raw; *starting LBA 4
    *size in LBA 4
""")
MBR = (
    Span(0, 440, "boot code", show=values.raw),
    *table("disk signature 4 hex; unknown 2 hex"),
    *(Span(0, 16, f"partition record {number}", record(MBR_PARTITION)) for number in range(1, 5)),
    *table("signature 2 raw"),
)
"""The fields of an MBR (§5.2)."""

HEADER = table("""
    signature 8 text; revision 4 hex; header size 4; *header CRC32 4 hex; reserved 4; *my LBA 8
    *alternate LBA 8; *first usable LBA 8; *last usable LBA 8; *disk GUID 16 guid; *partition entry LBA 8
    number of partition entries 4; size of partition entry 4; *partition entry array CRC32 4 hex
""")
ENTRY = table("""
    partition type GUID 16 guid; *unique partition GUID 16 guid; *starting LBA 8; *ending LBA 8
    attributes 8 hex; partition name 72 utf16
""")


def disk(image: Image) -> Iterator[Span]:
    """Yield the partition tables, then the partitions."""
    yield from tables(image)
    yield from partitions(image)


def tables(image: Image) -> Iterator[Span]:
    """Yield the MBR, and of a GPT the headers and entries, primary ones first."""
    yield Span(0, 512, "MBR", record(MBR))
    sector = find_sector_size(image)
    if not sector:
        return
    primary = image[sector : 2 * sector]
    (alternate,) = unpack("<Q", primary, 32, "GPT header")
    last = len(image) // sector - 1
    yield from _table(image, sector, 1, "primary")
    yield from _table(image, sector, alternate if alternate <= last else last, "backup")


def partitions(image: Image) -> Iterator[Span]:
    """Yield the partitions of the primary GPT, without one those of the MBR."""
    sector = find_sector_size(image)
    if not sector:
        for found in read_mbr(image):
            if found.kind != PROTECTIVE:
                yield Span(found.first_lba * 512, found.size * 512, f"MBR partition {found.number}")
        return
    lba, count, size = _entries(image, sector, 1)
    for number in range(1, count + 1):
        kind, first, last, name = unpack(
            "<16s16xQQ8x72s", image, lba * sector + (number - 1) * size, "GPT entry"
        )
        if any(kind):
            what = f"GPT partition {number} ({values.utf16(name)})"
            yield Span(first * sector, (last - first + 1) * sector, what)


def _table(image: Image, sector: int, lba: int, which: str) -> Iterator[Span]:
    start, end = lba * sector, (lba + 1) * sector
    if bytes(image[start : start + 8]) != SIGNATURE:
        return
    yield Span(start, end - start, f"{which} GPT header", record(HEADER))
    first, count, size = _entries(image, sector, lba)
    entries = tuple(Span(0, size, f"entry {number}", record(ENTRY)) for number in range(1, count + 1))
    yield Span(first * sector, count * size, f"{which} GPT entries", record(entries))


def _entries(image: Image, sector: int, lba: int) -> tuple[int, int, int]:
    """Return where the entries of a header start (LBA), how many there are and how large one is (bytes)."""
    first, count, size = unpack("<QII", image, lba * sector + 72, "GPT header")
    if count > MAX_ENTRIES or size < 128:
        raise FormatError(f"GPT: {count} entries of {size} bytes are not possible", "write the GPT again")
    return first, count, size
