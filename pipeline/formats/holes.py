"""Finds what is not zeros in a disk, and copies that alone: the rest are holes, wherever the disk comes from.

The content decides, never the holes that a file system happens to keep: these differ from one to the next.
"""

from collections.abc import Iterator
from typing import BinaryIO

BLOCK = 1 << 16  # bytes


def data_blocks(disk: BinaryIO, block: int = BLOCK) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks that are not all zeros, with their offsets; the last one may be shorter."""
    zeros = bytes(block)
    offset = disk.seek(0)
    while data := disk.read(block):
        if data != zeros[: len(data)]:
            yield offset, data
        offset += len(data)


def data_runs(disk: BinaryIO, block: int = BLOCK) -> list[tuple[int, int]]:
    """Return where there are blocks with data, neighbours together: offset and bytes."""
    runs: list[tuple[int, int]] = []
    for offset, data in data_blocks(disk, block):
        if runs and sum(runs[-1]) == offset:
            runs[-1] = (runs[-1][0], runs[-1][1] + len(data))
        else:
            runs.append((offset, len(data)))
    return runs


def copy_data(disk: BinaryIO, target: BinaryIO, size: int) -> None:
    """Write what is not zeros to an empty file, and make that of `size` bytes."""
    for offset, data in data_blocks(disk):
        target.seek(offset)
        target.write(data)
    target.truncate(size)
    target.seek(size)
