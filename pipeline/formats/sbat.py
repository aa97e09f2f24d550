"""Reads `.sbat` sections: which generation of which component a program is; and what levels shim wants.

Specification: https://github.com/rhboot/shim/blob/main/SBAT.md
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.errors import FormatError
from pipeline.formats.fields import Image

MAX_SIZE = 1 << 16  # bytes
FIELDS = 6


@dataclass(frozen=True, slots=True)
class Component:
    """One line: what is revoked is all of a component below a generation."""

    name: str
    generation: int
    vendor: str
    package: str
    version: str
    url: str


@dataclass(frozen=True, slots=True)
class Level:
    """What shim wants: its date, such as 2025021800, and the least generation of each component."""

    date: int = 0
    least: Mapping[str, int] = field(default_factory=dict)


def read_level(data: Image) -> Level:
    """Read SbatLevel, or what a shim brings to write there; as shim does, a number that is none as 0."""
    lines = bytes(data[:MAX_SIZE]).partition(b"\0")[0].decode(errors="replace").splitlines()
    rows = [line.split(",") for line in lines if "," in line]
    date = _number(rows[0][2]) if rows and rows[0][2:] else 0
    return Level(date, {row[0]: _number(row[1]) for row in rows})


def _number(text: str) -> int:
    return int(text[:10]) if text[:10].isascii() and text[:10].isdigit() else 0


def read_sbat(image: Image) -> tuple[Component, ...]:
    """Return the lines. Raises FormatError for one that shim would not take, with its number."""
    text = bytes(image[:MAX_SIZE]).partition(b"\0")[0].decode(errors="replace")
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        fields = next(csv.reader([line]), [])
        if len(fields) < FIELDS or not fields[0] or not (fields[1].isascii() and fields[1].isdigit()):
            raise FormatError(
                f".sbat: line {number} is not component, generation, vendor, package, version and URL: "
                f"{line[:80]!r}",
                "write six fields with commas between them, the second a number",
            )
        name, generation, vendor, package, version, url = fields[:FIELDS]
        found.append(Component(name, int(generation[:10]), vendor, package, version, url))
    if not found or found[0].name != "sbat":
        first = found[0].name if found else ""
        raise FormatError(
            f".sbat: the first component is {first!r}, not 'sbat'",
            "start with `sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md`",
        )
    return tuple(found)
