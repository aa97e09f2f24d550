"""What is refused of an EROFS, and chunks with holes; whole ones are in `tests/world`."""

import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.erofs import read_erofs
from pipeline.formats.filesystem import Inode
from tests.fixtures import erofs, patch

TREE = {"file": b"some text " * 1400, "other": b"x" * 5000}
GOOD, PLAIN = erofs.erofs(TREE), erofs.erofs(TREE, is_packed=False)
FILE = erofs.inode_at(1)
HEADER, INDEXES = FILE + 64, FILE + 72
PACKED = (struct.unpack_from("<I", GOOD, INDEXES + 4)[0] + 1) * erofs.BLOCK
ROOT = struct.unpack_from("<I", GOOD, erofs.inode_at(0) + 16)[0] * erofs.BLOCK
ATTRIBUTES = struct.pack("<HH", 1 | erofs.PLAIN << 1, 5)  # an inode's form, and the size of its attributes


def file_of(image: bytes) -> Inode:
    found = read_erofs(image)
    return next(file.inode for file in found.files if file.path == "file")


@pytest.mark.parametrize(
    ("offset", "data", "message"),
    [
        (HEADER + 7, b"\1", "erofs: logical clusters larger than blocks are not read"),
        (HEADER + 6, b"\x09", "erofs: the algorithm 9 is not read"),
        (HEADER + 7, b"\x80", "erofs: there are no fragments, but a file is one"),
        (INDEXES, struct.pack("<H", 2 << 12), "erofs: a packed file does not begin with an extent"),
        (INDEXES, struct.pack("<H", 1 << 12 | 8), "erofs: a packed file does not begin with an extent"),
        (INDEXES + 2, struct.pack("<H", 1 << 12), "erofs: lz4: what is packed at "),
        (INDEXES + 4, struct.pack("<I", 4000), "erofs: packed blocks: 4096 bytes at offset 0xfa1000 do not"),
        (PACKED, b"\1" * 4096, f"erofs: lz4: what is packed at {PACKED:#x} is damaged: "),
        (PACKED, bytes(4096), f"erofs: lz4: what is packed at {PACKED:#x} is damaged: "),
    ],
)
def test_packed_data_that_is_damaged_is_told(offset: int, data: bytes, message: str) -> None:
    inode = file_of(patch(GOOD, offset, data))
    with pytest.raises(FormatError) as caught:
        bytes(inode.data)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_algorithms_that_do_not_fit_are_told(number: int) -> None:
    inode = file_of(patch(GOOD, HEADER + 6, bytes([number])))
    with pytest.raises(FormatError, match=r"^erofs: (lzma|deflate|zstd): what is packed at .* is damaged: "):
        bytes(inode.data)


def test_an_extent_has_an_end() -> None:
    size = struct.pack("<Q", 1 << 40)
    inode = file_of(patch(GOOD, FILE + 8, size))
    with pytest.raises(FormatError, match=r"^erofs: (indexes: |an extent of )"):
        bytes(inode.data[:1])


@pytest.mark.parametrize(
    ("offset", "data", "message"),
    [
        (ROOT + 8, b"\x05", "/: erofs: a directory's first name is at offset 5 of a block"),
        (ROOT + 8 + 12, b"\x01", "/: erofs: a directory's name from 48 to 1 of a block"),
        (ROOT, b"\xff\xff", None),  # `.`, which nobody follows
        (erofs.inode_at(1) + 8, bytes([255] * 8), f"/file: a file of {(1 << 64) - 1} bytes is not possible"),
        (erofs.inode_at(1) + 2, b"\2\0", None),
    ],
)
def test_damaged_metadata_is_told(offset: int, data: bytes, message: str | None) -> None:
    found = read_erofs(patch(PLAIN, offset, data))
    assert [fault.message for fault in found.faults] == [message] * bool(message)


def chunked(form: int, entries: bytes) -> bytes:
    """The file in chunks."""
    image = patch(PLAIN, FILE, struct.pack("<H", 1 | 4 << 1))
    return patch(patch(image, FILE + 16, struct.pack("<I", form)), FILE + 64, entries)


def test_chunks_may_be_holes() -> None:
    block = struct.unpack_from("<I", PLAIN, FILE + 16)[0]
    data = PLAIN[block * erofs.BLOCK :][:4096]
    wanted = data + bytes(4096) + data + data[: 14_000 - 3 * 4096]
    plain = struct.pack("<4I", block, 0xFFFF_FFFF, block, block)
    assert bytes(file_of(chunked(0, plain)).data) == wanted
    indexes = struct.pack("<8I", 0, block, 0, 0xFFFF_FFFF, 0, block, 0, block)
    assert bytes(file_of(chunked(0x20, indexes)).data) == wanted


@pytest.mark.parametrize(
    ("form", "entries", "message"),
    [
        (0x40, bytes(16), "/file: erofs: chunks of the form 0x40 are not read"),
        (0x20, struct.pack("<II", 1 << 16, 1), "/file: erofs: data on other devices is not read"),
        (0, struct.pack("<I", 9999), "/file: erofs: chunk: 4096 bytes at offset 0x270f000 do not lie inside"),
    ],
)
def test_chunks_that_are_not_read_are_told(form: int, entries: bytes, message: str) -> None:
    found = read_erofs(chunked(form, entries))
    (fault,) = found.faults
    assert fault.message.startswith(message)


def with_attributes(area: bytes) -> bytes:
    """The file with attributes behind its inode."""
    return patch(patch(PLAIN, FILE, ATTRIBUTES), FILE + 64, area.ljust(28, b"\0"))


ENTRY = struct.pack("<BBH", 1, 6, 3) + b"xyes"
SHARED = (FILE + 128) // 4


@pytest.mark.parametrize(
    ("area", "found"),
    [
        (bytes(12) + ENTRY, {"security.x": b"yes"}),
        (
            bytes(4) + b"\1" + bytes(7) + struct.pack("<I", SHARED) + ENTRY,
            {"user.s": b"hared", "security.x": b"yes"},
        ),
    ],
)
def test_extended_attributes(area: bytes, found: dict[str, bytes]) -> None:
    image = patch(with_attributes(area), FILE + 128, struct.pack("<BBH", 1, 1, 5) + b"shared")
    assert file_of(image).xattrs == found


@pytest.mark.parametrize(
    ("area", "message"),
    [
        (bytes(4) + b"\x09", "/file: an inode shares 9 extended attributes, which its 28 bytes cannot name"),
        (
            bytes(12) + struct.pack("<BBH", 1, 1, 99),
            "/file: an extended attribute of 104 bytes does not lie in the 16 there are",
        ),
        (bytes(12) + struct.pack("<BBH", 1, 0x80, 1), "/file: there is no prefix 0 of names of extended"),
    ],
)
def test_damaged_attributes_are_told(area: bytes, message: str) -> None:
    (fault,) = read_erofs(with_attributes(area)).faults
    assert fault.message.startswith(message)
