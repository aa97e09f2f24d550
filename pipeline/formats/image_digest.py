"""The digest of PE images by which they are signed, and listed in firmware's db and dbx.

Specification: Microsoft, Windows Authenticode Portable Executable Signature Format (2008), "Calculating the
PE Image Hash"
"""

import hashlib
from itertools import pairwise

from pipeline.errors import FormatError
from pipeline.formats.certificates import SIGN_AGAIN
from pipeline.formats.fields import chunks, cut
from pipeline.formats.pe import Pe


def _sections(pe: Pe) -> list[tuple[int, int]]:
    """Return where sections begin and end in the file, in that order."""
    return sorted(
        (section.raw_offset, section.raw_offset + section.raw_size)
        for section in pe.sections
        if section.raw_size
    )


def hashed(pe: Pe) -> int:
    """Return how many bytes headers and sections have: what lies behind is hashed as it stands."""
    return pe.headers_size + sum(end - start for start, end in _sections(pe))


def image_digest(pe: Pe, algorithm: str, total: int | None = None) -> bytes:
    """Return the Authenticode digest of an image: of all but its checksum and its signatures.

    That is headers, sections, and what follows them up to the byte `total`. Raises FormatError when a section
    runs past the end or two of them overlap.
    """
    total = len(pe.image) - pe.certificates[1] if total is None else total
    holes = [(pe.checksum_offset, 4), *([(pe.certificates_entry, 8)] if pe.certificates_entry else [])]
    ranges, at = list[tuple[int, int]](), 0
    for offset, size in holes:
        ranges.append((at, offset))
        at = offset + size
    ranges.append((at, max(pe.headers_size, at)))
    sections = _sections(pe)
    for (_, end), (start, _) in pairwise(sections):
        if start < end:
            raise FormatError(
                f"Authenticode: sections overlap at offset {start:#x}: no digest can be made",
                "make the program again",
            )
    behind = hashed(pe)
    ranges += [*sections, (behind, max(total, behind))]
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for start, end in ranges:
        if start < end:
            for part in chunks(cut(pe.image, start, end - start, "Authenticode: the image")):
                digest.update(part)
    if total < behind:
        raise FormatError("Authenticode: the certificate table lies in what is signed", SIGN_AGAIN)
    return digest.digest()
