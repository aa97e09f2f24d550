"""The layout of text files: lines and columns."""

from collections.abc import Iterator

from pipeline.compare.span import Span
from pipeline.formats.fields import Image

MAX_TEXT = 1 << 24  # bytes; what is longer is not looked at as text


def is_text(image: Image) -> bool:
    """Say whether it is UTF-8 without control characters other than space."""
    if not 0 < len(image) <= MAX_TEXT or not _is_plain(bytes(image[:4096])):
        return False
    data = bytes(image)
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return _is_plain(data)


def _is_plain(data: bytes) -> bool:
    return not data.translate(None, bytes(range(0x20, 0x100)) + b"\t\n\r\f\x1b")


def lines(image: Image) -> Iterator[Span]:
    """Yield one span a line, counted from 1."""
    start = 0
    for number, line in enumerate(bytes(image).split(b"\n"), start=1):
        yield Span(start, len(line) + 1, f"line {number}", columns)
        start += len(line) + 1


def columns(line: Image) -> Iterator[Span]:
    """Yield one span a character, counted from 1."""
    start = 0
    for number, character in enumerate(bytes(line).decode(errors="surrogateescape"), start=1):
        size = len(character.encode(errors="surrogateescape"))
        yield Span(start, size, f"column {number}", show=_show)
        start += size


def _show(data: bytes) -> str:
    return repr(data.decode(errors="backslashreplace"))
