"""Reads which crates a program was made of, where cargo-auditable, or a step of ours, put that into it.

Specification: cargo-auditable, PARSING.md: the section `.dep-v0` holds JSON, packed with zlib
https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md
"""

import zlib
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import FormatError
from pipeline.formats.budget import UNPACKED
from pipeline.formats.elf_section import read_section
from pipeline.formats.fields import Image, budget_of
from pipeline.release.layout import LENIENT

SECTION = ".dep-v0"
MAX_JSON = 1 << 23  # bytes, as cargo-auditable's own readers have it


@dataclass(frozen=True)
class Crate:
    """A crate as a program names it: `dependencies` are places in the program's list.

    `kind` is `build` for one that only ran while the program was compiled.
    """

    __pydantic_config__ = LENIENT
    name: str
    version: str
    source: str = ""
    kind: Literal["build", "runtime"] = "runtime"
    dependencies: tuple[int, ...] = ()
    root: bool = False


@dataclass(frozen=True)
class Audit:
    """All crates of a program."""

    __pydantic_config__ = LENIENT
    packages: tuple[Crate, ...]


def read_audit(image: Image) -> tuple[Crate, ...]:
    """Return the crates of an ELF program, none where it does not say. Raises FormatError for damage."""
    section = read_section(image, SECTION)
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
    if audit is None or any(
        not 0 <= need < len(audit.packages) for each in audit.packages for need in each.dependencies
    ):
        raise FormatError(
            f".dep-v0 is not what cargo-auditable writes: JSON of at most {MAX_JSON} bytes, packed with zlib",
            "build the program again with cargo-auditable",
        )
    packages: tuple[Crate, ...] = audit.packages
    return packages
