"""Unpacks what Linux unpacks: gzip, bzip2, lzma, xz, lzo, lz4 (legacy) and zstd.

Memory stays bounded whatever the input asks for.

Specification: Linux, lib/decompress.c and lib/decompress_*.c; zstd is RFC 8878, gzip RFC 1952
"""

import bz2
import contextlib
import lzma
import zlib
from collections.abc import Callable, Iterator

import lz4.block
import lz4.frame
import zstandard

from pipeline.errors import FormatError
from pipeline.formats import lzo
from pipeline.formats.budget import MAX_UNPACKED, UNPACKED
from pipeline.formats.fields import Image, budget_of, chunks, cut, legible, spool, unpack

MAGICS = {
    "gzip": b"\x1f\x8b",
    "bzip2": b"BZh",
    "lzma": b"\x5d\x00\x00",
    "xz": b"\xfd7zXZ\x00",
    "lzo": b"\x89LZO\x00",
    "lz4": b"\x02\x21\x4c\x18",
    "zstd": b"\x28\xb5\x2f\xfd",
}
LZ4_MAGIC = 0x184C2102
LZ4_FRAME = b"\x04\x22\x4d\x18"

LIMIT = MAX_UNPACKED  # bytes; what is unpacked lives in memory when Linux does it
MAX_WINDOW = 1 << 27  # bytes, of zstd; what Linux takes
MAX_MEMORY = 160_000_000  # bytes, of lzma and xz; enough for the dictionary of 128 MiB that kernels have
LZ4_BLOCK = 8 << 20  # bytes; what a block of the legacy format unpacks to, at most
LZ4_PACKED = LZ4_BLOCK + LZ4_BLOCK // 255 + 16  # bytes; the size of an incompressible block

OUTPUT = 1 << 18  # bytes unpacked at once
FEW = 1 << 12  # bytes unpacked at once near damage; what Linux asks for of bzip2 and xz
INPUT = 1 << 12  # bytes; few enough to be retried one by one near damage
ZSTD_SINGLE_SEGMENT = 0x20  # a flag of a frame that has no window of its own
ZSTD_WINDOW = 0x88  # MAX_WINDOW, as frames have it (RFC 8878, §3.1.1.1.2)
ZSTD_BLOCK = 1 << 18  # bytes; the first block is smaller
ZSTD_INPUT = 1 << 10  # bytes; few enough to unpack to no more than some 32 MiB at once
ZSTD_PACKED = 1 << 17  # bytes, of a block


class Cut(FormatError):  # noqa: N818  says where, not what went wrong
    """The stream ends before its end."""


class _Deflate:
    """What zlib unpacks, with the header of gzip around it unless `wbits` says otherwise."""

    def __init__(self, wbits: int = 16 + zlib.MAX_WBITS) -> None:
        self.stream = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self.stream.eof

    @property
    def needs_input(self) -> bool:
        return not self.stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self.stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return the next bytes; of one that is damaged, those before the damage."""
        data = self.stream.unconsumed_tail + data
        if len(data) != 1:
            return self.stream.decompress(data, max_length)
        before = self.stream.copy()
        try:
            return self.stream.decompress(data, max_length)
        except zlib.error:
            return _drained(before, data)


def _drained(stream: "zlib._Decompress", data: bytes) -> bytes:
    """Return what comes out of one byte before zlib fails, asked for one byte after the other."""
    found = b""
    with contextlib.suppress(zlib.error):
        while part := stream.decompress(data, 1):
            found, data = found + part, stream.unconsumed_tail
    return found


class _Zstd:
    needs_input = True

    def __init__(self) -> None:
        self.stream = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()

    @property
    def eof(self) -> bool:
        return bool(self.stream.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self.stream.unused_data)

    def decompress(self, data: bytes, _max_length: int) -> bytes:
        return bytes(self.stream.decompress(data))


Decoder = bz2.BZ2Decompressor | lzma.LZMADecompressor | _Deflate | _Zstd
"""A stream that takes bytes, and returns no more than asked for."""


def compression_of(image: Image) -> str:
    """Return how an image is packed, by its magic; "" when it is not, or not as Linux takes it."""
    head = bytes(image[:8])
    return next((name for name, magic in MAGICS.items() if head.startswith(magic)), "")


def decompress(image: Image, limit: int = LIMIT) -> tuple[Image, int]:
    """Unpack the stream that an image starts with; return its contents, and of how many bytes it is.

    What follows the stream is not looked at. Raises FormatError for a stream that is damaged, cut off or
    in a format that cannot be read, and when it unpacks to more than `limit` bytes.
    """
    consumed: list[int] = []
    what = f"{compression_of(image)}: the stream"
    contents = spool(parts_of(image, consumed), limit, what, budget_of(image))
    return contents, consumed[0]


def peek(image: Image, size: int) -> bytes:
    """Return the first bytes of what is packed, in lz4's frame format too; fewer where it is damaged."""
    found = b""
    with contextlib.suppress(FormatError):
        for part in _first_parts(image):
            budget_of(image).spend(UNPACKED, len(part))
            found += part
            if len(found) >= size:
                break
    return found[:size]


