"""Reads what QEMU's blklogwrites driver recorded, and makes disks that lost power in between.

Specification: Linux, Documentation/admin-guide/device-mapper/log-writes.rst, and drivers/md/dm-log-writes.c,
whose layout QEMU's block/blklogwrites.c writes: a superblock, then for each request its header in one sector
and its data behind it; numbers are little-endian.
"""

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import FormatError

MAGIC = 0x6A736677736872
SUPER = struct.Struct("<QQQI")  # magic, version, requests, bytes in a sector
ENTRY = struct.Struct("<QQQQ")  # sector, sectors, flags, bytes of data that are no sectors
FLUSH, DISCARD = 1, 4
SECTOR = 512


@dataclass(frozen=True)
class Write:
    """A request: `start` and `size` in bytes of the disk, `data` where its content lies in the log."""

    start: int
    size: int
    data: int
    flush: bool


def read_log(log: Path) -> list[Write]:
    """Return the requests in their order. Raises FormatError when it is no such log."""
    with log.open("rb") as file:
        magic, _, count, sector = SUPER.unpack(file.read(SUPER.size))
        if magic != MAGIC or not sector:
            raise FormatError(f"{log.name}: begins with {magic:#x}, not with the magic of a write log")
        found = []
        offset = sector
        for _ in range(count):
            file.seek(offset)
            start, sectors, flags, _ = ENTRY.unpack(file.read(ENTRY.size))
            offset += sector
            size = 0 if flags & DISCARD else sectors * sector
            found.append(Write(start * sector, size, offset, bool(flags & FLUSH)))
            offset += size
    return found


def cuts(writes: Sequence[Write], count: int, chance: random.Random) -> list[int]:
    """Return after how many requests power is cut, `count` times, by chance.

    The same point may come twice: what survives of what was not flushed is another matter each time.
    """
    points = range(1, len(writes))
    return sorted(chance.choice(points) for _ in range(count))


def survivors(writes: Sequence[Write], cut: int, chance: random.Random) -> Iterator[tuple[Write, int]]:
    """Yield what a disk still has that lost power after `cut` requests, with how many bytes of each.

    All that was flushed is there. Of what came later a disk with a cache may have written any part, in any
    order, and the last of it torn between two sectors.
    """
    flushed = max((index for index in range(cut) if writes[index].flush), default=0)
    yield from ((write, write.size) for write in writes[:flushed])
    late = [write for write in writes[flushed:cut] if write.size]
    kept = [write for write in late if chance.random() < 0.5]
    chance.shuffle(kept)
    for write in kept:
        torn = write is kept[-1] and chance.random() < 0.5
        yield write, chance.randrange(0, write.size, SECTOR) if torn else write.size


def replay(log: Path, disk: Path, kept: Iterator[tuple[Write, int]]) -> None:
    """Write to the image `disk` what survived."""
    with log.open("rb") as source, disk.open("r+b") as target:
        for write, size in kept:
            source.seek(write.data)
            target.seek(write.start)
            target.write(source.read(size))
