"""Owns reading fixed fields out of an image without ever running past its end.

Must not know any format. A `memoryview` serves as well as `bytes`, and is not copied when it is cut.
"""

import struct
from typing import Any

from pipeline.errors import FormatError

Image = bytes | memoryview


def cut(image: Image, offset: int, size: int, what: str) -> Image:
    """Return `size` bytes of `image` from `offset` on; FormatError, naming `what`, when they are missing."""
    if offset < 0 or size < 0 or offset + size > len(image):
        raise FormatError(
            f"{what}: {size} bytes at offset {offset:#x} do not lie inside the {len(image)} bytes given",
            "the file is cut off or damaged: make it again",
        )
    return image[offset : offset + size]


def unpack(layout: str, image: Image, offset: int, what: str) -> tuple[Any, ...]:
    """Return the fields of `struct` layout `layout` at `offset`; FormatError when they are missing."""
    return struct.unpack(layout, cut(image, offset, struct.calcsize(layout), what))
