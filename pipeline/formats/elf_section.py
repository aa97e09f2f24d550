"""Reads one section of an ELF program by its name, such as the data that cargo-auditable puts into programs.

Specification: System V Application Binary Interface, gABI https://gabi.xinuos.com/ ("Sections").
"""

import struct

from pipeline.errors import FormatError
from pipeline.formats.elf import HEADER_SIZE, MAGIC
from pipeline.formats.fields import Image, cut

HEADER = "<40xQ10xHHH"  # of a 64-bit file: where section headers are, their size and number, which has names
RECORD = "<II16xQQ"  # of a section header: name, type, offset, size
RECORD_SIZE = 64  # bytes
NOBITS = 8  # a section without bytes in the file
MAX_SECTIONS = 1 << 16


def read_section(image: Image, name: str) -> Image | None:
    """Return the bytes of the first section called `name`, None where a 64-bit little-endian file has none.

    Raises FormatError for other files, and for damaged headers.
    """
    head = bytes(cut(image, 0, HEADER_SIZE, "ELF: header"))
    if head[:6] != MAGIC + b"\x02\x01":
        raise FormatError("ELF: no 64-bit little-endian program", "give a program for x86-64")
    start, size, count, names_at = struct.unpack_from(HEADER, head)
    if not count:
        return None
    if size != RECORD_SIZE or names_at >= count or count >= MAX_SECTIONS:
        raise FormatError(
            f"ELF: {count} section headers of {size} bytes, names in number {names_at}, are not possible",
            "the file is damaged: make it again",
        )
    table = bytes(cut(image, start, count * RECORD_SIZE, "ELF: section headers"))
    records = list(struct.iter_unpack(RECORD + "24x", table))
    _, _, offset, length = records[names_at]
    names = bytes(cut(image, offset, length, "ELF: section names"))
    wanted = name.encode() + b"\0"
    for at, kind, offset, length in records:
        if kind != NOBITS and names[at : at + len(wanted)] == wanted:
            return cut(image, offset, length, f"ELF: section {name}")
    return None
