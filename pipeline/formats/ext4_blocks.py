"""Where the files of ext2, ext3 and ext4 lie: trees of extents, and maps of blocks as ext2 has them.

Specification: Linux, Documentation/filesystems/ext4/ifork.rst (Extent Tree; Direct/Indirect Block Addressing)
"""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct

from pipeline.formats.budget import STEPS, Budget
from pipeline.formats.filesystem import Run, damaged

EXTENT_MAGIC = 0xF30A
HEADER, LEAF, INDEX = Struct("<HHHH4x"), Struct("<IHHI"), Struct("<4xIH2x")
ENTRY = 12  # bytes
MAX_DEPTH = 5
WRITTEN = 1 << 15  # blocks of an extent; a longer one has that many less, and is read as zeros

DIRECT = 12  # blocks that an inode names itself
ENTRIES_A_STEP = 16


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of a volume: how large they are, in bytes, how many, and reading one."""

    size: int
    count: int
    read: Callable[[int], bytes]
    budget: Budget

    def runs(self, pieces: Iterator[tuple[int, int, int]]) -> list[Run]:
        """Return blocks (number in the file, in the volume, count) as bytes, neighbours as one run.

        Raises FormatError where they are in no order, or outside the volume.
        """
        found: list[Run] = []
        end = 0  # of the blocks before
        for logical, physical, count in pieces:
            if logical < end:
                raise damaged(f"block {logical} of a file comes after block {end - 1}")
            end = logical + count
            if not physical:
                continue
            if physical + count > self.count:
                raise damaged(
                    f"a file's blocks {physical} to {physical + count - 1} lie outside the volume, "
                    f"which has {self.count}"
                )
            at, start, size = logical * self.size, physical * self.size, count * self.size
            last = found[-1] if found else (0, 0, 0)
            if found and (last[0] + last[2], last[1] + last[2]) == (at, start):
                found[-1] = (last[0], last[1], last[2] + size)
            else:
                self.budget.spend(STEPS)
                found.append((at, start, size))
        return found


def extents(blocks: Blocks, root: bytes) -> list[Run]:
    """Return where a file lies by its tree of extents, whose root is in the inode. Raises FormatError."""
    return blocks.runs(_leaves(blocks, root, None))


def _leaves(blocks: Blocks, node: bytes, depth: int | None) -> Iterator[tuple[int, int, int]]:
    """Yield the extents below a node, 0 as the place of those that are zeros."""
    magic, count, _, own = HEADER.unpack_from(node)
    blocks.budget.spend(STEPS, 1 + count // ENTRIES_A_STEP)
    is_sound = own <= MAX_DEPTH if depth is None else own == depth and count
    if magic != EXTENT_MAGIC or not is_sound or (count + 1) * ENTRY > len(node):
        raise damaged(f"no node of an extent tree: it begins with {node[:8].hex()}")
    for at in range(ENTRY, (count + 1) * ENTRY, ENTRY):
        if own:
            low, high = INDEX.unpack_from(node, at)
            yield from _leaves(blocks, blocks.read(high << 32 | low), own - 1)
            continue
        logical, length, high, low = LEAF.unpack_from(node, at)
        if not length:
            raise damaged(f"an extent at block {logical} of a file has no blocks")
        is_zero = length > WRITTEN
        yield logical, 0 if is_zero else high << 32 | low, length - WRITTEN if is_zero else length


def mapped(blocks: Blocks, place: bytes, needed: int) -> list[Run]:
    """Return where a file of `needed` blocks is by its map, which begins in the inode. Raises FormatError."""
    numbers = array("I", place)
    below = blocks.size // 4  # numbers in a block
    firsts = (*range(DIRECT + 1), DIRECT + below, DIRECT + below + below**2)
    left = [blocks.count]

    def named(number: int, level: int, first: int) -> Iterator[tuple[int, int, int]]:
        if not number or first >= needed:
            return
        left[0] -= 1
        if left[0] < 0:
            raise damaged(f"a file has more blocks than the volume, which has {blocks.count}")
        if not level:
            yield first, number, 1
            return
        blocks.budget.spend(STEPS, 1 + below // ENTRIES_A_STEP)
        for index, one in enumerate(array("I", blocks.read(number))):
            yield from named(one, level - 1, first + index * below ** (level - 1))

    def every() -> Iterator[tuple[int, int, int]]:
        for index, number in enumerate(numbers):
            yield from named(number, max(index - DIRECT + 1, 0), firsts[index])

    return blocks.runs(every())
