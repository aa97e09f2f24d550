"""The layout of tar archives. Thin over tarfile.

Specification: POSIX.1-2017, pax, "ustar Interchange Format"
"""

import tarfile
from collections.abc import Iterator
from functools import partial

from pipeline.compare import values
from pipeline.compare.span import Span, fields, table
from pipeline.errors import FormatError
from pipeline.formats.fields import Image, stream

BLOCK = 512  # bytes
MAGIC_OFFSET = 257
HEADER = table("""
    name 100 text; mode 8 octal_digits; uid 8 octal_digits; gid 8 octal_digits; *size 12 octal_digits
    mtime 12 octal_digits; *chksum 8 octal_digits; typeflag 1 text; linkname 100 text; magic 6 text
    version 2 text; uname 32 text; gname 32 text; devmajor 8 octal_digits; devminor 8 octal_digits
    prefix 155 text
""")


def is_tar(image: Image) -> bool:
    """Say whether the first header has the magic of POSIX or GNU tar."""
    return bytes(image[MAGIC_OFFSET : MAGIC_OFFSET + 5]) == b"ustar"


def archive(image: Image) -> Iterator[Span]:
    """Yield the members: extended headers, header, contents. FormatError where tarfile takes no more."""
    try:
        with tarfile.open(fileobj=stream(image), mode="r:") as tar:
            for member in tar:
                size = member.size if member.isreg() else 0
                end = member.offset_data + size + -size % BLOCK
                header = member.offset_data - BLOCK - member.offset
                yield Span(
                    member.offset,
                    end - member.offset,
                    f"tar member {member.name!r}",
                    partial(_member, size, header),
                )
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise FormatError(f"tar: {error}", "make it again") from error


def _member(size: int, header: int, _: Image) -> Iterator[Span]:
    """Yield the spans of a member whose own header starts at `header`, after extended ones."""
    yield Span(0, header, "extended header", show=values.raw)
    yield from fields(HEADER, header)
    yield Span(header + BLOCK, size, "contents")
    yield Span(
        header + BLOCK + size, -size % BLOCK, "padding after the contents", show=values.raw, derived=True
    )
