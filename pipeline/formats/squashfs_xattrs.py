"""Extended attributes of squashfs.

Specification: "The Squashfs 4.0 Filesystem Format", §9 (Xattr Table); Linux, fs/squashfs/xattr.c
"""

from struct import unpack

from pipeline.formats.budget import STEPS
from pipeline.formats.fields import cut
from pipeline.formats.filesystem import damaged
from pipeline.formats.squashfs_blocks import Blocks, Metadata

NO_XATTRS = 0xFFFF_FFFF
PREFIXES = {0: "user.", 1: "trusted.", 2: "security."}
ELSEWHERE = 0x100  # a flag: the value is another's, whose place is here
ENTRIES = 512  # of the table, in a block of metadata
MAX_VALUE = 1 << 16  # bytes, as Linux: XATTR_SIZE_MAX
MAX_COUNT = 1 << 12  # attributes of an inode: Linux lists them in 64 kB


class XattrTable:
    """The table of all sets of attributes, listed at `offset`; what has been read is kept."""

    def __init__(self, blocks: Blocks, offset: int) -> None:
        self.blocks = blocks
        start, self.count, _ = unpack("<QII", bytes(cut(blocks.image, offset, 16, "squashfs: xattr table")))
        self.pairs = Metadata(blocks, start)
        self.list = offset + 16
        self.sets: dict[int, dict[str, bytes]] = {}

    def read(self, number: int) -> dict[str, bytes]:
        """Return a set of attributes by its number. Raises FormatError."""
        if number >= self.count:
            raise damaged(f"an inode has the extended attributes of number {number}; there are {self.count}")
        if number not in self.sets:
            self.sets[number] = self._read(number)
        return self.sets[number]

    def _read(self, number: int) -> dict[str, bytes]:
        listed = bytes(cut(self.blocks.image, self.list + number // ENTRIES * 8, 8, "squashfs: xattr table"))
        table = Metadata(self.blocks, int.from_bytes(listed, "little"))
        raw, _, _ = table.read(0, number % ENTRIES * 16, 16)
        place, count, _ = unpack("<QII", raw)
        if count > MAX_COUNT:
            raise damaged(f"an inode with {count} extended attributes is not possible")
        block, offset = place >> 16, place & 0xFFFF
        found: dict[str, bytes] = {}
        for _ in range(count):
            self.blocks.budget.spend(STEPS)
            raw, block, offset = self.pairs.read(block, offset, 4)
            kind, length = unpack("<HH", raw)
            name, block, offset = self.pairs.read(block, offset, length)
            value, block, offset = self._value(block, offset)
            if kind & ELSEWHERE:
                (other,) = unpack("<Q", value.ljust(8, b"\0")[:8])
                value, _, _ = self._value(other >> 16, other & 0xFFFF)
            prefix = PREFIXES.get(kind & ELSEWHERE - 1, f"{kind}.")
            found[prefix + name.decode(errors="surrogateescape")] = value
        return found

    def _value(self, block: int, offset: int) -> tuple[bytes, int, int]:
        raw, block, offset = self.pairs.read(block, offset, 4)
        (size,) = unpack("<I", raw)
        if size > MAX_VALUE:
            raise damaged(f"an extended attribute of {size} bytes is not possible")
        return self.pairs.read(block, offset, size)
