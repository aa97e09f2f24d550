"""What EROFS packs: which blocks a file's extents are in, by its indexes, and unpacking them.

Specification: Linux 6.12, fs/erofs/erofs_fs.h (`z_erofs_map_header`, `z_erofs_lcluster_index`),
fs/erofs/zmap.c (compact indexes) and fs/erofs/decompressor*.c;
https://erofs.docs.kernel.org/en/latest/ondisk/compression.html
"""

import lzma
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct, unpack_from

import lz4.block
import zstandard

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS, UNPACKED, Budget
from pipeline.formats.compression import MAX_WINDOW
from pipeline.formats.fields import Image, Virtual, budget_of, charged, cut
from pipeline.formats.filesystem import Cache, damaged

HEADER = Struct("<IHBB")
IDATA_SHIFT = 16  # where, in the header's first field, the size of data beside the indexes is
COMPACT_2B, BIG_PCLUSTERS, INLINE, INTERLACED, FRAGMENT = 0x1, 0x6, 0x8, 0x10, 0x20  # advice
WHOLE_FRAGMENT = 0x80  # a bit of the header's last byte: all of the file is elsewhere
FULL_INDEXES = 8  # bytes between the header and indexes that are not compact

PLAIN, HEAD, NONHEAD, HEAD2 = range(4)  # kinds of logical clusters
BLOCK_COUNT = 1 << 11  # a flag of a distance: it is the number of blocks of the extent before it
PARTIAL = 1 << 15  # a flag of an index: the extent is the beginning of what is packed there
MAX_CLUSTER_BITS = 14
MAX_EXTENT = 12 << 20  # bytes that one unpacks to, as Linux: Z_EROFS_PCLUSTER_MAX_DSIZE
MAX_PACKED = 1 << 20  # bytes of one, as Linux: Z_EROFS_PCLUSTER_MAX_SIZE
LZMA_DICTIONARY = 8 << 20  # bytes, as Linux: Z_EROFS_LZMA_MAX_DICT_SIZE
LZ4_RATIO = 255  # no byte that lz4 packs stands for more
INDEXES_A_STEP = 16

ALGORITHMS = ("lz4", "lzma", "deflate", "zstd")


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes of a file from `at` on that are packed together: where, of which kind, and how many.

    `is_partial` is whether more is packed there; `start` is None where they are in a fragment.
    """

    at: int
    size: int
    kind: int
    start: int | None
    packed: int
    is_partial: bool


@dataclass(frozen=True, slots=True)
class _Index:
    """A logical cluster: its kind, where in it an extent begins, and in which block; or how many it has."""

    kind: int
    offset: int
    block: int = 0
    blocks: int = 0  # of the extent before, 0 where it does not say
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a packed file's indexes begin, and of which layout they are."""

    header: int  # bytes from the image's start
    is_compact: bool


class Packer:
    """What unpacking any file of a volume needs; `fragments` returns what all fragments are in."""

    def __init__(
        self, image: Image, block_size: int, has_padding: bool, fragments: Callable[[], Image]
    ) -> None:
        self.image, self.block_size, self.has_padding = image, block_size, has_padding
        self.fragments = fragments
        self.cache = Cache()


