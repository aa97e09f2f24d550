"""Reads one section of an ELF program by its name, such as the data that cargo-auditable puts into programs.

Specification: System V Application Binary Interface, gABI https://gabi.xinuos.com/ ("Sections").
"""

import struct

from pipeline.formats.budget import STEPS
from pipeline.formats.elf import HEADER, Layout
from pipeline.formats.fields import Image, budget_of, cut, unpack

SECTION = "IIAAAA"  # for `Layout.fields`: name, type, flags, address, offset, size
NOBITS = 8  # a section without bytes in the file


def read_section(image: Image, name: str) -> Image | None:
    """Return the bytes of the first section called `name`, None where an ELF file has none.

    Raises FormatError for damage.
    """
    wide, order = unpack("<BB", image, 4, "ELF: header")
    layout = Layout(64 if wide == 2 else 32, "<" if order == 1 else ">")
    header = unpack(layout.fields(HEADER), image, 16, "ELF: header")
    start, (size, count, names) = header[5], header[-3:]
    row = struct.Struct(layout.fields(SECTION))
    if names >= count or size < row.size:
        return None
    budget_of(image).spend(STEPS, count)
    table = bytes(cut(image, start, size * count, "ELF: section headers"))
    rows = [row.unpack_from(table, size * number) for number in range(count)]
    *_, offset, length = rows[names]
    texts = bytes(cut(image, offset, length, "ELF: section names"))
    wanted = name.encode() + b"\0"
    for at, kind, *_, offset, length in rows:
        if kind != NOBITS and texts[at : at + len(wanted)] == wanted:
            return cut(image, offset, length, f"ELF: section {name}")
    return None
