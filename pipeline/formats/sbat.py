"""Reads `.sbat` sections: which generation of which component a program is, for revocation by shim.

Specification: https://github.com/rhboot/shim/blob/main/SBAT.md
"""

import csv
from dataclasses import dataclass

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
