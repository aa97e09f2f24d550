"""Where bytes differ, and in how many, also across the pieces in which they are read."""

import pytest

from pipeline.compare.octets import count, first_offset
from pipeline.formats.fields import CHUNK

LONG = bytes(CHUNK - 1)


@pytest.mark.parametrize(
    ("a", "b", "offset", "number"),
    [
        (b"", b"", None, 0),
        (b"abc", b"abc", None, 0),
        (b"abc", b"abd", 2, 1),
        (b"xbc", b"abd", 0, 2),
        (b"abc", b"abcde", 3, 2),
        (b"abcde", b"xbc", 0, 3),
        (LONG + b"ab", LONG + b"cd", CHUNK - 1, 2),
        (LONG + b"ab", LONG + b"ad", CHUNK, 1),
    ],
)
def test_counting(a: bytes, b: bytes, offset: int | None, number: int) -> None:
    assert first_offset(a, b) == offset
    assert count(a, b) == number
