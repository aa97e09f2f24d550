"""Reads qcow2 images, versions 2 and 3: clusters as they are, of zeros, and packed by deflate or zstd.

Specification: QEMU, docs/interop/qcow2.txt
https://www.qemu.org/docs/master/interop/qcow2.html
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS, Budget
from pipeline.formats.fields import CHUNK, Image, budget_of, cut, legible, unpack
from pipeline.formats.virtual_disk import (
    SECTOR,
    Blocks,
    Container,
    Kept,
    Place,
    checked_size,
    disk_of,
    elsewhere,
)

MAGIC = b"QFI\xfb"
HEADER = ">4sIQIIQIIQQIIQ"
LENGTHS = {2: 72, 3: 104}
"""Bytes of the header that every image of a version has."""
CLUSTER_BITS = range(9, 22)
MAX_L1 = 32 << 20  # bytes, as QEMU has it
MAX_NAME = 1023

DIRTY, CORRUPT, DATA_FILE, COMPRESSION, EXTENDED_L2 = (1 << bit for bit in range(5))
FEATURES = DIRTY | CORRUPT | DATA_FILE | COMPRESSION | EXTENDED_L2
DATA_FILE_NAME = 0x44415441  # the header extension
METHODS = {0: "deflate", 1: "zstd"}
SUBCLUSTERS = 32

OFFSET = 0x00FF_FFFF_FFFF_FE00
COMPRESSED, ALL_ZEROS = 1 << 62, 1

AGAIN = "make it again: `qemu-img convert -O qcow2 OLD NEW`"


@dataclass(frozen=True, slots=True)
class Qcow2:
    """An image; `size` is the disk's in bytes. `backing` and `data_file` name files that it needs."""

    image: Image
    version: int
    cluster_size: int
    size: int
    l1_offset: int
    l1_size: int  # entries
    refcounts_offset: int
    refcounts_size: int  # bytes
    refcount_bits: int
    snapshots: int
    features: int  # the incompatible ones
    compression: str
    encryption: int
    backing: str
    data_file: str | None

    @property
    def is_extended(self) -> bool:
        """Whether entries of L2 tables have 16 bytes, with a bit for each of 32 subclusters."""
        return bool(self.features & EXTENDED_L2)

    @property
    def entry_size(self) -> int:
        """The bytes of an entry of an L2 table."""
        return 16 if self.is_extended else 8

    @property
    def in_short(self) -> str:
        """What the tree says of it."""
        return f"version {self.version}, {self.size} bytes"

    def extent(self, entry: int) -> tuple[int, int]:
        """Return where a packed cluster lies by its L2 entry: offset and bytes, no more than the file has."""
        shift = 62 - (self.cluster_size.bit_length() - 1 - 8)
        offset = entry & ((1 << shift) - 1)
        sectors = (entry & (COMPRESSED - 1)) >> shift
        size = (sectors + 1) * SECTOR - offset % SECTOR
        return offset, min(size, max(len(self.image) - offset, 1))


def read_qcow2(image: Image) -> Qcow2:
    """Read the header. Raises FormatError for one that is damaged, or of an unknown version or feature."""
    fields = unpack(HEADER, image, 0, "qcow2: header")
    magic, version, backing_at, backing_size, bits, size, encryption = fields[:7]
    l1_size, l1_offset, refcounts_offset, refcount_clusters, snapshots, _ = fields[7:]
    if magic != MAGIC or version not in LENGTHS:
        raise FormatError(
            f"qcow2: it starts with {legible(magic)} and version {version}, not {legible(MAGIC)} and 2 or 3",
            "give a qcow2 image",
        )
    if bits not in CLUSTER_BITS:
        raise FormatError(f"qcow2: clusters of 2^{bits} bytes; 2^9 to 2^21 are possible", AGAIN)
    features, length, order, method = 0, LENGTHS[2], 4, 0
    if version == 3:
        features, _, _, order, length = unpack(">QQQII", image, 72, "qcow2: header of version 3")
        if length < LENGTHS[3]:
            raise FormatError(f"qcow2: the header has {length} bytes, not {LENGTHS[3]} or more", AGAIN)
        if features & COMPRESSION:
            (method,) = unpack(">B", image, 104, "qcow2: compression type")
    _check(features, order, method)
    backing = bytes(cut(image, backing_at, _name(backing_size), "qcow2: name of the backing file"))
    cluster = 1 << bits
    found = Qcow2(
        image,
        version,
        cluster,
        checked_size(size),
        l1_offset,
        l1_size,
        refcounts_offset,
        refcount_clusters * cluster,
        1 << order,
        snapshots,
        features,
        METHODS[method],
        encryption,
        backing.decode(errors="replace") if backing_at else "",
        _data_file(image, length, cluster) if features & DATA_FILE else None,
    )
    _check_l1(found)
    return found


