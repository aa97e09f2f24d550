"""Single bytes of a signed image, changed one after the other, and which of them firmware notices."""

import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from pipeline.formats.certificates import HEADER
from pipeline.formats.pe import Pe, read_pe

CHECKSUM, REVISION, PADDING = "checksum", "certificate's revision", "padding behind the signature"
UNSEEN: Mapping[str, str] = {
    CHECKSUM: "the digest leaves it out, and firmware does not compare it",
    REVISION: "the digest leaves out the certificate table, and EDK II does not look at this field",
    PADDING: "it lies behind the PKCS #7 structure, which says how long it is",
}
"""Parts in which a change goes unnoticed, and why."""


@dataclass(frozen=True)
class Flip:
    """A change: at which byte, what is XORed to it, and what the byte is part of."""

    offset: int
    bits: int
    part: str


def parts(pe: Pe) -> dict[str, range]:
    """Return the parts of an image with one signature, by what they are; together they are all of it."""
    table, size = pe.certificates
    (length,) = struct.unpack("<I", bytes(pe.image[table : table + 4]))
    holes = {
        CHECKSUM: range(pe.checksum_offset, pe.checksum_offset + 4),
        "entry of the certificate table": range(pe.certificates_entry or 0, (pe.certificates_entry or 0) + 8),
    }
    first, second = holes.values()
    headers = {
        "headers": range(first.start),
        "headers behind the checksum": range(first.stop, second.start),
        "directories and section table": range(second.stop, pe.headers_size),
    }
    sections = {
        f"section {section.name}": range(section.raw_offset, section.raw_offset + section.size)
        for section in pe.sections
        if section.size
    }
    padding = {
        f"padding of section {section.name}": range(
            section.raw_offset + section.size, section.raw_offset + section.raw_size
        )
        for section in pe.sections
    }
    end = max((part.stop for part in padding.values()), default=pe.headers_size)
    certificate = {
        "between sections and signature": range(end, table),
        "certificate's length": range(table, table + 4),
        REVISION: range(table + 4, table + 6),
        "certificate's type": range(table + 6, table + HEADER),
        "signature": range(table + HEADER, table + length),
        PADDING: range(table + length, table + size),
    }
    every = {**holes, **headers, **sections, **padding, **certificate}
    return {name: part for name, part in every.items() if part}


def drawn(image: bytes, count: int, seed: int) -> list[Flip]:
    """Return that many changes, and at least one of every part; the rest as chance has it."""
    dice = random.Random(seed)  # noqa: S311
    every = parts(read_pe(image))
    places = [(dice.choice(part), name) for name, part in every.items()]
    where = list(chain.from_iterable(_spread(dice, name, part) for name, part in every.items()))
    dice.shuffle(where)
    places += where[: max(count - len(places), 0)]
    return [Flip(offset, 1 << dice.randrange(8), name) for offset, name in places[: max(count, len(every))]]


def _spread(dice: random.Random, name: str, part: range) -> Iterator[tuple[int, str]]:
    """Yield up to sixteen bytes of a part, all of one that has no more."""
    for offset in part if len(part) <= 16 else dice.sample(part, 16):
        yield offset, name


def changed(image: bytes, flip: Flip) -> bytes:
    """The image with one change."""
    return image[: flip.offset] + bytes([image[flip.offset] ^ flip.bits]) + image[flip.offset + 1 :]
