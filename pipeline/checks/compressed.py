"""Packed files that hold no initramfs: what is in them is looked into as if it were not packed."""

from dataclasses import dataclass

from pipeline.checks.kind import Kind, Member
from pipeline.formats.compression import compression_of, decompress
from pipeline.formats.fields import Image


@dataclass(frozen=True, slots=True)
class Packed:
    """A stream, what is in it, and how many bytes follow it."""

    compression: str
    contents: Image
    size: int  # bytes of the stream
    rest: int


def read_packed(image: Image) -> Packed:
    """Unpack. Raises FormatError for a stream that is damaged, or packed in a way that nobody here reads."""
    contents, size = decompress(image)
    return Packed(compression_of(image), contents, size, len(image) - size)


COMPRESSED = Kind(
    "packed", "packed file", "PCK000", read_packed, (), lambda packed: [Member("contents", packed.contents)]
)
