"""Reads what dm-verity verifies a partition by: the superblock, and the tree of hashes over the data.

Specification: Linux, Documentation/admin-guide/device-mapper/verity.rst ("Hash Tree");
cryptsetup, "DMVerity" in its wiki, "On-disk format" (the superblock)
"""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import CHUNK, Image, budget_of, chunks, cut, readable, unpack

MAGIC = b"verity\0\0"
SUPERBLOCK = 512  # bytes
ALGORITHMS = {"sha1": 20, "sha256": 32, "sha512": 64}
"""Bytes of a digest: what systemd and Linux are used with; `sha1` is in old trees."""
BLOCK_SIZES = tuple(1 << bits for bits in range(9, 17))  # bytes
MAX_SALT = 256  # bytes
MAX_LEVELS = 16
BLOCKS_A_STEP = 16  # that are hashed

again = partial(FormatError, hint="make the tree again, with `veritysetup format`")


@dataclass(frozen=True, slots=True)
class Verity:
    """A superblock, and where the levels of the tree lie that it describes.

    `levels` are (first block, blocks) of each level, the root's first, in blocks of `hash_block_size` bytes
    from the superblock on; none where all the data is one block, whose hash is the root.
    """

    uuid: uuid.UUID
    algorithm: str
    data_block_size: int
    hash_block_size: int
    data_blocks: int
    salt: bytes
    levels: tuple[tuple[int, int], ...]

    @property
    def data_size(self) -> int:
        """Bytes of the data that it is for."""
        return self.data_blocks * self.data_block_size

    @property
    def size(self) -> int:
        """Bytes of superblock and tree."""
        return (1 + sum(count for _, count in self.levels)) * self.hash_block_size

    @property
    def per_block(self) -> int:
        """Hashes in a block of the tree."""
        return self.hash_block_size // self.slot

    @property
    def slot(self) -> int:
        """Bytes between the beginnings of two hashes: the power of two that holds one (type 1)."""
        return 1 << (ALGORITHMS[self.algorithm] - 1).bit_length()

    def digest(self, block: bytes) -> bytes:
        """Return the hash of a block, the salt before it (type 1)."""
        return hashlib.new(self.algorithm, self.salt + block).digest()


def read_verity(image: Image) -> Verity:
    """Read the superblock. Raises FormatError for another one than version 1, and for one that cannot be."""
    fields = unpack("<8sII16s32sIIQH6x256s", image, 0, "dm-verity: superblock")
    magic, version, kind, identifier, name, data_size, hash_size, count, salt_size, salt = fields
    if magic != MAGIC:
        raise again(f"dm-verity: the superblock begins with {readable(magic)}, not 'verity'")
    algorithm = name.rstrip(b"\0").decode("ascii", "replace")
    for what, value, good in (
        ("version", version, version == 1),
        ("hash type", kind, kind == 1),
        ("algorithm", readable(name), algorithm in ALGORITHMS),
        ("data block size", data_size, data_size in BLOCK_SIZES),
        ("hash block size", hash_size, hash_size in BLOCK_SIZES),
        ("number of data blocks", count, 0 < count < 1 << 52),
        ("size of the salt", salt_size, salt_size <= MAX_SALT),
    ):
        if not good:
            raise again(f"dm-verity: the superblock's {what} cannot be {value}")
    slot = 1 << (ALGORITHMS[algorithm] - 1).bit_length()
    levels = _levels(count, hash_size // slot)
    return Verity(
        uuid.UUID(bytes=identifier), algorithm, data_size, hash_size, count, salt[:salt_size], levels
    )


def _levels(blocks: int, per_block: int) -> tuple[tuple[int, int], ...]:
    """Return first block and blocks of each level, the root's first: it follows the superblock's block."""
    counts = []
    while blocks > 1:
        blocks = -(-blocks // per_block)
        counts.append(blocks)
    levels, at = [], 1
    for count in reversed(counts):
        levels.append((at, count))
        at += count
    return tuple(levels)


def root_hash(verity: Verity, tree: Image, data: Image = b"") -> bytes:
    """Return the root hash of a tree: the hash of its topmost block, of the only block of `data` without one.

    Raises FormatError where that is missing.
    """
    if not verity.levels:
        return verity.digest(bytes(cut(data, 0, verity.data_block_size, "dm-verity: data")))
    return verity.digest(bytes(_level(verity, tree, 0)))


def tree_faults(verity: Verity, tree: Image) -> Iterator[str]:
    """Yield the first fault of each level of the tree whose hashes are not in the level above."""
    for depth in range(1, len(verity.levels)):
        above, level = _level(verity, tree, depth - 1), _level(verity, tree, depth)
        number = _first_difference(verity, above, level, verity.hash_block_size)
        if number is not None:
            first = verity.levels[depth][0]
            yield f"block {first + number} of the tree has another hash than the level above says"


def data_fault(verity: Verity, tree: Image, data: Image) -> str:
    """Return how the data differs from what the tree was made of, "" if it does not.

    What follows the blocks that the superblock counts is free. Raises FormatError for a tree that is cut off.
    """
    if len(data) < verity.data_size:
        return f"the tree is for {verity.data_size} bytes of data, there are {len(data)}"
    if not verity.levels:
        return ""
    leaves = _level(verity, tree, len(verity.levels) - 1)
    number = _first_difference(verity, leaves, data[: verity.data_size], verity.data_block_size)
    return "" if number is None else f"block {number} of the data has another hash than the tree says"


def verify(data: Image, tree: Image, root: bytes) -> None:
    """Verify all: raises FormatError unless the tree is of that root hash and of that data."""
    verity = read_verity(tree)
    found = root_hash(verity, tree, data)
    if found != root:
        raise again(f"dm-verity: the root hash is {found.hex()}, not {root.hex()}")
    for fault in (*tree_faults(verity, tree), data_fault(verity, tree, data)):
        if fault:
            raise again(f"dm-verity: {fault}")


def _level(verity: Verity, tree: Image, depth: int) -> Image:
    first, count = verity.levels[depth]
    size = verity.hash_block_size
    return cut(tree, first * size, count * size, f"dm-verity: level {depth} of the tree")


def _first_difference(verity: Verity, hashes: Image, blocks: Image, size: int) -> int | None:
    """Return the number of the first block of `size` bytes whose hash is not where it should be, or None."""
    budget, digest_size = budget_of(blocks), ALGORITHMS[verity.algorithm]
    number = 0
    read = _slots(verity, hashes)
    for chunk in chunks(blocks, CHUNK):
        budget.spend(STEPS, 1 + len(chunk) // size // BLOCKS_A_STEP)
        for at in range(0, len(chunk), size):
            if next(read)[:digest_size] != verity.digest(chunk[at : at + size]):
                return number
            number += 1
    return None


def _slots(verity: Verity, hashes: Image) -> Iterator[bytes]:
    """Yield the hashes of a level, one after the other."""
    for block in chunks(hashes, verity.hash_block_size):
        for number in range(verity.per_block):
            yield block[number * verity.slot : (number + 1) * verity.slot]
