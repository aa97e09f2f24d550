"""Reads which crates a program was made of, where cargo-auditable put that into it.

Specification: cargo-auditable, PARSING.md: the section `.dep-v0` holds JSON, packed with zlib
https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md
"""

import struct
import zlib
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS, UNPACKED
from pipeline.formats.elf import HEADER, Layout
from pipeline.formats.fields import Image, budget_of, cut, unpack

SECTION = b".dep-v0"
HEADER_OF_SECTION = "I4xAAAA"  # for `Layout.fields`: name, flags, address, offset, size
MAX_JSON = 1 << 23  # bytes
LAX = {"extra": "ignore", "strict": True}


@dataclass(frozen=True)
class Package:
    """A crate; `kind` is `build` for one that only ran while the program was compiled."""

    __pydantic_config__ = LAX
    name: str
    version: str
    kind: str = "runtime"


@dataclass(frozen=True)
class Audit:
    """All crates of a program."""

    __pydantic_config__ = LAX
    packages: tuple[Package, ...]


def read_audit(image: Image) -> tuple[Package, ...]:
    """Return the crates of an ELF program, none where it does not say. Raises FormatError for damage."""
    section = _section(image)
    if section is None:
        return ()
    from pydantic import ValidationError  # takes as long to load as most images to be compared

    from pipeline.config import adapter

    packed = zlib.decompressobj()
    try:
        text = packed.decompress(bytes(section), MAX_JSON)
        budget_of(image).spend(UNPACKED, len(text))
        audit = adapter(Audit).validate_json(text) if packed.eof else None
    except (zlib.error, ValidationError):
        audit = None
    if audit is None:
        raise FormatError(
            f".dep-v0 is not what cargo-auditable writes: JSON of at most {MAX_JSON} bytes, packed with zlib",
            "build the program again with cargo-auditable",
        )
    packages: tuple[Package, ...] = audit.packages
    return packages


def _section(image: Image) -> Image | None:
    """Return the section of that name, None where there is none. Raises FormatError for damage."""
    wide, order = unpack("<BB", image, 4, "ELF: header")
    layout = Layout(64 if wide == 2 else 32, "<" if order == 1 else ">")
    header = unpack(layout.fields(HEADER), image, 16, "ELF: header")
    start, (size, count, names) = header[5], header[-3:]
    row = struct.Struct(layout.fields(HEADER_OF_SECTION))
    if names >= count or size < row.size:
        return None
    budget_of(image).spend(STEPS, count)
    table = bytes(cut(image, start, size * count, "ELF: section headers"))
    rows = [row.unpack_from(table, size * number) for number in range(count)]
    offset, length = rows[names][3:]
    texts = bytes(cut(image, offset, length, "ELF: section names"))
    for name, _, _, offset, length in rows:
        if texts[name : name + len(SECTION) + 1] == SECTION + b"\0":
            return cut(image, offset, length, "ELF: .dep-v0")
    return None
