"""The layout of packed files: the frame, and inside it what is packed.

Specification: RFC 8878, §3.1 "Frames" https://www.rfc-editor.org/rfc/rfc8878#section-3.1
"""

from collections.abc import Iterator

from pipeline.compare import values
from pipeline.compare.span import Span, Whole, opaque
from pipeline.formats.compression import decompress, zstd_header
from pipeline.formats.fields import Image, unpack

LIMIT = 1 << 30  # bytes unpacked
SAME = " (what is packed is equal, how it is packed is not)"
RLE = 1  # a kind of block: one byte, repeated
MAX_BLOCKS = 1 << 20


def _whole(image: Image) -> Whole:
    return Whole(lambda: decompress(image, LIMIT)[0], when_equal=SAME)


def stream(name: str, image: Image) -> Iterator[Span]:
    """Yield a file that is one packed stream up to its end."""
    yield Span(0, len(image), f"{name} stream", opaque, whole=_whole(image))


def zstd(image: Image) -> Iterator[Span]:
    """Yield the first frame, and what follows it."""
    size = max((span.start + span.size for span in frame(image)), default=0)
    yield Span(0, size, "zstd frame", frame, whole=_whole(image[:size]))
    yield Span(size, len(image) - size, "what follows the zstd frame")


def frame(image: Image) -> Iterator[Span]:
    """Yield a frame's header fields, blocks and checksum. FormatError where it is cut off."""
    (descriptor,) = unpack("<4xB", image, 0, "zstd: frame header")
    yield Span(0, 4, "field magic", show=values.raw)
    yield Span(4, 1, "field frame header descriptor", show=values.little_hex)
    at = 5
    names = ("window descriptor", "dictionary", "frame content size")
    for name, size in zip(names, zstd_header(descriptor), strict=True):
        yield Span(at, size, f"field {name}", show=values.little)
        at += size
    number, last = 0, False
    while not last and number < MAX_BLOCKS:
        number += 1
        head = int.from_bytes(unpack("<3s", image, at, "zstd: block header")[0], "little")
        last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
        size = 1 if kind == RLE else size
        yield Span(at, 3, f"header of block {number}", show=values.little_hex)
        yield Span(at + 3, size, f"block {number}", opaque)
        at += 3 + size
    if descriptor & 4:
        yield Span(at, 4, "field content checksum", show=values.little_hex)
