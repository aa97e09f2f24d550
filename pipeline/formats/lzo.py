"""Unpacks what lzop packs, block by block, as Linux does: LZO1X with a size in front.

Linux compares no checksums.

Specification: Linux, lib/decompress_unlzo.c and Documentation/staging/lzo.rst
"""

from collections.abc import Iterator
from contextlib import suppress

from pipeline.errors import FormatError
from pipeline.formats.fields import Image, cut, unpack

MAGIC = b"\x89LZO\0\r\n\x1a\n"
BLOCK = 1 << 18  # bytes that a block unpacks to, at most
HAS_FILTER = 0x800
SINCE_LEVELS = 0x940  # the version of lzop whose headers have a level, and times of 8 bytes
END = 0x4000  # the distance that ends a block
FAR, NEAR = 0x4000, 0x801  # what is added to a distance


def parts(image: Image, consumed: list[int]) -> Iterator[bytes]:
    """Yield what is unpacked, block by block; at the end, `consumed` gets how many bytes the stream has.

    Raises FormatError where it is damaged or cut off, after all blocks before.
    """
    offset = _header_size(image)
    while True:
        (size,) = unpack(">I", image, offset, "lzo: block size")
        offset += 4
        if size == 0:
            break
        (packed,) = unpack(">I4x", image, offset, "lzo: block header")
        if not 0 < packed <= size <= BLOCK:
            raise FormatError(
                f"lzo: the block at offset {offset:#x} has {packed} bytes for {size}; {BLOCK} are possible",
                "make it again",
            )
        block = bytes(cut(image, offset + 8, packed, "lzo: block"))
        yield block if packed == size else _unpacked(block, size, offset + 8)
        offset += 8 + packed
    consumed.append(offset)


def _header_size(image: Image) -> int:
    if bytes(image[: len(MAGIC)]) != MAGIC:
        raise FormatError("lzo: this is no header of lzop's", "pack it with `lzop`")
    (version,) = unpack(">H", image, 9, "lzo: header")
    is_new = version >= SINCE_LEVELS
    at = 16 + is_new
    (flags,) = unpack(">I", image, at, "lzo: header")
    at += (8 if flags & HAS_FILTER else 4) + (12 if is_new else 8)
    (name_size,) = unpack("B", image, at, "lzo: header")
    return int(at + 1 + name_size + 4)


def unpacked(block: bytes, size: int) -> bytes:
    """Unpack one block of LZO1X, to no more than `size` bytes. Raises FormatError where it is damaged."""
    with suppress(IndexError):
        found = _lzo1x(block, size)
        if len(found) <= size:
            return found
    raise FormatError("lzo: a block is damaged", "make it again")


def _unpacked(block: bytes, size: int, offset: int) -> bytes:
    with suppress(FormatError):
        found = unpacked(block, size)
        if len(found) == size:
            return found
    raise FormatError(f"lzo: the block at offset {offset:#x} is damaged", "make it again")


def _lzo1x(block: bytes, size: int) -> bytes:
    """Unpack one block, up to its end mark, or to more than `size` bytes. IndexError where it has none.

    What an instruction below 16 means depends on how many literals the last one ended with.
    """
    out, at, literals = bytearray(), 0, 0
    if block[0] > 17:
        literals = block[0] - 17
        out += block[1 : 1 + literals]
        at, literals = 1 + literals, min(literals, 4)
    while len(out) <= size:
        code = block[at]
        at += 1
        if code < 16 and literals == 0:
            length, at = _length(block, at, code, 15)
            out += block[at : at + length + 3]
            at, literals = at + length + 3, 4
            continue
        if code >= 64:
            length, distance = (code >> 5) + 1, (block[at] << 3) + (code >> 2 & 7) + 1
            at += 1
        elif code < 16:
            length = 3 if literals == 4 else 2
            distance = (block[at] << 2) + (code >> 2) + (NEAR if literals == 4 else 1)
            at += 1
        else:
            length, at = _length(block, at, code & (31 if code >= 32 else 7), 31 if code >= 32 else 7)
            code_2 = block[at] | block[at + 1] << 8
            at += 2
            distance = (code_2 >> 2) + (1 if code >= 32 else FAR + ((code & 8) << 11))
            if code < 32 and distance == END:
                return bytes(out)
            length, code = length + 2, code_2
        if distance > len(out) or length > size:
            raise IndexError
        seen = out[len(out) - distance :][:length]
        out += (seen * (length // len(seen) + 1))[:length]
        literals = code & 3
        out += block[at : at + literals]
        at += literals
    return bytes(out)


def _length(block: bytes, at: int, length: int, most: int) -> tuple[int, int]:
    """Return a length, and where the next thing is: one that does not fit goes on in bytes of its own."""
    if length:
        return length, at
    start = at
    while block[at] == 0:
        at += 1
    return most + 255 * (at - start) + block[at], at + 1