class PackedFile(Virtual):
    """What is in a packed file of `size` bytes; its indexes are read when something is asked for."""

    __slots__ = ("advice", "algorithms", "extents", "fragment", "packer", "place", "size")

    def __init__(self, packer: Packer, place: Place, size: int) -> None:
        self.packer, self.place, self.size = packer, place, size
        self.extents: list[Extent] | None = None

    def read_at(self, offset: int, size: int, budget: Budget) -> bytes:
        """Unpack the extents that have these bytes."""
        extents = self._extents(budget)
        parts: list[bytes] = []
        end = offset + size
        index = bisect_right(extents, offset, key=lambda extent: extent.at) - 1
        while offset < end:
            extent = extents[index]
            part = self._unpacked(extent, budget)[offset - extent.at : end - extent.at]
            parts.append(part)
            offset, index = offset + len(part), index + 1
        return b"".join(parts)

    def _extents(self, budget: Budget) -> list[Extent]:
        if self.extents is None:
            image = charged(self.packer.image, budget)
            first, advice, algorithms, bits = _header(image, self.place.header)
            self.advice, self.algorithms = advice, (algorithms & 15, algorithms >> 4)
            self.fragment = 0
            if bits & WHOLE_FRAGMENT:
                (raw,) = unpack_from("<Q", bytes(cut(image, self.place.header, 8, "erofs: fragment")))
                self.fragment = raw & (1 << 63) - 1
                self.extents = [Extent(0, self.size, NONHEAD, None, 0, is_partial=False)]
            else:
                if bits & 7:
                    raise FormatError(
                        "erofs: logical clusters larger than blocks are not read",
                        "look at it with a system that mounts it",
                    )
                self.fragment = first
                self.extents = list(self._found(image, first >> IDATA_SHIFT))
        return self.extents

    def _found(self, image: Image, inline_size: int) -> Iterator[Extent]:
        """Yield the extents of a file by its indexes."""
        unit = self.packer.block_size
        count = -(-self.size // unit)
        budget_of(image).spend(STEPS, 1 + count // INDEXES_A_STEP)
        read = _compact if self.place.is_compact else _full
        indexes, end = read(image, self.place.header + HEADER.size, count, unit, self.advice)
        heads = [number for number, index in enumerate(indexes) if index.kind != NONHEAD]
        if len(heads) > 1 and heads[-1] * unit + indexes[heads[-1]].offset == self.size:
            del indexes[heads.pop() :]  # which ends the one before
        if not heads or heads[0] or indexes[0].offset:
            raise damaged("erofs: a packed file does not begin with an extent")
        for number, after in zip(heads, [*heads[1:], len(indexes)], strict=True):
            index = indexes[number]
            at = number * unit + index.offset
            until = after * unit + indexes[after].offset if after < len(indexes) else self.size
            size = until - at
            if not 0 < size <= MAX_EXTENT:
                raise damaged(f"erofs: an extent of {size} bytes is not possible")
            blocks = max(indexes[number + 1].blocks, 1) if number + 1 < len(indexes) else 1
            start: int | None = index.block * unit
            packed = blocks * unit
            if after == len(indexes) and self.advice & FRAGMENT:
                start = None
                self.fragment |= 0 if self.place.is_compact else index.block << 32
            elif after == len(indexes) and self.advice & INLINE:
                start, packed = end, inline_size
            if packed > MAX_PACKED:
                raise damaged(f"erofs: {packed} bytes that are packed together are not possible")
            yield Extent(at, size, index.kind, start, packed, index.is_partial)

    def _unpacked(self, extent: Extent, budget: Budget) -> bytes:
        """Return the bytes of an extent."""
        if extent.start is None:
            whole = charged(self.packer.fragments(), budget)
            return bytes(cut(whole, self.fragment, extent.size, "erofs: fragment"))
        key = (extent.start, extent.packed, extent.size, extent.kind, extent.at % self.packer.block_size)
        found = self.packer.cache.get(key)
        if found is None:
            image = charged(self.packer.image, budget)
            data = bytes(cut(image, extent.start, extent.packed, "erofs: packed blocks"))
            found = self._plain(extent, data) if extent.kind == PLAIN else self._decompressed(extent, data)
            budget.spend(UNPACKED, len(found))
            if len(found) != extent.size:
                raise damaged(f"erofs: {len(found)} bytes are packed at {extent.start:#x}, not {extent.size}")
            self.packer.cache.put(key, found)
        return found

    def _plain(self, extent: Extent, data: bytes) -> bytes:
        """Return what is not packed; where blocks are interlaced, each byte is where it is in a page."""
        if not self.advice & INTERLACED:
            return data[: extent.size]
        rest = self.packer.block_size - extent.at % self.packer.block_size  # of the page it begins in
        first, begin = min(rest, extent.size), max(len(data) - rest, 0)
        return data[begin : begin + first] + data[: extent.size - first]

    def _decompressed(self, extent: Extent, data: bytes) -> bytes:
        number = self.algorithms[extent.kind == HEAD2]
        if number >= len(ALGORITHMS):
            raise FormatError(f"erofs: the algorithm {number} is not read", "make it with lz4 or zstd")
        name = ALGORITHMS[number]
        if name == "lz4" and not self.packer.has_padding:
            raise FormatError(
                "erofs: lz4 without zero padding is not read", "make it without `-E legacy-compress`"
            )
        try:
            return UNPACK[name](data.lstrip(b"\0"), extent)
        except DAMAGE as error:
            raise damaged(
                f"erofs: {name}: what is packed at {extent.start:#x} is damaged: {error}"
            ) from error


def _lz4(data: bytes, extent: Extent) -> bytes:
    size = min(LZ4_RATIO * len(data), MAX_EXTENT) if extent.is_partial else extent.size
    return bytes(lz4.block.decompress(data, uncompressed_size=size))[: extent.size]


def _lzma(data: bytes, extent: Extent) -> bytes:
    """Unpack MicroLZMA: its first byte, which is 0 elsewhere, has the inverted properties."""
    left, lc = divmod((data[0] if data else 0) ^ 0xFF, 9)
    pb, lp = divmod(left, 5)
    options = {"id": lzma.FILTER_LZMA1, "dict_size": LZMA_DICTIONARY, "lc": lc, "lp": lp, "pb": pb}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options]).decompress(b"\0" + data[1:], extent.size)


