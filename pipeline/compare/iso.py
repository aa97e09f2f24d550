"""The layout of ISO 9660 images: system area, descriptors, path tables, directories, files, El Torito.

Specifications: ECMA-119, Joliet, IEEE P1281 (SUSP), IEEE P1282 (Rock Ridge), and "El Torito" Bootable CD-ROM
Format, 1.0 (1995)
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from pipeline.compare import gpt, values
from pipeline.compare.span import Layout, Span, Table, fields, record, size_of, table
from pipeline.errors import FormatError
from pipeline.formats.eltorito import read_catalog
from pipeline.formats.fields import Image, cut, unpack
from pipeline.formats.iso9660_directory import DIRECTORY, SECTOR_SIZE, Reader, Record, plain_name, records
from pipeline.formats.rock_ridge import ReadBytes, read_attributes, skipped

FIRST_SECTOR = 16
BOOT_RECORD, PRIMARY, SUPPLEMENTARY, TERMINATOR = 0, 1, 2, 255
MAX_DESCRIPTORS = 64
MAX_DIRECTORIES = 100_000
MAX_DIRECTORY = 1 << 24  # bytes

DESCRIPTOR = """
    type 1; identifier 5 text; version 1; flags 1 hex; system identifier 32 {text}
    volume identifier 32 {text}; unused 8 raw; *volume space size 4 both; escape sequences 32 text
    volume set size 2 both; volume sequence number 2 both; logical block size 2 both
    *path table size 4 both; *location of path table (little-endian) 4
    *location of optional path table (little-endian) 4; *location of path table (big-endian) 4 big
    *location of optional path table (big-endian) 4 big
    root directory's length 1; root directory's extended attribute length 1
    *root directory's location 4 both; *root directory's data length 4 both
    root directory's recording date and time 7 record_time; root directory's flags 1 hex
    root directory's file unit size 1; root directory's interleave gap size 1
    root directory's volume sequence number 2 both; root directory's identifier length 1
    root directory's identifier 1 raw; volume set identifier 128 {text}; publisher identifier 128 {text}
    data preparer identifier 128 {text}; application identifier 128 {text}
    copyright file identifier 37 {text}; abstract file identifier 37 {text}
    bibliographic file identifier 37 {text}; volume creation date and time 17 text
    volume modification date and time 17 text; volume expiration date and time 17 text
    volume effective date and time 17 text; file structure version 1; reserved 1 raw
    application use 512 raw; reserved 653 raw
"""
BOOT = table("""
    type 1; identifier 5 text; version 1; boot system identifier 32 text; boot identifier 32 text
    *boot catalog's sector 4; boot system use 1973 raw
""")
VALIDATION = table("""
    header 1 hex; platform 1 hex; reserved 2 raw; identifier 24 text; *checksum 2 hex; key 2 hex
""")
BOOT_ENTRY = table("""
    boot indicator or header 1 hex; media or platform 1 hex; load segment or number of entries 2 hex
    system type 1 hex; unused 1 raw; *sector count 2; *load RBA 4; selection criteria 20 raw
""")
PATH = table("""
    identifier length 1; extended attribute length 1; location 4 raw; parent's number 2 raw
""")
RECORD = table("""
    length 1; extended attribute length 1; *location 4 both; *data length 4 both
    recording date and time 7 record_time; flags 1 hex; file unit size 1; interleave gap size 1
    volume sequence number 2 both; identifier length 1
""")
RECORD_SIZE = size_of(RECORD)
ENTRY = table("signature 2 text; length 1; version 1")
ENTRIES = {
    "PX": table("mode 4 both; links 4 both; user 4 both; group 4 both; serial number 4 both"),
    "CE": table("block 4 both; offset 4 both; length 4 both"),
    "TF": table("flags 1 hex;" + "".join(f"time {number} 7 record_time;" for number in range(1, 8))),
    "NM": table("flags 1 hex"),
}


@dataclass(frozen=True, slots=True)
class _Tree:
    """A descriptor's tree of directories; `name` is `ISO 9660` or `Joliet`, sizes are bytes."""

    name: str
    joliet: bool
    descriptor: bytes
    block_size: int
    skip: int  # bytes in front of Rock Ridge's fields


