"""Reads VMDK images of one file: sparse and stream-optimised extents, and descriptors that name other files.

Specification: VMware, Virtual Disk Format 5.0 (2011), "The Descriptor File", "Hosted Sparse Extents",
"Stream-Optimized Compressed Sparse Extents"
"""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS, Budget
from pipeline.formats.fields import Image, budget_of, cut, legible, unpack
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

MAGIC = b"KDMV"
DESCRIPTOR = b"# Disk DescriptorFile"
HEADER = "<4sIIQQQQIQQQB4sH433x"
MARKER = "<QII496x"
"""A number (of sectors, or where a grain lies), a size, and if that is 0, a type."""
GRAIN = "<QI"
END, GRAIN_TABLE, GRAIN_DIRECTORY, FOOTER = range(4)
NEWLINES, REDUNDANT, ZEROED, PACKED, MARKERS = 1, 2, 4, 1 << 16, 1 << 17
DEFLATE = 1
AT_END = 0xFFFF_FFFF_FFFF_FFFF  # where the grain directory lies: the footer says it
NO_PARENT = "ffffffff"

MAX_DESCRIPTOR = 1 << 16  # bytes
MAX_EXTENTS = 1000
EXTENT = re.compile(r'(RW|RDONLY|NOACCESS)\s+(\d{1,19})\s+(\w+)(?:\s+"([^"]*)"(?:\s+\d+)?)?\s*')

