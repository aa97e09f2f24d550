"""The blocks of squashfs: unpacking them, metadata that goes on from one to the next, contents of files.

Specification: "The Squashfs 4.0 Filesystem Format", §1 (packing), §3 (data and fragments); Linux,
fs/squashfs/block.c
"""

import lzma
import zlib
from collections.abc import Callable
from itertools import accumulate
from struct import unpack

import lz4.block
import zstandard

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS, UNPACKED, Budget
from pipeline.formats.compression import MAX_MEMORY, MAX_WINDOW
from pipeline.formats.fields import MAX_READ, Extents, Image, Virtual, budget_of, charged, cut
from pipeline.formats.filesystem import Cache, damaged
from pipeline.formats.lzo import unpacked as lzo_unpacked

METADATA = 8192  # bytes that a block of metadata unpacks to, at most
PLAIN_METADATA, PLAIN_DATA = 1 << 15, 1 << 24  # flags of blocks that are not packed, in their sizes
ENTRIES_A_STEP = 16  # sizes of blocks


def _gzip(data: bytes, size: int) -> bytes:
    return zlib.decompressobj().decompress(data, size)


def _xz(data: bytes, size: int) -> bytes:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_MEMORY).decompress(data, size)


def _lz4(data: bytes, size: int) -> bytes:
    return bytes(lz4.block.decompress(data, uncompressed_size=size))


def _zstd(data: bytes, size: int) -> bytes:
    with zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(data) as stream:
        return bytes(stream.read(size))


UNPACK: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "lzo": lzo_unpacked,
    "xz": _xz,
    "lz4": _lz4,
    "zstd": _zstd,
}
"""By the name of a compressor: what unpacks a block to no more than so many bytes."""

COMPRESSORS = {1: "gzip", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}
UNREAD = {2: "lzma"}  # which Linux does not read either
DAMAGE = (zlib.error, lzma.LZMAError, lz4.block.LZ4BlockError, zstandard.ZstdError, EOFError, ValueError)


class Blocks:
    """The blocks of a volume, which is `used` bytes long, and what was unpacked of them last."""

    def __init__(self, image: Image, compressor: str, size: int, used: int) -> None:
        self.image = image
        self.compressor = compressor
        self.size = size  # bytes that a block of data unpacks to
        self.end = min(used, len(image))
        self.budget = budget_of(image)
        self.cache = Cache()
        self.headers: dict[int, int] = {}  # of blocks of metadata, by where they begin

    def read(self, start: int, size: int, limit: int, budget: Budget, *, is_plain: bool) -> bytes:
        """Return a block of `size` bytes, unpacked to no more than `limit`. Raises FormatError."""
        key = (start, size, limit)
        found = self.cache.get(key)
        if found is not None:
            return found
        if start + size > self.end:
            raise damaged(f"a block of {size} bytes at offset {start:#x} lies behind the end, {self.end:#x}")
        data = bytes(cut(charged(self.image, budget), start, size, "squashfs: block"))
        if is_plain and size > limit:
            raise damaged(f"the block at offset {start:#x} has {size} bytes; {limit} are possible")
        if not is_plain:
            try:
                data = UNPACK[self.compressor](data, limit)
            except FormatError:
                raise
            except DAMAGE as error:
                raise damaged(
                    f"{self.compressor}: the block at offset {start:#x} is damaged: {error}"
                ) from error
        budget.spend(UNPACKED, len(data))
        return self.cache.put(key, data)