def image_spans(image: Image) -> Iterator[Span]:
    """Yield descriptors, path tables, directories, the boot catalog, files, then partitions."""
    yield from gpt.tables(image)
    trees = []
    for sector in range(FIRST_SECTOR, FIRST_SECTOR + MAX_DESCRIPTORS):
        start = sector * SECTOR_SIZE
        descriptor = bytes(cut(image, start, SECTOR_SIZE, "ISO 9660: volume descriptor"))
        name, table = _kind(descriptor)
        yield Span(start, SECTOR_SIZE, name, record(table))
        if descriptor[0] in (PRIMARY, SUPPLEMENTARY):
            trees.append(_tree(image, descriptor, joliet=descriptor[0] == SUPPLEMENTARY))
        if descriptor[0] == TERMINATOR or descriptor[1:6] != b"CD001":
            break
    kind, identifier, sector = unpack("<B5s65xI", image, 17 * SECTOR_SIZE, "El Torito: boot record")
    if (kind, identifier) == (BOOT_RECORD, b"CD001"):
        yield Span(sector * SECTOR_SIZE, SECTOR_SIZE, "El Torito boot catalog", _catalog_entries)
    for tree in trees:
        yield from _path_tables(tree)
    files: list[Span] = []
    for tree in trees:
        yield from _directories(image, tree, files)
    yield from files
    yield from _partitions(image)
    yield Span(512, FIRST_SECTOR * SECTOR_SIZE - 512, "ISO 9660 system area", show=values.raw)


def _kind(descriptor: bytes) -> tuple[str, Table]:
    """Return what a volume descriptor is called, and its fields."""
    if descriptor[0] == BOOT_RECORD:
        return "El Torito boot record", BOOT
    if descriptor[0] == PRIMARY:
        return "ISO 9660 primary volume descriptor", table(DESCRIPTOR.format(text="text"))
    if descriptor[0] == SUPPLEMENTARY:
        return "Joliet volume descriptor", table(DESCRIPTOR.format(text="utf16_big"))
    return "ISO 9660 volume descriptor", (*BOOT[:3], *table(f"rest {SECTOR_SIZE - 7} raw"))


def _tree(image: Image, descriptor: bytes, *, joliet: bool) -> _Tree:
    (block_size,) = unpack("<H", descriptor, 128, "ISO 9660: volume descriptor")
    (block,) = unpack("<I", descriptor, 158, "ISO 9660: volume descriptor")
    size = bytes(image[block * block_size : block * block_size + 1])
    head = bytes(image[block * block_size : block * block_size + (size[0] if size else 0)])
    skip = None if joliet else skipped(head[RECORD_SIZE + 1 :])
    return _Tree("Joliet" if joliet else "ISO 9660", joliet, descriptor, block_size, skip or 0)


def _path_tables(tree: _Tree) -> Iterator[Span]:
    (size,) = unpack("<I", tree.descriptor, 132, "ISO 9660: volume descriptor")
    for layout, offset, order in (("<I", 140, "little"), (">I", 148, "big")):
        (block,) = unpack(layout, tree.descriptor, offset, "ISO 9660: volume descriptor")
        name = f"{tree.name} path table ({order}-endian)"
        yield Span(block * tree.block_size, size, name, _path_records, derived=True)


def _path_records(image: Image) -> Iterator[Span]:
    data = bytes(image[:MAX_DIRECTORY])
    at, number = 0, 0
    while at < len(data):
        size, number = data[at], number + 1
        length = size_of(PATH) + size + size % 2
        yield Span(at, length, f"entry {number}", _path_record)
        at += length


def _path_record(image: Image) -> Iterator[Span]:
    yield from fields(PATH)
    yield Span(size_of(PATH), len(image) - size_of(PATH), "field identifier", show=values.text)