def _check(features: int, order: int, method: int) -> None:
    if unknown := features & ~FEATURES:
        raise FormatError(f"qcow2: incompatible features {unknown:#x} are not known", AGAIN)
    if order > 6:
        raise FormatError(f"qcow2: refcounts of 2^{order} bits; at most 2^6 are possible", AGAIN)
    if method not in METHODS:
        raise FormatError(f"qcow2: compression type {method} is not known", AGAIN)


def _name(size: int) -> int:
    if size > MAX_NAME:
        raise FormatError(f"qcow2: a file name of {size} bytes; {MAX_NAME} are possible", AGAIN)
    return size


def _check_l1(found: Qcow2) -> None:
    """Raise FormatError unless the L1 table is in the file, and large enough for the disk."""
    covered = found.cluster_size * (found.cluster_size // found.entry_size)
    wanted = -(-found.size // covered)
    if found.l1_size < wanted or found.l1_size * 8 > MAX_L1:
        raise FormatError(
            f"qcow2: the L1 table has {found.l1_size} entries; a disk of {found.size} bytes takes {wanted}, "
            f"and {MAX_L1 // 8} are possible",
            AGAIN,
        )
    cut(found.image, found.l1_offset, found.l1_size * 8, "qcow2: L1 table")


def _data_file(image: Image, offset: int, end: int) -> str:
    """Return the name of the external data file, out of the header's extensions."""
    while offset + 8 <= end:
        kind, size = unpack(">II", image, offset, "qcow2: header extension")
        if kind == DATA_FILE_NAME:
            name = bytes(cut(image, offset + 8, _name(size), "qcow2: name of the data file"))
            return name.decode(errors="replace")
        if kind == 0:
            break
        budget_of(image).spend(STEPS)
        offset += 8 + size + -size % 8
    return ""


def why_elsewhere(found: Qcow2) -> FormatError | None:
    """Return why the disk cannot be read out of this file alone, None where it can be."""
    if found.encryption:
        return FormatError(
            f"the disk is encrypted (method {found.encryption}), and is not looked into",
            "decrypt it with `qemu-img convert`, which asks for the secret",
        )
    if found.data_file is not None:
        return elsewhere("its data file", found.data_file)
    return elsewhere("its backing file", found.backing) if found.backing else None


def open_disk(found: Qcow2) -> Image:
    """Return the disk. Raises FormatError where it is encrypted, or other files have parts of it."""
    if fault := why_elsewhere(found):
        raise fault
    container, tables = Container(found.image), Kept()
    parts = SUBCLUSTERS if found.is_extended else 1
    entries = found.cluster_size // found.entry_size

    def find(number: int, budget: Budget) -> Place | None:
        cluster, part = divmod(number, parts)
        index, at = divmod(cluster, entries)
        table = tables.get(index, lambda: _l2_table(found, container, index, budget))
        if not table:
            return None
        start = at * found.entry_size
        entry = int.from_bytes(table[start : start + 8], "big")
        bitmap = int.from_bytes(table[start + 8 : start + 16], "big") if found.is_extended else None
        return _place(found, entry, bitmap, part)

    unpacker = _inflated if found.compression == "deflate" else _from_zstd
    block = found.cluster_size // parts
    blocks = Blocks(container, block, find, unpacker, found.cluster_size)
    return disk_of(blocks, found.size, budget_of(found.image))


def _l2_table(found: Qcow2, container: Container, index: int, budget: Budget) -> bytes:
    """Return an L2 table, empty for one that is not there."""
    raw = container.read(found.l1_offset + 8 * index, 8, budget, "qcow2: L1 table")
    offset = int.from_bytes(raw, "big") & OFFSET
    return container.read(offset, found.cluster_size, budget, f"qcow2: L2 table {index}") if offset else b""


def _place(found: Qcow2, entry: int, bitmap: int | None, part: int) -> Place | None:
    skip = part * (found.cluster_size // SUBCLUSTERS)
    if entry & COMPRESSED:
        offset, size = found.extent(entry)
        return Place(offset, size, skip)
    offset = entry & OFFSET
    if bitmap is None:
        return Place(offset) if offset and not (found.version == 3 and entry & ALL_ZEROS) else None
    return Place(offset + skip) if offset and bitmap >> part & 1 else None


def _inflated(packed: bytes, size: int) -> bytes:
    try:
        return _whole(zlib.decompressobj(-12).decompress(packed, size), size)
    except zlib.error as error:
        raise FormatError(f"deflate: {error}", AGAIN) from error


def _from_zstd(packed: bytes, size: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(packed) as stream:
            return _whole(stream.read(size), size)
    except zstandard.ZstdError as error:
        raise FormatError(f"zstd: {error}", AGAIN) from error


def _whole(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise FormatError(f"{len(data)} bytes come out of it, not {size}", AGAIN)
    return data


def l2_tables(found: Qcow2) -> Iterator[int]:
    """Yield the offsets of the L2 tables that there are."""
    table = found.image[found.l1_offset : found.l1_offset + found.l1_size * 8]
    for start in range(0, len(table), CHUNK):
        budget_of(found.image).spend(STEPS)
        part = bytes(table[start : start + CHUNK])
        for (entry,) in struct.iter_unpack(">Q", part):
            if entry & OFFSET:
                yield entry & OFFSET


def extents(found: Qcow2) -> Iterator[tuple[int, int]]:
    """Yield where L2 tables and clusters lie, offset and bytes, each as often as it is referred to."""
    budget = budget_of(found.image)
    for offset in l2_tables(found):
        yield offset, found.cluster_size
        table = bytes(cut(found.image, offset, found.cluster_size, "qcow2: L2 table"))
        for at in range(0, len(table), found.entry_size):
            entry = int.from_bytes(table[at : at + 8], "big")
            if entry & COMPRESSED:
                budget.spend(STEPS)
                yield found.extent(entry)
            elif entry & OFFSET:
                budget.spend(STEPS)
                yield entry & OFFSET, found.cluster_size


def refcount(found: Qcow2, cluster: int, tables: Kept) -> int:
    """Return how often a cluster is used, by the refcounts. Raises FormatError where these are missing."""
    per_block = found.cluster_size * 8 // found.refcount_bits
    index, at = divmod(cluster, per_block)
    block = tables.get(index, lambda: _refcount_block(found, index))
    if not block:
        return 0
    bits = found.refcount_bits
    if bits < 8:
        return block[at * bits // 8] >> (at * bits % 8) & ((1 << bits) - 1)
    return int.from_bytes(block[at * bits // 8 : (at + 1) * bits // 8], "big")


def _refcount_block(found: Qcow2, index: int) -> bytes:
    if 8 * index >= found.refcounts_size:
        return b""
    (entry,) = unpack(">Q", found.image, found.refcounts_offset + 8 * index, "qcow2: refcount table")
    offset = entry & ~0x1FF
    return bytes(cut(found.image, offset, found.cluster_size, "qcow2: refcounts")) if offset else b""
