"""Reads what a shim was built with: whom its vendor trusts, and the SbatLevel that it raises a machine's to.

Specifications: shim, cert.S (`.vendor_cert`) and sbat_var.S (`.sbatlevel`); Microsoft, PE Format, "Section
Table (Section Headers)", for names of more than eight letters
"""

from dataclasses import dataclass

from pipeline.formats.fields import Image, cut, unpack
from pipeline.formats.pe import Pe
from pipeline.formats.sbat import Level, read_level
from pipeline.formats.secure_boot import Database, database

SYMBOL = 18  # bytes, in front of the table of long names
MAX_NAME = 64
MAX_SECTION = 1 << 20
VERSION = 4  # bytes in front of what offsets in .sbatlevel count from


@dataclass(frozen=True, slots=True)
class Shim:
    """The vendor's certificates and digests, those that it refuses, and what is wanted of what it starts."""

    vendor: Database
    vendor_dbx: Database
    level: Level


def read_shim(pe: Pe) -> Shim:
    """Read a shim. Raises FormatError where its sections are not as they are in shims."""
    vendor, banned = _vendor(_contents(pe, ".vendor_cert"))
    return Shim(
        database("shim's own list", vendor),
        database("shim's own dbx", banned),
        read_level(_automatic(_contents(pe, ".sbatlevel"))),
    )


def _vendor(table: Image) -> tuple[bytes, bytes]:
    if not table:
        return b"", b""
    size, banned_size, at, banned = unpack("<IIII", table, 0, "shim: .vendor_cert")
    what = "shim: the vendor's certificates"
    return bytes(cut(table, at, size, what)), bytes(cut(table, banned, banned_size, what))


def level_text(pe: Pe) -> bytes:
    """Return the level that shim writes unless somebody chose another, as it is written."""
    return bytes(_automatic(_contents(pe, ".sbatlevel"))).partition(b"\0")[0]


def _automatic(levels: Image) -> Image:
    if not levels:
        return b""
    (offset,) = unpack("<I", levels, VERSION, "shim: .sbatlevel")
    return cut(levels, VERSION + offset, len(levels) - VERSION - offset, "shim: SbatLevel")


def _contents(pe: Pe, name: str) -> Image:
    """Return a section of that name, nothing where there is none; shims are linked with long names."""
    (header,) = unpack("<I", pe.image, 0x3C, "PE: DOS header")
    symbols, count = unpack("<II", pe.image, header + 12, "PE: COFF header")
    strings = symbols + count * SYMBOL
    for section in pe.sections:
        named = section.name
        if named.startswith("/") and named[1:].isdigit() and symbols:
            text = bytes(pe.image[strings + int(named[1:]) :][:MAX_NAME])
            named = text.partition(b"\0")[0].decode("ascii", errors="replace")
        if named == name:
            return pe.contents_of(section)[:MAX_SECTION]
    return b""
