import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.budget import READ, Budget, Spent
from pipeline.formats.fields import charged
from pipeline.formats.verity import data_fault, read_verity, root_hash, tree_faults, verify
from tests.fixtures import patch
from tests.fixtures.verity import BLOCK, DATA, IDENTIFIER, SALT, superblock, verity

TREE, ROOT = verity()


def test_a_tree_is_read() -> None:
    found = read_verity(TREE)
    assert (found.uuid, found.algorithm, found.salt) == (IDENTIFIER, "sha256", SALT)
    assert (found.data_size, found.size, found.per_block) == (len(DATA), len(TREE), 128)
    assert found.levels == ((1, 1), (2, 2))
    assert root_hash(found, TREE) == ROOT
    assert list(tree_faults(found, TREE)) == []
    assert data_fault(found, TREE, DATA + b"what follows is free") == ""


@pytest.mark.parametrize(
    ("blocks", "levels"),
    [(1, ()), (2, ((1, 1),)), (128, ((1, 1),)), (129, ((1, 1), (2, 2))), (16385, ((1, 1), (2, 2), (4, 129)))],
)
def test_levels_follow_each_other(blocks: int, levels: tuple[tuple[int, int], ...]) -> None:
    assert read_verity(superblock(blocks)).levels == levels


@pytest.mark.parametrize("blocks", [1, 2, 128, 129])
def test_data_of_any_size_is_verified(blocks: int) -> None:
    data = DATA[: blocks * BLOCK]
    tree, root = verity(data)
    verify(data, tree, root)


FAULTS = [
    (DATA, TREE, bytes(32), f"the root hash is {ROOT.hex()}, not {bytes(32).hex()}"),
    (patch(DATA, 129 * BLOCK, b"X"), TREE, ROOT, "block 129 of the data has another hash than the tree says"),
    (patch(DATA, 5 * BLOCK + 9, b"X"), TREE, ROOT, "block 5 of the data has another hash than the tree says"),
    (
        DATA,
        patch(TREE, 3 * BLOCK + 31, b"X"),
        ROOT,
        "block 3 of the tree has another hash than the level above says",
    ),
    (DATA[:-1], TREE, ROOT, f"the tree is for {len(DATA)} bytes of data, there are {len(DATA) - 1}"),
    (
        DATA,
        TREE[:-1],
        ROOT,
        f"level 1 of the tree: 8192 bytes at offset 0x2000 do not lie inside the {len(TREE) - 1} bytes given",
    ),
    (DATA, b"", ROOT, "superblock: 344 bytes at offset 0x0 do not lie inside the 0 bytes given"),
    (DATA, b"x" + TREE, ROOT, "the superblock begins with 'xverity', not 'verity'"),
    (DATA, patch(TREE, 8, b"\2"), ROOT, "the superblock's version cannot be 2"),
    (DATA, patch(TREE, 12, b"\0"), ROOT, "the superblock's hash type cannot be 0"),
    (DATA, superblock(1, name=b"md5"), ROOT, "the superblock's algorithm cannot be 'md5'"),
    (DATA, patch(TREE, 64, bytes(4)), ROOT, "the superblock's data block size cannot be 0"),
    (DATA, patch(TREE, 68, b"\1"), ROOT, "the superblock's hash block size cannot be 4097"),
    (DATA, patch(TREE, 72, bytes(8)), ROOT, "the superblock's number of data blocks cannot be 0"),
    (DATA, patch(TREE, 80, b"\xff\xff"), ROOT, "the superblock's size of the salt cannot be 65535"),
]


@pytest.mark.parametrize(("data", "tree", "root", "message"), FAULTS, ids=[row[3][:50] for row in FAULTS])
def test_what_does_not_fit_is_told(data: bytes, tree: bytes, root: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        verify(data, tree, root)
    assert caught.value.message == f"dm-verity: {message}"
    assert caught.value.hint


def test_more_blocks_than_there_can_be_end_at_once() -> None:
    huge = patch(TREE, 72, struct.pack("<Q", 1 << 51))
    with pytest.raises(FormatError, match="do not lie inside"):
        verify(DATA, huge, ROOT)


def test_hashing_is_paid_for() -> None:
    data = charged(DATA, Budget({READ: len(DATA) // 2}, 60))
    with pytest.raises(Spent):
        data_fault(read_verity(TREE), TREE, data)
