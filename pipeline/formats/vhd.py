"""Reads VHD images, fixed and dynamic, and writes the footer of fixed ones.

Specification: Microsoft, Virtual Hard Disk Image Format Specification 1.0 (2006), "Hard Disk Footer Format",
"Dynamic Disk Header Format", "Block Allocation Table and Data Blocks", Appendix (CHS, checksum)
"""

import math
import struct
from dataclasses import dataclass
from uuid import UUID

from pipeline.errors import FormatError
from pipeline.formats.budget import Budget
from pipeline.formats.fields import Image, budget_of, cut, readable
from pipeline.formats.virtual_disk import SECTOR, Blocks, Container, Place, checked_size, disk_of

COOKIE, DYNAMIC_COOKIE = b"conectix", b"cxsparse"
FOOTER = ">8sIIQI4sI4sQQHBBII16sB427x"
DYNAMIC_HEADER = ">8sQQIIII"
HEADER_SIZE = 1024
CHECKSUM, DYNAMIC_CHECKSUM = 64, 36  # bytes from the start of the structure
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4
TYPES = {FIXED: "fixed", DYNAMIC: "dynamic", DIFFERENCING: "differencing"}
NOWHERE = 0xFFFF_FFFF_FFFF_FFFF
UNUSED = 0xFFFF_FFFF
RESERVED = 2  # the feature that is always set
VERSION = 0x10000
CREATOR = b"qem2"
"""Who made it. QEMU goes by the size in bytes for some makers, and by cylinders, heads and sectors for
others; this is its own name for what goes by the size."""
COUNT_BYTES = (CREATOR, b"win ", b"d2v ", b"tap\0", b"CTXS", b"wa\0\0")
CREATOR_VERSION, CREATOR_OS = 0x50003, b"Wi2k"
MAX_CHS = 65535 * 16 * 255  # sectors

AGAIN = "make it again: `qemu-img convert -O vpc -o subformat=fixed,force_size=on OLD NEW`"


@dataclass(frozen=True, slots=True)
class Footer:
    """A footer, as it is recorded: sizes in bytes, `stamp` in seconds since 2000."""

    features: int
    version: int
    data_offset: int
    stamp: int
    creator: bytes
    original_size: int
    current_size: int
    chs: tuple[int, int, int]
    kind: int
    checksum: int
    identifier: UUID
    right_checksum: int

    @property
    def counts_bytes(self) -> bool:
        """Whether readers go by the size in bytes, as its maker does, not by cylinders."""
        return self.creator in COUNT_BYTES

    @property
    def chs_size(self) -> int:
        """The bytes that cylinders, heads and sectors give."""
        return math.prod(self.chs) * SECTOR