def _deflate(data: bytes, extent: Extent) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, extent.size)


def _zstd(data: bytes, extent: Extent) -> bytes:
    with zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(data) as stream:
        return bytes(stream.read(extent.size))


UNPACK: dict[str, Callable[[bytes, Extent], bytes]] = {
    "lz4": _lz4,
    "lzma": _lzma,
    "deflate": _deflate,
    "zstd": _zstd,
}
DAMAGE = (lz4.block.LZ4BlockError, lzma.LZMAError, zlib.error, zstandard.ZstdError, EOFError, ValueError)


def _header(image: Image, start: int) -> tuple[int, int, int, int]:
    first, advice, algorithms, bits = HEADER.unpack(
        bytes(cut(image, start, HEADER.size, "erofs: map header"))
    )
    return first, advice, algorithms, bits


def _full(image: Image, start: int, count: int, _unit: int, advices: int) -> tuple[list[_Index], int]:
    """Return the indexes of 8 bytes each, and where they end."""
    start += FULL_INDEXES
    raw = bytes(cut(image, start, 8 * count, "erofs: indexes"))
    found: list[_Index] = []
    for at in range(0, len(raw), 8):
        advice, offset, block = unpack_from("<HHI", raw, at)
        distance = block & 0xFFFF
        if advice & 3 == NONHEAD:
            found.append(_Index(NONHEAD, 0, blocks=_blocks(distance, advices)))
        else:
            found.append(_Index(advice & 3, offset, block, is_partial=bool(advice & PARTIAL)))
    return found, start + len(raw)


def _blocks(distance: int, advice: int) -> int:
    """Return how many blocks the extent before has, if its distance says so instead; else 0."""
    return distance & BLOCK_COUNT - 1 if advice & BIG_PCLUSTERS and distance & BLOCK_COUNT else 0


def _compact(image: Image, start: int, count: int, unit: int, advice: int) -> tuple[list[_Index], int]:
    """Return the indexes of 4 and 2 bytes each, and where they end.

    2 of 4 bytes are a pack, or 16 of 2 bytes: each a few bits, and behind them the first block of the pack.
    """
    bits = unit.bit_length() - 1
    if bits > MAX_CLUSTER_BITS:
        raise FormatError("erofs: compact indexes of such blocks are not read", "make it with blocks of 4096")
    first = min((32 - start % 32) // 4 & 7, count)
    short = (count - first) // 16 * 16 if advice & COMPACT_2B and bits <= 12 else 0
    found: list[_Index] = []
    at = start
    for left, size, per_pack in ((first, 4, 2), (short, 2, 16), (count - first - short, 4, 2)):
        while left > 0:
            pack = bytes(cut(image, at, size * per_pack, "erofs: indexes"))
            found += _pack(pack, per_pack, bits, advice)[:left]
            at, left = at + len(pack), left - per_pack
    return found, at


def _pack(pack: bytes, count: int, bits: int, advice: int) -> list[_Index]:
    """Return the indexes of a pack (zmap.c, `z_erofs_load_compact_lcluster`)."""
    low = max(bits, 12)
    width = (len(pack) - 4) * 8 // count
    (block,) = unpack_from("<I", pack, len(pack) - 4)
    number = int.from_bytes(pack[:-4], "little")
    is_big = bool(advice & BIG_PCLUSTERS)
    found: list[_Index] = []
    for _ in range(count):
        value, kind = number & (1 << low) - 1, number >> low & 3
        number >>= width
        if kind != NONHEAD:
            # without counts each extent has one block; with them the block is that behind all before
            block += 0 if is_big else 1
            found.append(_Index(kind, value, block))
            block += 1 if is_big else 0
            continue
        blocks = _blocks(value, advice)
        if blocks:
            block += blocks - (1 if found else 0)
        found.append(_Index(NONHEAD, 0, blocks=blocks))
    return found