def _first_parts(image: Image) -> Iterator[bytes]:
    """Return the first parts of what is packed, also where Linux would not unpack it."""
    if bytes(image[:4]) == LZ4_FRAME:
        return _frame_parts(image)
    if bytes(image[:4]) == MAGICS["zstd"] and len(image) > 5 and not image[4] & ZSTD_SINGLE_SEGMENT:
        head = bytearray(bytes(image[:ZSTD_BLOCK]))
        head[5] = min(head[5], ZSTD_WINDOW)  # no block refers to more than what comes before it
        return _parts(bytes(head), _Zstd, "zstd", [])
    return parts_of(image, [])


def parts_of(image: Image, consumed: list[int]) -> Iterator[bytes]:
    """Return what is unpacked, part by part; at the end, `consumed` gets how many bytes the stream has.

    Where it is damaged, FormatError comes after all that could be unpacked.
    """
    name = compression_of(image)
    if name == "lz4":
        return lz4_parts(image, consumed)
    if name == "lzo":
        return lzo.parts(image, consumed)
    if not name:
        raise unknown(bytes(image[:8]))
    return _parts(image, DECODERS[name], name, consumed)


def unknown(head: bytes) -> FormatError:
    """Return why Linux unpacks no stream that begins like this."""
    if head.startswith(LZ4_FRAME):
        return FormatError(
            "lz4: this is the frame format, which Linux does not unpack",
            "pack it with `lz4 -l`: `lz4 -dc OLD | lz4 -l > NEW`",
        )
    return FormatError(
        f"not a format that Linux unpacks: it starts with {legible(head[:8])}",
        "pack it with zstd, gzip, xz --check=crc32, lz4 -l, lzop, lzma or bzip2",
    )


def deflate_parts(image: Image, consumed: list[int]) -> Iterator[bytes]:
    """Return what is deflated without a header, as `parts_of` does."""
    return _parts(image, lambda: _Deflate(-zlib.MAX_WBITS), "gzip", consumed)


DECODERS: dict[str, Callable[[], Decoder]] = {
    "gzip": _Deflate,
    "bzip2": bz2.BZ2Decompressor,
    "zstd": _Zstd,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, MAX_MEMORY),
}
DAMAGE = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, ValueError)