AGAIN = "make it again: `qemu-img convert -O vmdk -o subformat=streamOptimized OLD NEW`"


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a sparse extent, as it is recorded: in sectors, where nothing else is said."""

    version: int
    flags: int
    capacity: int
    grain_size: int
    descriptor_offset: int
    descriptor_size: int
    entries: int  # of a grain table
    redundant_offset: int
    directory_offset: int
    overhead: int
    newlines: bytes
    compression: int

    @property
    def is_packed(self) -> bool:
        """Whether each grain is deflated, behind a marker."""
        return bool(self.flags & PACKED)


@dataclass(frozen=True, slots=True)
class Extent:
    """A line of a descriptor: of how many sectors an extent is, of which type, and in which file."""

    sectors: int
    kind: str
    file: str


@dataclass(frozen=True, slots=True)
class Vmdk:
    """An image: what its descriptor says, and the header of its extent; None where the file has no extent.

    `footer` is what counts of a header that says so, else None; `size` is the disk's, in bytes.
    """

    image: Image
    fields: Mapping[str, str]
    extents: tuple[Extent, ...]
    header: Header | None
    footer: Header | None
    size: int

    @property
    def counting(self) -> Header | None:
        """What counts of header and footer."""
        return self.footer or self.header

    @property
    def kind(self) -> str:
        """What its maker calls it, such as `streamOptimized`."""
        return self.fields.get("createtype", "a sparse extent")

    @property
    def in_short(self) -> str:
        """What the tree says of it."""
        return f"{self.kind}, {self.size} bytes"


def is_descriptor(image: Image) -> bool:
    """Say whether a file is a descriptor that names others."""
    return bytes(image[: len(DESCRIPTOR)]) == DESCRIPTOR


def read_vmdk(image: Image) -> Vmdk:
    """Read descriptor, header and footer. Raises FormatError where they are damaged."""
    if is_descriptor(image):
        fields, extents = _descriptor(bytes(image[:MAX_DESCRIPTOR]), image)
        return Vmdk(image, fields, extents, None, None, _size(sum(one.sectors for one in extents)))
    header = _header(image, 0)
    footer = None
    if header.directory_offset == AT_END:
        footer = _header(image, len(image) - 2 * SECTOR)
    raw = b""
    if header.descriptor_offset:
        size = min(header.descriptor_size * SECTOR, MAX_DESCRIPTOR)
        raw = bytes(cut(image, header.descriptor_offset * SECTOR, size, "VMDK: descriptor"))
    fields, extents = _descriptor(raw, image)
    found = Vmdk(image, fields, extents, header, footer, _size(header.capacity))
    cut(image, _directory(found)[0], _directory(found)[1] * 4, "VMDK: grain directory")
    return found


def _size(sectors: int) -> int:
    return checked_size(sectors * SECTOR)


def _header(image: Image, offset: int) -> Header:
    magic, *numbers = unpack(HEADER, image, offset, "VMDK: header" if offset == 0 else "VMDK: footer")
    if magic != MAGIC:
        raise FormatError(f"VMDK: {'footer' if offset else 'header'}: it starts with {legible(magic)}", AGAIN)
    del numbers[10]  # whether it was closed
    found = Header(*numbers)
    if found.version not in (1, 2, 3):
        raise FormatError(f"VMDK: version {found.version}; 1 to 3 are possible", AGAIN)
    size = found.grain_size
    if not 8 <= size <= 1 << 15 or size & (size - 1):
        raise FormatError(f"VMDK: grains of {size} sectors; powers of 2 from 8 to 32768 are possible", AGAIN)
    if not 1 <= found.entries <= 1 << 16:
        raise FormatError(f"VMDK: grain tables of {found.entries} entries; 512 are usual", AGAIN)
    if found.is_packed and found.compression != DEFLATE:
        raise FormatError(f"VMDK: compression {found.compression} is not known", AGAIN)
    return found


def _descriptor(raw: bytes, image: Image) -> tuple[Mapping[str, str], tuple[Extent, ...]]:
    """Return what a descriptor says: fields by their names in small letters, and extents."""
    fields: dict[str, str] = {}
    extents: list[Extent] = []
    for line in raw.partition(b"\0")[0].decode(errors="replace").splitlines():
        budget_of(image).spend(STEPS)
        if line.lstrip().startswith("#"):
            continue
        if (extent := EXTENT.fullmatch(line)) and len(extents) < MAX_EXTENTS:
            extents.append(Extent(int(extent[2]), extent[3], extent[4] or ""))
        elif "=" in line:
            key, _, value = line.partition("=")
            fields.setdefault(key.strip().lower(), value.strip().strip('"'))
    return fields, tuple(extents)


def _directory(found: Vmdk) -> tuple[int, int]:
    """Return where the grain directory lies, in bytes, and of how many entries it is: 0 without an extent."""
    header = found.counting
    if header is None:
        return 0, 0
    grains = -(-header.capacity // header.grain_size)
    return header.directory_offset * SECTOR, -(-grains // header.entries)


def why_elsewhere(found: Vmdk) -> FormatError | None:
    """Return why the disk cannot be read out of this file alone, None where it can be."""
    if found.fields.get("parentcid", NO_PARENT).lower() != NO_PARENT:
        return elsewhere("its parent", found.fields.get("parentfilenamehint", ""))
    if found.header is None:
        files = ", ".join(one.file for one in found.extents if one.file)
        return elsewhere("what its descriptor names", files)
    return None


def open_disk(found: Vmdk) -> Image:
    """Return the disk. Raises FormatError where other files have parts of it."""
    header, fault = found.counting, why_elsewhere(found)
    if header is None or fault:
        raise fault or elsewhere("its extent", "")
    container, tables = Container(found.image), Kept()
    start, _ = _directory(found)

    def table(index: int, budget: Budget) -> bytes:
        raw = container.read(start + 4 * index, 4, budget, "VMDK: grain directory")
        sector = int.from_bytes(raw, "little")
        what = f"VMDK: grain table {index}"
        return container.read(sector * SECTOR, header.entries * 4, budget, what) if sector else b""

    def find(number: int, budget: Budget) -> Place | None:
        index, at = divmod(number, header.entries)
        raw = tables.get(index, lambda: table(index, budget))[4 * at : 4 * at + 4]
        sector = int.from_bytes(raw, "little")
        if sector == 0 or (sector == 1 and header.flags & ZEROED):
            return None
        if not header.is_packed:
            return Place(sector * SECTOR)
        marker = container.read(sector * SECTOR, 12, budget, f"VMDK: marker of grain {number}")
        _, size = struct.unpack(GRAIN, marker)
        return Place(sector * SECTOR + 12, size) if size else None

    blocks = Blocks(container, header.grain_size * SECTOR, find, _inflated)
    return disk_of(blocks, found.size, budget_of(found.image))


def _inflated(packed: bytes, size: int) -> bytes:
    """Unpack a grain; the last one of a disk may be shorter."""
    try:
        return zlib.decompressobj().decompress(packed, size).ljust(size, b"\0")
    except zlib.error as error:
        raise FormatError(f"deflate: {error}", AGAIN) from error


def grains(found: Vmdk) -> Iterator[tuple[int, int]]:
    """Yield the grains that there are: number and sector, in the order of the disk."""
    header = found.counting
    if header is None:
        return
    budget = budget_of(found.image)
    start, count = _directory(found)
    for index in range(count):
        budget.spend(STEPS)
        (sector,) = unpack("<I", found.image, start + 4 * index, "VMDK: grain directory")
        if not sector:
            continue
        table = bytes(cut(found.image, sector * SECTOR, header.entries * 4, f"VMDK: grain table {index}"))
        for at, (place,) in enumerate(struct.iter_unpack("<I", table)):
            if place > 1 or (place == 1 and not header.flags & ZEROED):
                budget.spend(STEPS)
                yield index * header.entries + at, place
