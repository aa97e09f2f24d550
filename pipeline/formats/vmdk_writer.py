"""Writes stream-optimised VMDK images: each grain deflated, front to back, so that nothing is written twice.

Specification: VMware, Virtual Disk Format 5.0 (2011), "Stream-Optimized Compressed Sparse Extents"
"""

import struct
import zlib
from typing import BinaryIO

from pipeline.errors import PipelineError
from pipeline.formats.holes import data_blocks

SECTOR = 512
GRAIN = 128  # sectors
ENTRIES = 512  # of a grain table
DESCRIPTOR_SECTORS = 20
OVERHEAD = 128  # sectors before the first grain
HEADER = "<4sIIQQQQIQQQB4sH433x"
VERSION = 3  # of extents whose grains are packed
FLAGS = 0x3_0001  # line feeds tell of damage; grains are deflated, and have markers
AT_END = 0xFFFF_FFFF_FFFF_FFFF
END, GRAIN_TABLE, GRAIN_DIRECTORY, FOOTER = range(4)
LEVEL = 6  # of deflate
HEADS, PER_TRACK = 255, 63


def descriptor(sectors: int, cid: str, name: str) -> str:
    """Return the descriptor of a disk of so many sectors; `cid` are 8 hex digits, `name` is the file's."""
    return (
        "# Disk DescriptorFile\n"
        "version=1\n"
        f"CID={cid}\n"
        "parentCID=ffffffff\n"
        'createType="streamOptimized"\n'
        "\n"
        "# Extent description\n"
        f'RDONLY {sectors} SPARSE "{name}"\n'
        "\n"
        "# The Disk Data Base\n"
        "#DDB\n"
        "\n"
        'ddb.adapterType = "lsilogic"\n'
        f'ddb.geometry.cylinders = "{min(sectors // (HEADS * PER_TRACK), 65535)}"\n'
        f'ddb.geometry.heads = "{HEADS}"\n'
        f'ddb.geometry.sectors = "{PER_TRACK}"\n'
        'ddb.virtualHWVersion = "14"\n'
    )


def header(sectors: int, directory: int) -> bytes:
    """Return the header, or the footer that says at which sector the grain directory lies."""
    return struct.pack(
        HEADER,
        b"KDMV",
        VERSION,
        FLAGS,
        sectors,
        GRAIN,
        1,
        DESCRIPTOR_SECTORS,
        ENTRIES,
        0,
        directory,
        OVERHEAD,
        0,
        b"\n \r\n",
        1,
    )


def write_vmdk(disk: BinaryIO, size: int, target: BinaryIO, cid: str, name: str) -> None:
    """Write a disk of `size` bytes, whole grains, to a new file. Raises PipelineError for another size."""
    if size % (GRAIN * SECTOR) or not size:
        raise PipelineError(
            f"the disk has {size} bytes, no whole number of grains of {GRAIN * SECTOR}", "pad it to whole MiB"
        )
    sectors = size // SECTOR
    text = descriptor(sectors, cid, name).encode()
    if len(text) > DESCRIPTOR_SECTORS * SECTOR:
        raise PipelineError(
            f"the name {name[:40]!r}… is too long for a VMDK's descriptor", "give a shorter name"
        )
    target.write((header(sectors, AT_END) + text).ljust(OVERHEAD * SECTOR, b"\0"))
    covered = GRAIN * ENTRIES * SECTOR
    directory = [0] * -(-size // covered)
    table: list[int] = []
    current = 0
    for offset, data in data_blocks(disk, GRAIN * SECTOR):
        if offset // covered != current:
            directory[current] = _written_table(target, table)
            table, current = [], offset // covered
        table = table or [0] * ENTRIES
        table[offset % covered // (GRAIN * SECTOR)] = target.tell() // SECTOR
        packed = zlib.compress(data, LEVEL)
        _padded(target, struct.pack("<QI", offset // SECTOR, len(packed)) + packed)
    directory[current] = _written_table(target, table)
    raw = _whole(struct.pack(f"<{len(directory)}I", *directory))
    target.write(_marker(len(raw) // SECTOR, GRAIN_DIRECTORY))
    at = target.tell() // SECTOR
    target.write(raw + _marker(1, FOOTER) + header(sectors, at) + _marker(0, END))


def _written_table(target: BinaryIO, table: list[int]) -> int:
    """Write a grain table, and return the sector where it lies; 0 without one."""
    if not table:
        return 0
    raw = _whole(struct.pack(f"<{ENTRIES}I", *table))
    target.write(_marker(len(raw) // SECTOR, GRAIN_TABLE))
    at = target.tell() // SECTOR
    target.write(raw)
    return at


def _marker(sectors: int, kind: int) -> bytes:
    return struct.pack("<QII496x", sectors, 0, kind)


def _padded(target: BinaryIO, data: bytes) -> None:
    target.write(_whole(data))


def _whole(data: bytes) -> bytes:
    """Return data of whole sectors."""
    return data.ljust(len(data) + -len(data) % SECTOR, b"\0")
