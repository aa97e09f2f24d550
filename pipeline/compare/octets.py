"""Where two images first differ, and in how many bytes."""

from pipeline.formats.fields import CHUNK, Image


def first_offset(a: Image, b: Image) -> int | None:
    """Return the offset of the first byte that is not the same, or that only one has; None: all are equal."""
    common = min(len(a), len(b))
    for start in range(0, common, CHUNK):
        end = min(start + CHUNK, common)
        one, other = bytes(a[start:end]), bytes(b[start:end])
        if one != other:
            return end - (_difference(one, other).bit_length() + 7) // 8
    return None if len(a) == len(b) else common


def count(a: Image, b: Image, start: int = 0) -> int:
    """Return how many bytes differ from `start` on, and by how many one is longer."""
    common = min(len(a), len(b))
    found = abs(len(a) - len(b))
    for begin in range(start, common, CHUNK):
        end = min(begin + CHUNK, common)
        one, other = bytes(a[begin:end]), bytes(b[begin:end])
        if one != other:
            found += end - begin - _difference(one, other).to_bytes(end - begin, "big").count(0)
    return found


def _difference(one: bytes, other: bytes) -> int:
    return int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