def _directories(image: Image, tree: _Tree, files: list[Span]) -> Iterator[Span]:
    """Yield the directories of a tree and Rock Ridge's continuation areas, and collect the files."""
    block, size = unpack("<I4xI", tree.descriptor, 158, "ISO 9660: root directory")
    reader = Reader(image, tree.block_size)
    pending, seen = deque([("", Record(0, block, size, b"", DIRECTORY, b"\0", b""))]), {block}
    while pending:
        path, directory = pending.popleft()
        areas: list[tuple[int, int]] = []
        try:
            every = list(records(reader, path, directory))
            found = [(_path(path, one, tree, partial(_area, image, tree, areas)), one) for one in every]
        except FormatError:
            continue
        start = directory.block * tree.block_size
        yield Span(start, directory.size, f"{tree.name} directory {path or '/'}", _records(start, found))
        for offset, length in areas:
            yield Span(offset, length, f"continuation area of directory {path or '/'}", _system_use)
        for inner, one in found:
            if not one.flags & DIRECTORY:
                files.append(Span(one.block * tree.block_size, one.size, f"{tree.name} file {inner}"))
            elif one.block not in seen and len(seen) < MAX_DIRECTORIES:
                seen.add(one.block)
                pending.append((inner, one))


def _path(path: str, one: Record, tree: _Tree, read: ReadBytes) -> str:
    name = {b"\0": ".", b"\1": ".."}.get(one.name, "")
    with suppress(FormatError):
        name = name or read_attributes(one.system_use[tree.skip :], read).name
    return f"{path}/{name or plain_name(one.name, tree.joliet)}".removeprefix("/")


def _area(
    image: Image, tree: _Tree, areas: list[tuple[int, int]], block: int, offset: int, size: int
) -> bytes:
    """Return the bytes of a continuation area, and remember where it lies."""
    start = block * tree.block_size + offset
    area = bytes(cut(image, start, min(size, SECTOR_SIZE), "Rock Ridge: continuation area"))
    areas.append((start, size))
    return area


def _records(start: int, found: list[tuple[str, Record]]) -> Layout:
    def spans(directory: Image) -> Iterator[Span]:
        for path, one in found:
            at = one.offset - start
            (size,) = unpack("<B", directory, at, "ISO 9660: directory record")
            yield Span(at, size, f"directory record of {path}", _record_spans)

    return spans


def _record_spans(image: Image) -> Iterator[Span]:
    """Yield the fields of one directory record (§9.1), and those in its system use area."""
    yield from fields(RECORD)
    size = bytes(image[RECORD_SIZE - 1 : RECORD_SIZE])[0]
    yield Span(RECORD_SIZE, size, "field identifier", show=values.text)
    start = RECORD_SIZE + size
    yield Span(start, (size + 1) % 2, "padding after the identifier", show=values.raw)
    start += (size + 1) % 2
    for span in _system_use(image[start:]):
        yield replace(span, start=start + span.start)


def _system_use(image: Image) -> Iterator[Span]:
    """Yield the fields of Rock Ridge in an area; what has a table of its own with that."""
    data = bytes(image)
    at = 0
    while at + 4 <= len(data) and data[at + 2] >= 4:
        signature, size = data[at : at + 2].decode("ascii", errors="replace"), data[at + 2]
        table, used = (*ENTRY, *ENTRIES.get(signature, ())), 0
        for span in fields(table, at):
            if used + span.size <= size:
                used += span.size
                yield replace(span, name=f"Rock Ridge {signature}, {span.name}")
        yield Span(at + used, size - used, f"Rock Ridge {signature}", show=values.text)
        at += size


def _catalog_entries(image: Image) -> Iterator[Span]:
    yield Span(0, 32, "validation entry", record(VALIDATION))
    yield Span(32, 32, "initial entry", record(BOOT_ENTRY))
    for number in range(2, len(image) // 32):
        yield Span(32 * number, 32, f"entry {number}", record(BOOT_ENTRY))


def _partitions(image: Image) -> Iterator[Span]:
    """Yield what firmware boots: partitions that are no part of the file system, and boot images."""
    with suppress(FormatError):
        for span in gpt.partitions(image):
            if span.start >= FIRST_SECTOR * SECTOR_SIZE:
                yield span
    with suppress(FormatError):
        for number, entry in enumerate(read_catalog(image), start=1):
            yield Span(entry.offset, entry.size, f"El Torito boot image {number}")
