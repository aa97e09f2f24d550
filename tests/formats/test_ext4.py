"""Where files of ext2 to ext4 lie, and their attributes, in small blocks; `tests/world` has whole ones."""

import struct
from collections.abc import Callable

import pytest

from pipeline.errors import FormatError
from pipeline.formats.budget import ENDLESS, STEPS, Budget, Spent
from pipeline.formats.ext4 import read_ext4
from pipeline.formats.ext4_blocks import Blocks, extents, mapped
from pipeline.formats.ext4_xattrs import read_block, read_body
from tests.fixtures import ext4, patch

SIZE = 16  # bytes of a block: 4 numbers


def blocks(contents: dict[int, list[int]], budget: Budget = ENDLESS, count: int = 1000) -> Blocks:
    """A volume of so many blocks, some of which are numbers."""
    return Blocks(SIZE, count, lambda number: struct.pack("<4I", *contents[number]), budget)


def place(*numbers: int) -> bytes:
    return struct.pack("<15I", *numbers, *[0] * (15 - len(numbers)))


DIRECT = list(range(100, 112))


@pytest.mark.parametrize(
    ("numbers", "contents", "runs"),
    [
        ([], {}, []),
        ([7, 8, 0, 10], {}, [(0, 112, 32), (48, 160, 16)]),
        ([*DIRECT, 5], {5: [112, 113, 0, 7]}, [(0, 1600, 224), (240, 112, 16)]),
        ([*[0] * 12, 0, 5], {5: [0, 6, 0, 0], 6: [0, 0, 9, 0]}, [((12 + 4 + 6) * 16, 144, 16)]),
        (
            [*[0] * 14, 5],
            {5: [0, 0, 0, 6], 6: [7, 0, 0, 0], 7: [0, 0, 0, 9]},
            [((12 + 4 + 16 + 48 + 3) * 16, 144, 16)],
        ),
    ],
)
def test_maps_of_blocks(numbers: list[int], contents: dict[int, list[int]], runs: list[object]) -> None:
    assert mapped(blocks(contents), place(*numbers), 1 << 30) == runs


def test_what_lies_behind_the_end_of_a_file_is_not_looked_at() -> None:
    assert mapped(blocks({}), place(*DIRECT, 5, 6, 7), 2) == [(0, 1600, 32)]


def header(count: int, depth: int) -> bytes:
    return struct.pack("<HHHHI", 0xF30A, count, 4, depth, 0)


def leaf(logical: int, length: int, start: int) -> bytes:
    return struct.pack("<IHHI", logical, length, 0, start)


def index(logical: int, block: int) -> bytes:
    return struct.pack("<IIHH", logical, block, 0, 0)


def nodes(contents: dict[int, bytes], budget: Budget = ENDLESS) -> Blocks:
    return Blocks(SIZE, 1000, lambda number: contents[number].ljust(64, b"\0"), budget)


def test_trees_of_extents() -> None:
    below = {
        5: header(2, 0) + leaf(0, 3, 10) + leaf(3, 2, 13),
        6: header(2, 0) + leaf(9, 32770, 99) + leaf(11, 1, 40),
    }
    root = header(2, 1) + index(0, 5) + index(9, 6)
    assert extents(nodes(below), root) == [(0, 160, 80), (176, 640, 16)]


LOOP = {5: header(2, 1) + index(0, 6) + index(1, 6), 6: header(1, 0) + leaf(0, 1, 1)}