def _parts(image: Image, new: Callable[[], Decoder], name: str, consumed: list[int]) -> Iterator[bytes]:
    """Yield what is unpacked, then leave in `consumed` how many bytes the stream has."""
    decoder, offset, step = new(), 0, ZSTD_INPUT if name == "zstd" else INPUT
    ends = _block_ends(image) if name == "zstd" else iter(())
    last = size = 0  # where the last step of the input began, and how much has come out
    try:
        while not decoder.eof:
            # inside of one block it is not a few bytes that unpack to many
            end = next((end for end in ends if end > offset), 0) if decoder.needs_input else 0
            room = max(step, min(-(-end // step) * step - offset, ZSTD_PACKED))
            data = bytes(image[offset : offset + room]) if decoder.needs_input else b""
            if decoder.needs_input and not data:
                raise Cut(f"{name}: the stream is cut off, at {len(image)} bytes", "make it again")
            offset += len(data)
            last = (offset - 1) // step * step if data else last
            part = decoder.decompress(data, OUTPUT)
            size += len(part)
            yield part
    except DAMAGE as error:
        yield from _until_damage(image, new(), step, last, size)
        raise FormatError(
            f"{name}: the stream is damaged near offset {(offset - 1) // step * step:#x}: {error}",
            "make it again",
        ) from error
    consumed.append(offset - len(decoder.unused_data))


def zstd_header(descriptor: int) -> tuple[int, int, int]:
    """Return the bytes of a frame's window descriptor, dictionary and content size (RFC 8878, §3.1.1.1)."""
    single = bool(descriptor & ZSTD_SINGLE_SEGMENT)
    return int(not single), (0, 1, 2, 4)[descriptor & 3], (int(single), 2, 4, 8)[descriptor >> 6]


def _block_ends(image: Image) -> Iterator[int]:
    """Yield where each block of a zstd frame ends, as far as their headers say (RFC 8878, §3.1.1)."""
    offset = 5 + sum(zstd_header(int.from_bytes(bytes(image[4:5]), "little")))
    while len(header := bytes(image[offset : offset + 3])) == 3:
        fields = int.from_bytes(header, "little")
        repeats = fields >> 1 & 3 == 1  # one byte that is there many times
        offset += 3 + (1 if repeats else fields >> 3)
        yield offset
        if fields & 1:
            return


def _until_damage(image: Image, decoder: Decoder, step: int, last: int, size: int) -> Iterator[bytes]:
    """Yield what comes out of the input that is damaged, before it is: `size` bytes came out before.

    A decoder that fails keeps what it has: it is given one byte after the other, and asked for few.
    """
    offset = found = 0
    with contextlib.suppress(*DAMAGE):
        while not decoder.eof and offset < len(image):
            room, most = (1, FEW) if offset >= last else (step, OUTPUT)
            data = bytes(image[offset : offset + room])
            offset += len(data)
            part = decoder.decompress(data, most)
            while part:
                found += len(part)
                if found > size:
                    yield part[size - found :]
                    size = found
                part = b"" if decoder.eof else decoder.decompress(b"", most)


def _frame_parts(image: Image) -> Iterator[bytes]:
    decoder = lz4.frame.LZ4FrameDecompressor()
    try:
        for data in chunks(image, INPUT):
            yield decoder.decompress(data, OUTPUT)
    except (RuntimeError, EOFError) as error:
        raise FormatError(f"lz4: the frame is damaged: {error}", "make it again") from error


def lz4_parts(image: Image, consumed: list[int], tail: int = 4) -> Iterator[bytes]:
    """Unpack the legacy format, as lib/decompress_unlz4.c does: blocks, each with its size in front.

    It has no end of its own: it goes up to the end of the image, to a size of 0, or to the last `tail`
    bytes: kernels have their unpacked size in four.
    """
    offset = 4
    while len(image) - offset > tail:
        (size,) = unpack("<I", image, offset, "lz4: block size")
        if size == 0:
            break
        if size != LZ4_MAGIC:
            yield _lz4_block(image, offset + 4, size)
            offset += size
        offset += 4
    consumed.append(offset)


def _lz4_block(image: Image, offset: int, size: int) -> bytes:
    if size > LZ4_PACKED:
        raise FormatError(
            f"lz4: the block at offset {offset:#x} has {size} bytes; {LZ4_PACKED} are possible",
            "make it again; nothing may follow it but zeros",
        )
    block = bytes(cut(image, offset, size, "lz4: block"))
    try:
        return bytes(lz4.block.decompress(block, uncompressed_size=LZ4_BLOCK))
    except lz4.block.LZ4BlockError as error:
        raise FormatError(
            f"lz4: the block at offset {offset:#x} is damaged: {error}", "make it again"
        ) from error
