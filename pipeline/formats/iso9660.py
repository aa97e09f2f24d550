"""Reads ISO 9660 file systems: their volume descriptors, and with them the whole.

The directories are `iso9660_directory`.

Specifications: ECMA-119 (the sections named here), Joliet
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pipeline.formats.budget import Spent
from pipeline.formats.fields import Image, cut, readable, unpack
from pipeline.formats.iso9660_directory import (
    DIRECTORY,
    SECTOR_SIZE,
    Member,
    Reader,
    Record,
    differs,
    find_rock_ridge,
    volume_time,
    walk,
)
from pipeline.formats.rock_ridge import damaged

FIRST_SECTOR = 16
PRIMARY, SUPPLEMENTARY, TERMINATOR = 1, 2, 255
JOLIET = (b"%/@", b"%/C", b"%/E")  # escape sequences of UCS-2, levels 1 to 3
RECOGNITION = (b"CD001", b"BEA01", b"BOOT2", b"NSR02", b"NSR03", b"TEA01", b"CDW02")

MAX_DESCRIPTORS = 64


@dataclass(frozen=True, slots=True)
class Iso9660:
    """A file system; `size` is the bytes that its primary volume descriptor says it has."""

    label: str
    size: int
    has_rock_ridge: bool
    has_joliet: bool
    created: str
    modified: str
    names: str  # whose names the members have: `Rock Ridge`, `Joliet` or `ISO 9660`
    members: tuple[Member, ...]
    oddities: tuple[str, ...]  # what readers get over, one sentence each
    complete: bool = True  # whether these are all members, and the budget was not spent before


def has_udf(image: Image) -> bool:
    """Say whether there is a UDF file system too (ECMA-167, part 2, §8.3): then others may read that."""
    for sector in range(FIRST_SECTOR, FIRST_SECTOR + MAX_DESCRIPTORS):
        identifier = bytes(image[sector * SECTOR_SIZE + 1 : sector * SECTOR_SIZE + 6])
        if identifier in (b"NSR02", b"NSR03"):
            return True
        if identifier not in RECOGNITION:
            return False
    return False


def read_iso9660(image: Image) -> Iso9660:
    """Read the descriptors and every directory, no file.

    Raises FormatError for descriptors or directories that are damaged or lie outside the image, and for
    more of them than any file system has that is used. Where a budget is spent, the members are those until
    then.
    """
    descriptors = list(_descriptors(image))
    primary = next((one for one in descriptors if one[0] == PRIMARY), None)
    if primary is None:
        raise damaged("ISO 9660: there is no primary volume descriptor")
    joliet = next((one for one in descriptors if one[0] == SUPPLEMENTARY and one[88:91] in JOLIET), None)
    (blocks, blocks_again, block_size) = unpack("<I4s40xH", primary, 80, "ISO 9660: primary descriptor")
    if block_size not in (512, 1024, 2048):
        raise damaged(f"ISO 9660: the primary volume descriptor says that blocks have {block_size} bytes")
    reader = Reader(image, block_size)
    if blocks.to_bytes(4, "big") != blocks_again:
        reader.note(differs("the volume's size", blocks, blocks_again))
    root = _root(primary)
    reader.skip = find_rock_ridge(reader, root)
    members: list[Member] = []
    complete = False
    names = "ISO 9660" if reader.skip is None else "Rock Ridge"
    if joliet and reader.skip is None:
        names, reader.joliet = "Joliet", True
        root = _root(joliet)
    with suppress(Spent):
        members.extend(walk(reader, root))
        complete = True
    return Iso9660(
        label=primary[40:72].decode("ascii", errors="replace").rstrip(" \0"),
        size=blocks * block_size,
        has_rock_ridge=reader.skip is not None,
        has_joliet=joliet is not None,
        created=volume_time(primary[813:830]),
        modified=volume_time(primary[830:847]),
        names=names,
        members=tuple(members),
        oddities=tuple(reader.oddities),
        complete=complete,
    )


def _descriptors(image: Image) -> Iterator[bytes]:
    """Yield the volume descriptors (§8) up to the one that ends them."""
    for sector in range(FIRST_SECTOR, FIRST_SECTOR + MAX_DESCRIPTORS):
        descriptor = bytes(cut(image, sector * SECTOR_SIZE, SECTOR_SIZE, "ISO 9660: volume descriptor"))
        if descriptor[1:6] != b"CD001":
            raise damaged(
                f"ISO 9660: no volume descriptor in sector {sector}: "
                f"it says {readable(descriptor[1:6])}, not 'CD001'"
            )
        if descriptor[0] == TERMINATOR:
            return
        yield descriptor
    raise damaged(f"ISO 9660: none of {MAX_DESCRIPTORS} volume descriptors is the last")


def _root(descriptor: bytes) -> Record:
    block, size = unpack("<I4xI", descriptor, 158, "ISO 9660: root directory")
    return Record(0, block, size, descriptor[174:181], DIRECTORY, b"\0", b"")