class Metadata:
    """A table of metadata from `start` on: a place in it is a block, counted from there, and an offset."""

    def __init__(self, blocks: Blocks, start: int) -> None:
        self.blocks, self.start = blocks, start

    def read(
        self, block: int, offset: int, size: int, budget: Budget | None = None
    ) -> tuple[bytes, int, int]:
        """Return bytes, and the place behind them. Raises FormatError."""
        budget = budget or self.blocks.budget
        parts: list[bytes] = []
        while True:
            data, after = self._block(block, budget)
            if offset > len(data):
                raise damaged(f"offset {offset} lies behind the {len(data)} bytes of a block of metadata")
            part = data[offset : offset + size]
            parts.append(part)
            size -= len(part)
            if not size:
                return b"".join(parts), block, offset + len(part)
            if len(data) < METADATA:
                raise damaged(f"the metadata at offset {self.start + block:#x} ends too early")
            block, offset = after, 0

    def _block(self, block: int, budget: Budget) -> tuple[bytes, int]:
        """Return a block, unpacked, and which one is next."""
        budget.spend(STEPS)
        start = self.start + block
        header = self.blocks.headers.get(start)
        if header is None:
            raw = bytes(cut(charged(self.blocks.image, budget), start, 2, "squashfs: metadata"))
            header = self.blocks.headers[start] = int.from_bytes(raw, "little")
        size = header & PLAIN_METADATA - 1
        if not 0 < size <= METADATA:
            raise damaged(f"a block of metadata of {size} bytes, at offset {start:#x}")
        is_plain = bool(header & PLAIN_METADATA)
        return self.blocks.read(start + 2, size, METADATA, budget, is_plain=is_plain), block + 2 + size

    def image(self, block: int, offset: int, size: int) -> Image:
        """Return bytes as an image, which are read when they are asked for."""
        return Extents(_Listing(self, block, offset), [(0, size)], self.blocks.budget)


class _Listing(Virtual):
    """What a directory lists."""

    __slots__ = ("block", "offset", "table")

    def __init__(self, table: Metadata, block: int, offset: int) -> None:
        self.table, self.block, self.offset = table, block, offset

    def read_at(self, offset: int, size: int, budget: Budget) -> bytes:
        """Return some of it; all before is read, too."""
        return self.table.read(self.block, self.offset, offset + size, budget)[0][offset:]


class Contents(Virtual):
    """What is in a file: blocks from `start` on, and a tail that it shares a block with others for.

    `tail` is where that block is, its size as blocks have it, and the offset in it; `sizes` the place of the
    sizes of all other blocks, a table's, of which 0 is a hole.
    """

    __slots__ = ("blocks", "ends", "packed", "size", "sizes", "start", "tail")

    def __init__(
        self,
        blocks: Blocks,
        start: int,
        size: int,
        tail: tuple[int, int, int] | None,
        sizes: tuple[Metadata, int, int],
    ) -> None:
        self.blocks, self.start, self.size, self.tail, self.sizes = blocks, start, size, tail, sizes
        self.packed: tuple[int, ...] | None = None
        self.ends: list[int] = []

    def read_at(self, offset: int, size: int, budget: Budget) -> bytes:
        """Unpack the blocks that have these bytes."""
        unit, end, parts = self.blocks.size, offset + size, list[bytes]()
        while offset < end:
            at = offset % unit
            part = self._block(offset // unit, budget)[at : at + end - offset]
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _block(self, number: int, budget: Budget) -> bytes:
        unit = self.blocks.size
        wanted = min(unit, self.size - number * unit)
        packed = self._sizes(budget)
        if number < len(packed):
            start = self.ends[number] - (packed[number] & PLAIN_DATA - 1)
            data = self._unpacked(start, packed[number], budget) if packed[number] else bytes(wanted)
        elif self.tail is None:
            raise damaged(f"a file has no block {number}")
        else:
            start, size, offset = self.tail
            data = self._unpacked(start, size, budget)[offset : offset + wanted]
        if len(data) != wanted:
            raise damaged(f"block {number} of a file has {len(data)} bytes, not {wanted}")
        return data

    def _unpacked(self, start: int, size: int, budget: Budget) -> bytes:
        length = size & PLAIN_DATA - 1
        return self.blocks.read(start, length, self.blocks.size, budget, is_plain=bool(size & PLAIN_DATA))

    def _sizes(self, budget: Budget) -> tuple[int, ...]:
        """Return the sizes of the blocks, and work out where they end."""
        if self.packed is None:
            count = self.size // self.blocks.size if self.tail else -(-self.size // self.blocks.size)
            if count * 4 > MAX_READ:
                raise damaged(f"a file of {count} blocks is more than is read")
            budget.spend(STEPS, 1 + count // ENTRIES_A_STEP)
            table, block, offset = self.sizes
            raw, _, _ = table.read(block, offset, count * 4, budget)
            packed = unpack(f"<{count}I", raw)
            self.ends = list(accumulate((size & PLAIN_DATA - 1 for size in packed), initial=self.start))[1:]
            self.packed = packed
        return self.packed
