"""The layout of ELF files: header, program headers, sections and the symbols in them.

Specification: System V Application Binary Interface, gABI https://gabi.xinuos.com/
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from pipeline.compare.span import Span, Table, opaque, record, size_of, table
from pipeline.formats.elf import HEADER, Layout
from pipeline.formats.fields import Image, cut, unpack

NOBITS, SYMTAB, RELOCATABLE = 8, 2, 1
MAX_SECTIONS = 65_536


@dataclass(frozen=True, slots=True)
class _Section:
    index: int
    name: str
    kind: int
    address: int
    offset: int
    size: int
    link: int


def _header(word: int) -> Table:
    return table(f"""
        magic 4 text; class 1 hex; data 1 hex; version 1 hex; osabi 1 hex; abiversion 1 hex; padding 7 raw
        e_type 2 hex; e_machine 2 hex; e_version 4 hex; e_entry {word} hex; *e_phoff {word} hex
        *e_shoff {word} hex; e_flags 4 hex; e_ehsize 2 hex; e_phentsize 2 hex; e_phnum 2 hex
        e_shentsize 2 hex; *e_shnum 2 hex; *e_shstrndx 2 hex
    """)


def _program_header(word: int) -> Table:
    early, late = ("p_flags 4 hex", "") if word == 8 else ("", "p_flags 4 hex")
    return table(f"""
        p_type 4 hex; {early}; *p_offset {word} hex; *p_vaddr {word} hex; *p_paddr {word} hex
        *p_filesz {word} hex; *p_memsz {word} hex; {late}; p_align {word} hex
    """)


def _section_header(word: int) -> Table:
    return table(f"""
        *sh_name 4 hex; sh_type 4 hex; sh_flags {word} hex; *sh_addr {word} hex; *sh_offset {word} hex
        *sh_size {word} hex; *sh_link 4 hex; *sh_info 4 hex; sh_addralign {word} hex; sh_entsize {word} hex
    """)


def program(image: Image) -> Iterator[Span]:
    """Yield headers, sections' contents and sections' headers. FormatError where a header is cut off."""
    wide, order = unpack("<BB", image, 4, "ELF: header")
    word, layout = (8 if wide == 2 else 4), Layout(64 if wide == 2 else 32, "<" if order == 1 else ">")
    header = _header(word)
    yield Span(0, size_of(header), "ELF header", record(header))
    kind, _, _, _, phoff, shoff, _, _, phsize, phnum, shsize, shnum, names = unpack(
        layout.fields(HEADER), image, 16, "ELF: header"
    )
    for number in range(phnum):
        name = f"ELF program header {number}"
        yield Span(phoff + number * phsize, phsize, name, record(_program_header(word)))
    sections = _sections(image, layout, shoff, shsize, min(shnum, MAX_SECTIONS), names)
    for section in sections:
        at = shoff + section.index * shsize
        what = section.name or section.index
        yield Span(at, shsize, f"ELF section header {what}", record(_section_header(word)))
    symbols = next((section for section in sections if section.kind == SYMTAB), None)
    for section in sections:
        if section.size and section.kind not in (0, NOBITS):
            inside: Callable[[Image], Iterator[Span]] | None = None
            if symbols and symbols is not section and symbols.link < len(sections):
                inside = partial(
                    _symbols,
                    cut(image, symbols.offset, symbols.size, "ELF: symbols"),
                    _table(image, sections[symbols.link]),
                    layout,
                    section.index,
                    0 if kind == RELOCATABLE else section.address,
                )
            yield Span(section.offset, section.size, f"ELF section {section.name}", inside)


def _table(image: Image, section: _Section) -> bytes:
    return bytes(cut(image, section.offset, section.size, f"ELF: section {section.name}"))


def _sections(image: Image, layout: Layout, start: int, size: int, count: int, names: int) -> list[_Section]:
    """Return the sections with their names, which lie in section number `names`."""
    fields = layout.fields("IIAAAAI")
    rows = [unpack(fields, image, start + number * size, "ELF: section header") for number in range(count)]
    strings = b""
    if names < len(rows):
        strings = bytes(cut(image, rows[names][4], rows[names][5], "ELF: section names"))
    return [
        _Section(index, _string(strings, name), kind, address, offset, length, link)
        for index, (name, kind, _, address, offset, length, link) in enumerate(rows)
    ]


def _string(strings: bytes, start: int) -> str:
    end = strings.find(b"\0", start)
    return strings[start : end if end >= 0 else None].decode(errors="backslashreplace")


def _symbols(
    symbols: Image, strings: bytes, layout: Layout, index: int, base: int, _: Image
) -> Iterator[Span]:
    """Yield the symbols that lie in the section number `index`, whose addresses count from `base`."""
    is_wide = layout.bits == 64
    fields = struct.Struct(layout.order + ("I2xHQQ" if is_wide else "III2xH"))
    data = bytes(symbols)
    found = []
    for row in fields.iter_unpack(data[: len(data) - len(data) % fields.size]):
        name, section, value, size = row if is_wide else (row[0], row[3], row[1], row[2])
        if section == index and size and name and value >= base:
            found.append((value - base, size, name))
    for start, size, name in sorted(found):
        yield Span(start, size, f"symbol {_string(strings, name)}", opaque)