@pytest.mark.parametrize(
    ("root", "contents", "message"),
    [
        (bytes(60), {}, "no node of an extent tree: it begins with 0000000000000000"),
        (header(5, 0).ljust(60, b"\0"), {}, "no node of an extent tree: it begins with 0af3050004000000"),
        (header(1, 6) + index(0, 5), {}, "no node of an extent tree: it begins with 0af3010004000600"),
        (header(1, 1) + index(0, 5), {5: header(0, 0)}, "no node of an extent tree: it begins with 0af3"),
        (header(1, 2) + index(0, 5), {5: header(1, 2) + index(0, 5)}, "no node of an extent tree: it begins"),
        (header(1, 2) + index(0, 5), LOOP, "block 0 of a file comes after block 0"),
        (header(1, 0) + leaf(4, 0, 1), {}, "an extent at block 4 of a file has no blocks"),
        (header(1, 0) + leaf(0, 2, 999), {}, "a file's blocks 999 to 1000 lie outside the volume, which has"),
    ],
)
def test_damaged_trees_are_told(root: bytes, contents: dict[int, bytes], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        extents(nodes(contents), root)
    assert caught.value.message.startswith(message)


def test_a_map_that_leads_in_circles_is_told() -> None:
    circle = {5: [5, 5, 5, 5]}
    with pytest.raises(FormatError, match=r"^a file has more blocks than the volume, which has 50"):
        mapped(blocks(circle, count=50), place(*[0] * 14, 5), 1 << 30)
    budget = Budget({STEPS: 9}, 60)
    with pytest.raises(Spent):
        mapped(blocks(circle, budget), place(*[0] * 14, 5), 1 << 30)


def attribute(index: int, name: bytes, offset: int, size: int, inode: int = 0) -> bytes:
    head = struct.pack("<BBHIII", len(name), index, offset, inode, size, 0)
    return head + name + bytes(-len(name) % 4)


MAGIC = b"\0\0\2\xea"
HEAD = MAGIC.ljust(32, b"\0")
ACL = struct.pack("<IHHHHIHH", 1, 1, 6, 2, 4, 1000, 4, 5)  # the owner, user 1000, the group


@pytest.mark.parametrize(
    ("read", "area", "found"),
    [
        (read_body, b"none", {}),
        (
            read_body,
            MAGIC + attribute(6, b"capability", 40, 3).ljust(40, b"\0") + b"cap",
            {"security.capability": b"cap"},
        ),
        (
            read_block,
            (HEAD + attribute(1, b"x", 80, 2)).ljust(80, b"\0") + b"yz",
            {"user.x": b"yz"},
        ),
        (read_block, HEAD + attribute(1, b"big", 0, 5, 77), {"user.big": b"inode"}),
        (
            read_block,
            (HEAD + attribute(2, b"", 80, len(ACL))).ljust(80, b"\0") + ACL,
            {
                "system.posix_acl_access": struct.pack(
                    "<IHHIHHIHHI", 2, 1, 6, 0xFFFF_FFFF, 2, 4, 1000, 4, 5, 0xFFFF_FFFF
                )
            },
        ),
    ],
)
def test_extended_attributes(
    read: Callable[..., dict[str, bytes]], area: bytes, found: dict[str, bytes]
) -> None:
    assert read(area, {77: b"inode and more"}.__getitem__) == found


@pytest.mark.parametrize(
    ("area", "message"),
    [
        (b"none" + bytes(60), "no block of extended attributes: it begins with 6e6f6e65"),
        (HEAD + attribute(1, b"x", 90, 2), "the extended attribute 'user.x' has no 2 bytes at"),
        (HEAD + b"\1\1\1\1", "an extended attribute ends behind what holds it"),
        (
            HEAD + attribute(1, b"a", 0, 60) + attribute(1, b"b", 0, 60),
            "the extended attribute 'user.b' has no 60 bytes at offset 0",
        ),
    ],
)
def test_damaged_attributes_are_told(area: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_block(area, lambda _: b"")
    assert caught.value.message.startswith(message)


GOOD = ext4.ext4({"file": b"x" * 2000})
ROOT = struct.unpack_from("<I", GOOD, ext4.inode_at(2) + 40 + 20)[0] * ext4.BLOCK


@pytest.mark.parametrize(
    ("offset", "data", "message"),
    [
        (4, b"\0\0", "/: a directory entry of 0 bytes, 1 of them a name"),
        (6, b"\xff", "/: a directory entry of 12 bytes, 255 of them a name"),
        (24, struct.pack("<I", 99), "/file: there is no inode 99: the volume has 12"),
        (24, struct.pack("<I", 2), "/file: is a directory that has another name, too"),
    ],
)
def test_damaged_directories_are_told(offset: int, data: bytes, message: str) -> None:
    found = read_ext4(patch(GOOD, ROOT + offset, data))
    assert [fault.message for fault in found.faults] == [message]


def test_unused_entries_are_none() -> None:
    found = read_ext4(patch(GOOD, ROOT + 24, bytes(4)))
    assert ([file.path for file in found.files], found.faults) == ([""], ())


def test_what_an_inode_is_too_small_for_is_zeros() -> None:
    at = ext4.inode_at(ext4.FIRST)
    inline = patch(patch(GOOD, at + 32, struct.pack("<I", 0x1000_0000)), at + 40, b"inline".ljust(60, b"\0"))
    (file,) = (file for file in read_ext4(inline).files if file.path)
    assert bytes(file.inode.data) == b"inline" + bytes(1994)
