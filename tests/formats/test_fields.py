import io
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FormatError
from pipeline.formats import fields
from pipeline.formats.fields import (
    Extents,
    Image,
    chunks,
    cut,
    joined,
    legible,
    open_image,
    spool,
    stream,
    unpack,
)

Make = Callable[[bytes], Image]


@pytest.fixture(params=["bytes", "memoryview", "file"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Make an image of each sort out of bytes."""

    def from_file(data: bytes) -> Extents:
        (tmp_path / "image").write_bytes(data)
        return open_image(tmp_path / "image")

    made: dict[str, Make] = {"bytes": bytes, "memoryview": memoryview, "file": from_file}
    return made[request.param]


def test_what_is_there_is_cut(make: Make) -> None:
    assert bytes(cut(make(b"abcdef"), 1, 3, "x")) == b"bcd"
    assert bytes(cut(make(b"abc"), 3, 0, "x")) == b""
    assert unpack("<HB", make(b"\0\1\2\3"), 1, "x") == (0x201, 3)


@pytest.mark.parametrize(("offset", "size"), [(0, 4), (2, 2), (4, 0), (-1, 1), (0, -1), (1 << 63, 1)])
def test_what_is_not_there_is_told(make: Make, offset: int, size: int) -> None:
    with pytest.raises(FormatError) as caught:
        cut(make(b"abc"), offset, size, "table")
    assert (
        caught.value.message
        == f"table: {size} bytes at offset {offset:#x} do not lie inside the 3 bytes given"
    )


def test_a_field_that_is_cut_off_is_told(make: Make) -> None:
    with pytest.raises(FormatError) as caught:
        unpack("<I", make(b"abc"), 0, "size")
    assert caught.value.message == "size: 4 bytes at offset 0x0 do not lie inside the 3 bytes given"


DATA = bytes(range(100))
BOUND = st.none() | st.integers(-120, 120)
PIECES = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 30)), max_size=5)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Extents:
    """The bytes 0 to 99 in a file."""
    path = tmp_path_factory.mktemp("fields") / "numbers"
    path.write_bytes(DATA)
    return open_image(path)


@given(pieces=PIECES, start=BOUND, stop=BOUND)
def test_pieces_of_a_file_are_cut_as_bytes_are(
    numbers: Extents, pieces: list[tuple[int, int]], start: int | None, stop: int | None
) -> None:
    inside = [(offset, min(size, 100 - offset)) for offset, size in pieces]
    whole = b"".join(DATA[offset : offset + size] for offset, size in inside)
    image = Extents(numbers.file, inside)
    assert (len(image), bytes(image)) == (len(whole), whole)
    assert bytes(image[start:stop]) == whole[start:stop]
    for sort in (numbers, DATA, memoryview(DATA)):
        assert bytes(joined(sort, inside)) == whole
        assert bytes(joined(sort, inside)[start:stop]) == whole[start:stop]
    assert stream(image).read() == whole
    assert b"".join(chunks(image, 7)) == whole


def test_single_bytes(numbers: Extents) -> None:
    assert (numbers[0], numbers[99], numbers[-1]) == (0, 99, 99)
    with pytest.raises(IndexError):
        numbers[100]
    with pytest.raises(ValueError, match="in one piece"):
        numbers[::2]


def test_an_image_as_a_file(make: Make) -> None:
    file = stream(make(DATA))
    assert (file.seek(-10, io.SEEK_END), file.read(4), file.tell()) == (90, DATA[90:94], 94)
    assert (file.seek(500), file.read()) == (500, b"")


def test_pieces_side_by_side_are_one_piece(numbers: Extents) -> None:
    image = joined(numbers, [(10, 5), (15, 5), (30, 1)])
    assert isinstance(image, Extents)
    assert image.pieces == ((10, 10), (30, 1))


def test_a_file_is_not_read_before_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(1 << 40)
        file.seek(1 << 39)
        file.write(b"here")
    image = open_image(path)
    assert len(image) == 1 << 40
    assert bytes(image[1 << 38 :][1 << 38 :][:6]) == b"here\0\0"
    with pytest.raises(FormatError) as caught:
        bytes(image)
    assert caught.value.message == (
        "a structure of 1099511627776 bytes is more than is read at once (67108864)"
    )


def test_a_file_that_becomes_shorter_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    image = open_image(path)
    path.write_bytes(b"")
    with pytest.raises(FormatError) as caught:
        bytes(image[5:9])
    assert caught.value.message == "the file became shorter while it was read"


@pytest.mark.parametrize("size", [0, 10, fields.SPOOL, fields.SPOOL + 1, 3 * fields.SPOOL])
def test_what_is_unpacked_is_kept_in_memory_or_in_a_file(size: int) -> None:
    data = random.Random(size).randbytes(size)  # noqa: S311
    image = spool((data[at : at + 4096] for at in range(0, size, 4096)), size, "it")
    assert isinstance(image, Extents) == (size > fields.SPOOL)
    assert zlib.crc32(b"".join(chunks(image))) == zlib.crc32(data)


def test_what_unpacks_without_end_is_cut() -> None:
    def endless() -> bytes:
        return bytes(1000)

    with pytest.raises(FormatError) as caught:
        spool(iter(endless, b""), 10_000_000, "it")
    assert caught.value.message == "it unpacks to more than 10000000 bytes"


@pytest.mark.parametrize(
    ("octets", "text"),
    [(b"junk!", "'junk!'"), (b"", "''"), (b"a\0", "6100"), (b"\xe4", "e4"), (b"\n", "0a")],
)
def test_a_few_bytes_are_legible(octets: bytes, text: str) -> None:
    assert legible(octets) == text
