"""The layout of `ar` archives: static libraries, Rust's .rlib, Debian packages.

Specification: ar(5); long names as GNU writes them, in a member called `//`.
"""

from collections.abc import Iterator

from pipeline.compare import values
from pipeline.compare.span import Span, fields, size_of, table
from pipeline.errors import FormatError
from pipeline.formats.fields import Image, cut

MAGIC = b"!<arch>\n"
HEADER = table("""
    name 16 text; mtime 12 decimal_digits; uid 6 decimal_digits; gid 6 decimal_digits; mode 8 octal_digits
    *size 10 decimal_digits; end 2 raw
""")
HEADER_SIZE = size_of(HEADER)


def archive(image: Image) -> Iterator[Span]:
    """Yield the members. FormatError where one is damaged."""
    yield Span(0, len(MAGIC), "field magic", show=values.text)
    offset, long_names = len(MAGIC), b""
    while offset < len(image):
        header = bytes(cut(image, offset, HEADER_SIZE, "ar: header"))
        if not header[48:58].strip().isdigit():
            raise FormatError(f"ar: no member at offset {offset:#x}", "make it again")
        size = int(header[48:58])
        name = header[:16].rstrip()
        if name == b"//":
            long_names = bytes(cut(image, offset + HEADER_SIZE, size, "ar: long names"))
        elif name[:1] == b"/" and name[1:].isdigit():
            name = long_names[int(name[1:]) :].partition(b"\n")[0]
        text = name.removesuffix(b"/" if name != b"//" else b"").decode(errors="backslashreplace")
        yield Span(offset, HEADER_SIZE + size + size % 2, f"ar member {text or '/'!r}", _member)
        offset += HEADER_SIZE + size + size % 2


def _member(image: Image) -> Iterator[Span]:
    yield from fields(HEADER)
    yield Span(HEADER_SIZE, len(image) - HEADER_SIZE, "contents")