@dataclass(frozen=True, slots=True)
class Table:
    """What a dynamic disk says of its blocks: where their table lies, how many there are, and their size."""

    offset: int
    entries: int
    block_size: int
    checksum: int
    right_checksum: int

    @property
    def bitmap(self) -> int:
        """The bytes in front of a block that say which of its sectors were written: whole sectors."""
        return -(-self.block_size // SECTOR // 8 // SECTOR) * SECTOR


@dataclass(frozen=True, slots=True)
class Vhd:
    """An image: its footer, the copy in front of a dynamic disk, and the table of that."""

    image: Image
    footer: Footer
    copy: bytes
    table: Table | None

    @property
    def kind(self) -> str:
        """What people call it: fixed, dynamic or differencing."""
        return TYPES[self.footer.kind]

    @property
    def in_short(self) -> str:
        """What the tree says of it."""
        return f"{self.kind}, {self.footer.current_size} bytes"


def is_vhd(image: Image) -> bool:
    """Say whether a footer is at the end, or a copy of one in front."""
    return (len(image) >= SECTOR and bytes(image[-SECTOR : len(COOKIE) - SECTOR]) == COOKIE) or bytes(
        image[: len(COOKIE)]
    ) == COOKIE


def checksum(structure: bytes, at: int) -> int:
    """Return the checksum that belongs at `at`: the complement of the sum of all other bytes."""
    return ~(sum(structure) - sum(structure[at : at + 4])) & 0xFFFF_FFFF


def read_vhd(image: Image) -> Vhd:
    """Read footer and table. Raises FormatError where there is none, or it cannot be of this file."""
    copy = bytes(image[:SECTOR])
    at = len(image) - SECTOR
    if len(image) >= SECTOR and bytes(image[at : at + 8]) != COOKIE and copy.startswith(COOKIE):
        at = 0  # the end is lost; the copy says the same
    footer = _footer(bytes(cut(image, at, SECTOR, "VHD: footer")))
    if footer.kind == FIXED:
        cut(image, 0, footer.current_size, "VHD: the disk")
        return Vhd(image, footer, b"", None)
    raw = bytes(cut(image, footer.data_offset, HEADER_SIZE, "VHD: header of a dynamic disk"))
    cookie, _, offset, _, entries, block_size, total = struct.unpack_from(DYNAMIC_HEADER, raw)
    if cookie != DYNAMIC_COOKIE:
        raise FormatError(
            f"VHD: the header of a dynamic disk begins with {readable(cookie)}, not 'cxsparse'", AGAIN
        )
    if block_size < SECTOR or block_size % SECTOR:
        raise FormatError(f"VHD: blocks of {block_size} bytes, which are no sectors of {SECTOR}", AGAIN)
    if entries * block_size < footer.current_size:
        raise FormatError(
            f"VHD: {entries} blocks of {block_size} bytes are too few for a disk of {footer.current_size}",
            AGAIN,
        )
    cut(image, offset, entries * 4, "VHD: block allocation table")
    table = Table(offset, entries, block_size, total, checksum(raw, DYNAMIC_CHECKSUM))
    return Vhd(image, footer, copy, table)


def _footer(raw: bytes) -> Footer:
    fields = struct.unpack(FOOTER, raw)
    cookie, features, version, data_offset, stamp, creator, _, _, original, current = fields[:10]
    kind, total, identifier = fields[13:16]
    if cookie != COOKIE:
        raise FormatError(
            f"VHD: the footer begins with {readable(cookie)}, not 'conectix'", "give a whole VHD"
        )
    if kind not in TYPES:
        raise FormatError(f"VHD: disk type {kind}; 2 (fixed), 3 (dynamic) and 4 are possible", AGAIN)
    return Footer(
        features,
        version,
        data_offset,
        stamp,
        creator,
        original,
        checked_size(current),
        fields[10:13],
        kind,
        total,
        UUID(bytes=identifier),
        checksum(raw, CHECKSUM),
    )


def why_elsewhere(found: Vhd) -> FormatError | None:
    """Return why the disk cannot be read out of this file alone, None where it can be."""
    if found.footer.kind != DIFFERENCING:
        return None
    return FormatError(
        "the disk is not all in this file: it has what differs from another VHD",
        "merge it with its parent, for example with Merge-VHD or `qemu-img convert`",
    )


def open_disk(found: Vhd) -> Image:
    """Return the disk. Raises FormatError where another file has parts of it."""
    if fault := why_elsewhere(found):
        raise fault
    if found.table is None:
        return found.image[: found.footer.current_size]
    container, table = Container(found.image), found.table

    def find(number: int, budget: Budget) -> Place | None:
        raw = container.read(table.offset + 4 * number, 4, budget, "VHD: block allocation table")
        sector = int.from_bytes(raw, "big")
        return None if sector == UNUSED else Place(sector * SECTOR + table.bitmap)

    blocks = Blocks(container, table.block_size, find)
    return disk_of(blocks, found.footer.current_size, budget_of(found.image))


def geometry(sectors: int) -> tuple[int, int, int]:
    """Return cylinders, heads and sectors per track for a disk of so many sectors (Appendix)."""
    sectors = min(sectors, MAX_CHS)
    if sectors >= 65535 * 16 * 63:
        return sectors // 255 // 16, 16, 255
    per_track = 17
    tracks = sectors // per_track
    heads = max((tracks + 1023) // 1024, 4)
    if tracks >= heads * 1024 or heads > 16:
        per_track, heads = 31, 16
        tracks = sectors // per_track
    if tracks >= heads * 1024:
        per_track, heads = 63, 16
        tracks = sectors // per_track
    return tracks // heads, heads, per_track


def fixed_footer(size: int, identifier: UUID) -> bytes:
    """Return the 512 bytes that make a disk of `size` bytes, whole sectors, a fixed VHD, of no time."""
    cylinders, heads, per_track = geometry(size // SECTOR)
    raw = struct.pack(
        FOOTER,
        COOKIE,
        RESERVED,
        VERSION,
        NOWHERE,
        0,
        CREATOR,
        CREATOR_VERSION,
        CREATOR_OS,
        size,
        size,
        cylinders,
        heads,
        per_track,
        FIXED,
        0,
        identifier.bytes,
        0,
    )
    return raw[:CHECKSUM] + struct.pack(">I", checksum(raw, CHECKSUM)) + raw[CHECKSUM + 4 :]
