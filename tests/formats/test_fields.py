import pytest

from pipeline.errors import FormatError
from pipeline.formats.fields import cut, unpack


def test_what_is_there_is_cut() -> None:
    assert cut(b"abcdef", 1, 3, "x") == b"bcd"
    assert cut(b"abc", 3, 0, "x") == b""
    assert unpack("<HB", b"\0\1\2\3", 1, "x") == (0x201, 3)


@pytest.mark.parametrize(("offset", "size"), [(0, 4), (2, 2), (4, 0), (-1, 1), (0, -1), (1 << 63, 1)])
def test_what_is_not_there_is_told(offset: int, size: int) -> None:
    with pytest.raises(FormatError) as caught:
        cut(b"abc", offset, size, "table")
    assert (
        caught.value.message
        == f"table: {size} bytes at offset {offset:#x} do not lie inside the 3 bytes given"
    )


def test_a_field_that_is_cut_off_is_told() -> None:
    with pytest.raises(FormatError) as caught:
        unpack("<I", b"abc", 0, "size")
    assert caught.value.message == "size: 4 bytes at offset 0x0 do not lie inside the 3 bytes given"
