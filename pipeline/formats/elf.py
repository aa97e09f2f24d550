"""Reads ELF programs: for which machine, static or dynamic, stripped or not.

It reads headers and the dynamic section only, and never more of them than `Elf` has, so it takes files that
are made to keep a reader busy.

Specification: System V Application Binary Interface, gABI https://gabi.xinuos.com/
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from pipeline.errors import FormatError
from pipeline.formats.fields import Image, cut

MAGIC = b"\x7fELF"
HEADER_SIZE = 64  # bytes; a 32-bit file's is 12 shorter, but no program is that short
HEADER = "HHIAAAIHHHHHH"  # its fields from `e_type` on, for `Layout.fields`

KINDS = {0: "ET_NONE", 1: "ET_REL", 2: "ET_EXEC", 3: "ET_DYN", 4: "ET_CORE"}
MACHINES = {
    0x03: "x86",
    0x08: "MIPS",
    0x14: "PowerPC",
    0x15: "64-bit PowerPC",
    0x16: "IBM S/390",
    0x28: "ARM",
    0x2B: "SPARC Version 9",
    0x3E: "x86-64",
    0xB7: "AArch64",
    0xF3: "RISC-V",
    0x102: "LoongArch",
}
LOAD, DYNAMIC, INTERP = 1, 2, 3  # program header types
SYMTAB = 2  # a section type
NEEDED, STRTAB, SONAME, RPATH, RUNPATH = 1, 5, 14, 15, 29  # dynamic tags

damaged = partial(FormatError, hint="the file is damaged: make it again")

MAX_SEGMENTS = 4096
MAX_SECTIONS = 1 << 16
MAX_DYNAMIC = 1 << 20  # bytes
MAX_NEEDED = 1024
MAX_STRING = 4096  # bytes


@dataclass(frozen=True, slots=True)
class Elf:
    """What an ELF file's headers say."""

    bits: int
    machine: str  # `x86-64`, `AArch64`, …
    kind: str  # `ET_EXEC`, `ET_DYN` (also static-pie), `ET_REL`, `ET_CORE`
    entry: int  # address; 0 without one
    interpreter: str  # the dynamic loader it asks for, or ""
    needed: tuple[str, ...]  # shared libraries
    stripped: bool
    search: tuple[str, ...] = ()  # where it looks for them first: DT_RUNPATH, else DT_RPATH
    hands_down: bool = False  # whether its libraries look there, too: of DT_RPATH
    soname: str = ""
    loaded: int = 0  # bytes of the file up to the end of what is loaded of it

    @property
    def is_static(self) -> bool:
        """Whether it runs without a loader and without shared libraries; true of static-pie too."""
        return not self.interpreter and not self.needed


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file's fields are stored; `order` is the mark of its byte order in `struct`."""

    bits: int
    order: str

    def fields(self, names: str) -> str:
        """Return fields for `struct`, of which `A` is an address, as large as the file's class makes it."""
        return self.order + names.replace("A", "Q" if self.bits == 64 else "I")

    def segment(self, record: bytes) -> _Segment:
        """Read a program header, whose flags (4 bytes) stand behind its type in files of 64 bits."""
        flags = "4x" if self.bits == 64 else ""
        kind, offset, address, _, size = struct.unpack_from(self.fields(f"I{flags}AAAA"), record)
        return _Segment(kind, offset, address, size)


