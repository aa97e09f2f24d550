"""The layout of cpio "newc" archives, and of what else Linux takes in the same initramfs.

Specification: Linux, Documentation/driver-api/early-userspace/buffer-format.rst
https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

from collections.abc import Iterator

from pipeline.compare import values
from pipeline.compare.span import Span, fields, table
from pipeline.errors import FormatError
from pipeline.formats.cpio_reader import HEADER_SIZE, TRAILER, read
from pipeline.formats.fields import Image, unpack

HEADER = table("""
    magic 6 text; ino 8 hex_digits; mode 8 hex_digits_octal; uid 8 hex_digits; gid 8 hex_digits
    nlink 8 hex_digits; mtime 8 hex_digits; *filesize 8 hex_digits; devmajor 8 hex_digits
    devminor 8 hex_digits; rdevmajor 8 hex_digits; rdevminor 8 hex_digits; *namesize 8 hex_digits
    *check 8 hex_digits
""")


def archive(image: Image) -> Iterator[Span]:
    """Yield members and trailers in the order in which they lie there, and what follows that is no newc."""
    end = 0
    try:
        for entry in read(image):
            yield from _between(image, end, entry.offset)
            size = _size(image, entry.offset)
            yield Span(entry.offset, size, f"cpio member {entry.name!r}", member)
            end = entry.offset + size
    except FormatError:
        pass
    yield from _between(image, end, len(image))


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


def _between(image: Image, start: int, end: int) -> Iterator[Span]:
    """Yield what lies between two members: a trailer, zeros, and at the end perhaps a packed archive."""
    ended = False
    while start < end:
        head = bytes(image[start : start + 6])
        if head in (b"070701", b"070702"):
            size = _size(image, start)
            if bytes(image[start + HEADER_SIZE : start + HEADER_SIZE + len(TRAILER)]) != TRAILER.encode():
                return
            yield Span(start, size, "cpio trailer", member)
        elif head[:1] == b"\0":
            size = _zeros(image, start, end)
            yield Span(start, size, "zeros after the cpio archive", show=values.raw)
        elif ended:
            yield Span(start, end - start, "what follows the cpio archive")
            return
        else:
            return
        ended = True
        start += size


def _zeros(image: Image, start: int, end: int) -> int:
    size = 0
    while start + size < end:
        block = bytes(image[start + size : min(start + size + 4096, end)])
        rest = block.lstrip(b"\0")
        size += len(block) - len(rest)
        if rest:
            break
    return size


def _sizes(image: Image, start: int) -> tuple[int, int]:
    """Return the sizes of contents and name."""
    size, name_size = unpack("8s32x8s", image, start + 54, "cpio: header")
    try:
        return int(size, 16), int(name_size, 16)
    except ValueError as error:
        raise FormatError(f"cpio: no sizes in the header at offset {start:#x}", "make it again") from error


def _size(image: Image, start: int) -> int:
    """Return how many bytes a member takes, with its padding."""
    size, name_size = _sizes(image, start)
    head = HEADER_SIZE + name_size
    return head + -head % 4 + size + -size % 4
