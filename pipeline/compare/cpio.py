"""The layout of cpio "newc" archives, and of what else Linux takes in the same initramfs.

Specification: Linux, Documentation/driver-api/early-userspace/buffer-format.rst
https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

import re
from collections.abc import Iterator

from pipeline.compare import values
from pipeline.compare.span import Span, fields, table
from pipeline.errors import FormatError
from pipeline.formats.cpio_reader import HEADER_SIZE, MAGICS, MAX_NAME, TRAILER, skip_zeros
from pipeline.formats.fields import Image, cut, unpack

HEADER = table("""
    magic 6 text; ino 8 hex_digits; mode 8 hex_digits_octal; uid 8 hex_digits; gid 8 hex_digits
    nlink 8 hex_digits; mtime 8 hex_digits; *filesize 8 hex_digits; devmajor 8 hex_digits
    devminor 8 hex_digits; rdevmajor 8 hex_digits; rdevminor 8 hex_digits; *namesize 8 hex_digits
    *check 8 hex_digits
""")


def archive(image: Image) -> Iterator[Span]:
    """Yield members, trailers and zeros in their order, and what follows that is no newc."""
    at, ended = 0, False
    while at < len(image):
        head = bytes(image[at : at + 6])
        if head in MAGICS:
            size, name_size = _sizes(image, at)
            raw = bytes(cut(image, at + HEADER_SIZE, min(name_size, MAX_NAME), "cpio: name"))
            name = raw.partition(b"\0")[0].decode(errors="surrogateescape")
            ended = name == TRAILER
            size = _aligned(_aligned(HEADER_SIZE + name_size) + size)
            yield Span(at, size, "cpio trailer" if ended else f"cpio member {name!r}", member)
        elif head[0] == 0:
            size, ended = skip_zeros(image, at) - at, True
            yield Span(at, size, "zeros after the cpio archive", show=values.raw)
        else:
            if ended:
                yield Span(at, len(image) - at, "what follows the cpio archive")
            return
        at += size


def member(image: Image) -> Iterator[Span]:
    """Yield a member's header fields, name, contents and padding."""
    yield from fields(HEADER)
    size, name_size = _sizes(image, 0)
    start = HEADER_SIZE + name_size
    yield Span(HEADER_SIZE, name_size, "field name", show=values.text)
    yield Span(start, -start % 4, "padding after the name", show=values.raw, derived=True)
    start += -start % 4
    yield Span(start, size, "contents")
    yield Span(start + size, -size % 4, "padding after the contents", show=values.raw, derived=True)


def _sizes(image: Image, start: int) -> tuple[int, int]:
    """Return the sizes of contents and name."""
    sizes = unpack("8s32x8s", image, start + 54, "cpio: header")
    if not all(re.fullmatch(rb"[0-9A-Fa-f]{8}", digits) for digits in sizes):
        raise FormatError(f"cpio: no sizes in the header at offset {start:#x}", "make it again")
    size, name_size = (int(digits, 16) for digits in sizes)
    return size, name_size


def _aligned(size: int) -> int:
    return size + -size % 4
