"""Writes a tar of one file with holes in GNU's old format, which Google asks of images for Compute Engine.

Specification: GNU tar 1.35 manual, "Basic Tar Format" (`oldgnu_header`, `sparse_header`) and "Storing Sparse
Files"; Google Cloud, "Manually import boot disks", "Create a compressed archive"
"""

from collections.abc import Sequence
from typing import BinaryIO

from pipeline.formats.holes import BLOCK as RUN
from pipeline.formats.holes import data_runs

BLOCK = 512
RECORD = 20 * BLOCK  # of which an archive has a whole number
IN_HEADER, IN_BLOCK = 4, 21  # pieces


def number(value: int, size: int) -> bytes:
    """Return a number in octal digits and a NUL, or as GNU has one that is too large for that, in binary."""
    if value <= (1 << 3 * (size - 1)) - 1:
        return b"%0*o\0" % (size - 1, value)
    return (value | 1 << (8 * size - 1)).to_bytes(size, "big")


def sparse_header(name: str, size: int, pieces: Sequence[tuple[int, int]], epoch: int) -> bytes:
    """Return the header, and what more it takes to say where the pieces (offset, bytes) lie in the file."""
    entries = [number(offset, 12) + number(count, 12) for offset, count in pieces]
    more = entries[IN_HEADER:]
    fields = b"".join(
        [
            name.encode("ascii").ljust(100, b"\0"),
            number(0o644, 8),
            number(0, 8),
            number(0, 8),
            number(sum(count for _, count in pieces), 12),
            number(epoch, 12),
            b" " * 8,
            b"S",
            bytes(100),
            b"ustar  \0",
            bytes(32 + 32 + 8 + 8),
            bytes(12 + 12 + 12 + 4 + 1),
            b"".join(entries[:IN_HEADER]).ljust(24 * IN_HEADER, b"\0"),
            b"\1" if more else b"\0",
            number(size, 12),
        ]
    ).ljust(BLOCK, b"\0")
    blocks = [fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]]
    for start in range(0, len(more), IN_BLOCK):
        goes_on = b"\1" if start + IN_BLOCK < len(more) else b"\0"
        block = b"".join(more[start : start + IN_BLOCK]).ljust(24 * IN_BLOCK, b"\0") + goes_on
        blocks.append(block.ljust(BLOCK, b"\0"))
    return b"".join(blocks)


def write_tar(name: str, disk: BinaryIO, size: int, target: BinaryIO, epoch: int) -> None:
    """Write an archive of the one file `name`, of `size` bytes: what the disk has, and zeros behind it."""
    pieces = data_runs(disk)
    if not pieces or sum(pieces[-1]) < size:
        pieces.append((size, 0))  # so that a reader knows where the file ends
    header = sparse_header(name, size, pieces, epoch)
    target.write(header)
    written = len(header)
    for offset, count in pieces:
        disk.seek(offset)
        for start in range(0, count, RUN):
            target.write(disk.read(min(RUN, count - start)))
        written += count
    padding = -written % BLOCK
    end = 2 * BLOCK
    target.write(bytes(padding + end + -(written + padding + end) % RECORD))
