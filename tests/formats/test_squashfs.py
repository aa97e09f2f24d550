"""What is refused of a squashfs; whole ones are in `tests/world`."""

import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.filesystem import Inode
from pipeline.formats.squashfs import read_squashfs
from tests.fixtures import patch, squashfs

GOOD = squashfs.squashfs({"file": b"some text " * 1000, "link->file": b""})
INODES, LISTING = (table + 2 for table in struct.unpack_from("<QQ", GOOD, 64))
LINK = INODES + 16 + 16 + 4 * 3  # behind the inode of the file, of three blocks
SIZES = INODES + 32


def file_of(image: bytes) -> Inode:
    return next(file.inode for file in read_squashfs(image).files if file.path == "file")


@pytest.mark.parametrize(
    ("offset", "data", "message"),
    [
        (INODES + 20, bytes(4), "/file: a file ends in fragment 0; there are 0"),
        (INODES + 2, b"\xff", None),
        (LINK + 20, b"\xff\xff", "/link: a symbolic link of 65535 bytes is not possible"),
        (LISTING, b"\xff\xff", "/: a directory's header is for 65536 entries; 256 are possible"),
        (
            LISTING,
            b"\x09",
            "/: squashfs: directory entry: 8 bytes at offset 0x24 do not lie inside the 36 byt",
        ),
        (LISTING + 12, b"\xff\xff", "/file: offset 65535 lies behind the "),
        (LISTING + 4, b"\x50", "/file: "),
        (LISTING - 2, bytes(2), "/: a block of metadata of 0 bytes, at offset "),
    ],
)
def test_damaged_metadata_is_told(offset: int, data: bytes, message: str | None) -> None:
    faults = read_squashfs(patch(GOOD, offset, data)).faults
    assert bool(faults) == bool(message)
    assert all(fault.message.startswith(message or "/") for fault in faults[:1])


@pytest.mark.parametrize(
    ("offset", "data", "message"),
    [
        (squashfs.SUPERBLOCK, b"\xff" * 8, "gzip: the block at offset 0x60 is damaged: "),
        (SIZES, struct.pack("<I", 1 << 23), "a block of 8388608 bytes at offset 0x60 lies behind the end, "),
        (SIZES, struct.pack("<I", 1 << 24 | 30), "block 0 of a file has 30 bytes, not 4096"),
        (INODES + 28, struct.pack("<I", 0xFFFF_FFFF), "the metadata at offset "),
    ],
)
def test_damaged_data_is_told(offset: int, data: bytes, message: str) -> None:
    inode = file_of(patch(GOOD, offset, data))
    with pytest.raises(FormatError) as caught:
        bytes(inode.data[:5000])
    assert caught.value.message.startswith(message)


def test_a_block_of_size_0_is_a_hole() -> None:
    inode = file_of(patch(GOOD, SIZES, bytes(4)))
    assert bytes(inode.data[:4096]) == bytes(4096)


@pytest.mark.parametrize("compressor", [3, 4, 5, 6])
def test_blocks_of_another_compressor_are_told(compressor: int) -> None:
    inode = file_of(squashfs.squashfs({"file": b"x" * 100}, compressor=compressor))
    with pytest.raises(FormatError, match=r" damaged"):
        bytes(inode.data)


def with_xattrs(pairs: bytes, count: int, number: int = 0) -> bytes:
    """A squashfs whose one file has extended attributes, by tables behind its end."""
    image = squashfs.squashfs({"file": b""})
    inode = struct.pack("<HHHHII", 14, 0o644, 0, 0, 0, 1) + struct.pack("<II", 1, number)
    table = struct.unpack_from("<Q", image, 64)[0]
    image = patch(image, table + 2, inode)  # a socket's, no longer than that of a file
    start = len(image)
    image += squashfs.metadata(pairs)
    entries = len(image)
    image += squashfs.metadata(struct.pack("<QII", 0, count, 0))
    header = struct.pack("<QIIQ", start, 1, 0, entries)
    image = patch(image, 56, struct.pack("<Q", len(image))) + header
    return patch(image, 40, struct.pack("<Q", len(image)))


VALUE = struct.pack("<I", 5) + b"value"


def test_extended_attributes_may_share_a_value() -> None:
    first = struct.pack("<HH", 2, 1) + b"a" + VALUE
    second = struct.pack("<HH", 0x101, 1) + b"b" + struct.pack("<IQ", 8, 5)
    found = file_of(with_xattrs(first + second, 2))
    assert found.xattrs == {"security.a": b"value", "trusted.b": b"value"}


@pytest.mark.parametrize(
    ("pairs", "count", "number", "message"),
    [
        (b"", 0, 1, "/file: an inode has the extended attributes of number 1; there are 1"),
        (b"", 5000, 0, "/file: an inode with 5000 extended attributes is not possible"),
        (
            struct.pack("<HH", 0, 1) + b"a" + struct.pack("<I", 1 << 30),
            1,
            0,
            "/file: an extended attribute of 1073741824 bytes is not possible",
        ),
        (struct.pack("<HH", 0, 9), 1, 0, "/file: the metadata at offset "),
    ],
)
def test_damaged_attributes_are_told(pairs: bytes, count: int, number: int, message: str) -> None:
    (fault,) = read_squashfs(with_xattrs(pairs or b"\0", count, number)).faults
    assert fault.message.startswith(message)
