"""The layout of ELF files: header, program headers, sections and the symbols in them.

Specification: System V Application Binary Interface, gABI https://gabi.xinuos.com/
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from pipeline.compare import values
from pipeline.compare.span import Field, Layout, Span, opaque, record
from pipeline.formats.fields import Image, cut, unpack

NOBITS, SYMTAB, RELOCATABLE = 8, 2, 1
MAX_SECTIONS = 65_536
PLACES = frozenset(
    [
        *("e_phoff", "e_shoff", "e_shnum", "e_shstrndx", "p_offset", "p_vaddr", "p_paddr", "p_filesz"),
        *("p_memsz", "sh_name", "sh_addr", "sh_offset", "sh_size", "sh_link", "sh_info"),
    ]
)  # what follows from the sizes of other things


@dataclass(frozen=True, slots=True)
class _Section:
    index: int
    name: str
    kind: int
    address: int
    offset: int
    size: int
    link: int


def _numbers(names: str, size: int) -> tuple[Field, ...]:
    return tuple(Field(name, size, values.little_hex, name in PLACES) for name in names.split())


def _header(word: int) -> tuple[Field, ...]:
    return (
        Field("magic", 4, values.text),
        *_numbers("class data version osabi abiversion", 1),
        Field("padding", 7, values.raw),
        *_numbers("e_type e_machine", 2),
        *_numbers("e_version", 4),
        *_numbers("e_entry e_phoff e_shoff", word),
        *_numbers("e_flags", 4),
        *_numbers("e_ehsize e_phentsize e_phnum e_shentsize e_shnum e_shstrndx", 2),
    )


def _program_header(word: int) -> tuple[Field, ...]:
    if word == 8:
        return (
            *_numbers("p_type p_flags", 4),
            *_numbers("p_offset p_vaddr p_paddr p_filesz p_memsz p_align", 8),
        )
    return _numbers("p_type p_offset p_vaddr p_paddr p_filesz p_memsz p_flags p_align", 4)


def _section_header(word: int) -> tuple[Field, ...]:
    return (
        *_numbers("sh_name sh_type", 4),
        *_numbers("sh_flags sh_addr sh_offset sh_size", word),
        *_numbers("sh_link sh_info", 4),
        *_numbers("sh_addralign sh_entsize", word),
    )


def program(image: Image) -> Iterator[Span]:
    """Yield headers, sections' contents and sections' headers. FormatError where a header is cut off."""
    wide, order = unpack("<BB", image, 4, "ELF: header")
    word, prefix = (8 if wide == 2 else 4), "<" if order == 1 else ">"
    header = _header(word)
    yield Span(0, sum(field.size for field in header), "ELF header", record(header))
    layout = f"{prefix}HHI{'QQQ' if word == 8 else 'III'}IHHHHHH"
    kind, _, _, _, phoff, shoff, _, _, phsize, phnum, shsize, shnum, names = unpack(
        layout, image, 16, "ELF: header"
    )
    for number in range(phnum):
        name = f"ELF program header {number}"
        yield Span(phoff + number * phsize, phsize, name, record(_program_header(word)))
    sections = _sections(image, prefix, word, shoff, shsize, min(shnum, MAX_SECTIONS), names)
    for section in sections:
        at = shoff + section.index * shsize
        what = section.name or section.index
        yield Span(at, shsize, f"ELF section header {what}", record(_section_header(word)))
    symbols = next((section for section in sections if section.kind == SYMTAB), None)
    for section in sections:
        if section.size and section.kind not in (0, NOBITS):
            inside: Layout | None = None
            if symbols and symbols is not section and symbols.link < len(sections):
                inside = partial(
                    _symbols,
                    cut(image, symbols.offset, symbols.size, "ELF: symbols"),
                    _table(image, sections[symbols.link]),
                    prefix,
                    word,
                    section.index,
                    0 if kind == RELOCATABLE else section.address,
                )
            yield Span(section.offset, section.size, f"ELF section {section.name}", inside)


def _table(image: Image, section: _Section) -> bytes:
    return bytes(cut(image, section.offset, section.size, f"ELF: section {section.name}"))


def _sections(
    image: Image, prefix: str, word: int, start: int, size: int, count: int, names: int
) -> list[_Section]:
    """Return the sections with their names, which lie in section number `names`."""
    layout = f"{prefix}II{'QQQQ' if word == 8 else 'IIII'}I"
    rows = [unpack(layout, image, start + number * size, "ELF: section header") for number in range(count)]
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
    symbols: Image, strings: bytes, prefix: str, word: int, index: int, base: int, _: Image
) -> Iterator[Span]:
    """Yield the symbols that lie in the section number `index`, whose addresses count from `base`."""
    layout = struct.Struct(f"{prefix}{'IBBHQQ' if word == 8 else 'IIIBBH'}")
    data = bytes(symbols)
    found = []
    for row in layout.iter_unpack(data[: len(data) - len(data) % layout.size]):
        name, section, value, size = (
            (row[0], row[3], row[4], row[5]) if word == 8 else (row[0], row[5], row[1], row[2])
        )
        if section == index and size and name and value >= base:
            found.append((value - base, size, name))
    for start, size, name in sorted(found):
        yield Span(start, size, f"symbol {_string(strings, name)}", opaque)