def read_elf(image: Image) -> Elf:
    """Read the headers. Raises FormatError when the bytes are no ELF file, or one with damaged headers."""
    head = bytes(cut(image, 0, HEADER_SIZE, "ELF: header"))
    layout = _layout(head)
    kind, machine, _, entry, phoff, shoff, _, _, phsize, phnum, shsize, shnum, _ = struct.unpack_from(
        layout.fields(HEADER), head, 16
    )
    segments = [
        layout.segment(record)
        for record in _records(image, "program headers", phoff, phsize, phnum, MAX_SEGMENTS, layout.bits)
    ]
    sections = _records(image, "section headers", shoff, shsize, shnum, MAX_SECTIONS, layout.bits)
    dynamic = next((one for one in segments if one.kind == DYNAMIC), None)
    tags = _tags(image, layout, dynamic) if dynamic else []
    text = partial(_text, image, segments, tags)
    runpath, rpath = tuple(text(RUNPATH)), tuple(text(RPATH))
    interpreter = next((_string(image, one.offset, one.size) for one in segments if one.kind == INTERP), "")
    return Elf(
        bits=layout.bits,
        machine=MACHINES.get(machine, f"machine {machine:#06x}"),
        kind=KINDS.get(kind, f"type {kind:#06x}"),
        entry=entry,
        interpreter=interpreter,
        needed=tuple(text(NEEDED)),
        stripped=all(struct.unpack_from(layout.fields("4xI"), record) != (SYMTAB,) for record in sections),
        search=(runpath or rpath)[:1],
        hands_down=bool(rpath and not runpath),
        soname=next(iter(text(SONAME)), ""),
        loaded=max((one.offset + one.size for one in segments if one.kind == LOAD), default=0),
    )


def _layout(head: bytes) -> Layout:
    bits = {1: 32, 2: 64}.get(head[4])
    order = {1: "<", 2: ">"}.get(head[5])
    if head[:4] != MAGIC or bits is None or order is None:
        raise FormatError(
            f"ELF: no ELF file: it starts with {head[:6].hex()}, not with 7f454c46, a class and a byte order",
            "the file is cut off or damaged: make it again",
        )
    return Layout(bits, order)


def _records(
    image: Image, what: str, offset: int, size: int, count: int, limit: int, bits: int
) -> Iterator[bytes]:
    """Yield the records of one of the two tables."""
    if not count:
        return
    smallest = {"program headers": {32: 32, 64: 56}, "section headers": {32: 40, 64: 64}}[what][bits]
    if not smallest <= size <= 256 or count > limit:
        raise damaged(f"ELF: {count} {what} of {size} bytes are not possible")
    table = bytes(cut(image, offset, size * count, f"ELF: {what}"))
    for at in range(0, len(table), size):
        yield table[at : at + size]


def _tags(image: Image, layout: Layout, segment: _Segment) -> list[tuple[int, int]]:
    """Return the tags of the dynamic section, up to the one that ends it."""
    size = min(segment.size, MAX_DYNAMIC)
    size -= size % struct.calcsize(layout.fields("AA"))
    data = bytes(cut(image, segment.offset, size, "ELF: dynamic section"))
    tags = []
    for tag, value in struct.iter_unpack(layout.fields("AA"), data):
        if tag == 0:
            break
        tags.append((tag, value))
    return tags


def _text(
    image: Image, segments: Iterable[_Segment], tags: list[tuple[int, int]], wanted: int
) -> Iterator[str]:
    """Yield the strings of one sort of tag: offsets in the string table, whose address a tag has."""
    found = [value for tag, value in tags if tag == wanted][:MAX_NEEDED]
    if not found:
        return
    address = next((value for tag, value in tags if tag == STRTAB), None)
    if address is None:
        raise damaged("ELF: the dynamic section has no DT_STRTAB")
    for one in segments:
        if one.kind == LOAD and one.address <= address < one.address + one.size:
            table = one.offset + address - one.address
            break
    else:
        raise damaged(f"ELF: the string table's address {address:#x} lies in no segment")
    for offset in found:
        yield _string(image, table + offset, MAX_STRING)


def _string(image: Image, offset: int, size: int) -> str:
    """Return the string at `offset`, of at most `size` bytes with its NUL."""
    size = min(size, MAX_STRING)
    data = bytes(image[offset : offset + size])
    text, end, _ = data.partition(b"\0")
    if not end:
        raise damaged(f"ELF: the string at offset {offset:#x} has no end within {len(data)} bytes")
    return text.decode(errors="replace")
