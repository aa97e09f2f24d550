"""What Linux' decompressors make of a stream: which they refuse, what they keep of a damaged one.

Where tools and Linux agree, `compression` does the work.

Specification: Linux 6.12, lib/decompress.c and lib/decompress_*.c, lib/xz, lib/zstd; the XZ format 1.1.0,
§2.1.1.2 and §3.1; RFC 1952 §2.3; RFC 8878 §3.1.1.1
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.compression import (
    LIMIT,
    MAGICS,
    MAX_WINDOW,
    Cut,
    deflate_parts,
    lz4_parts,
    parts_of,
    unknown,
    zstd_header,
)
from pipeline.formats.fields import Image, budget_of, spool

METHODS = {magic[:2]: name for name, magic in MAGICS.items()} | {b"\x1f\x9e": "gzip"}
"""By what a stream starts with, how Linux unpacks it (compressed_formats)."""

HEAD = 4096  # bytes: more than any header has that is looked into
KEPT = {"xz": 4096, "bzip2": 4096, "zstd": 1 << 17}
"""How many bytes come out at once: what is not full when the damage is found is lost."""

GZIP_HEADER, GZIP_TRAILER = 10, 8  # bytes
NAME = 0x08  # the one optional field of gzip's header that Linux skips
OTHER_FIELDS = 0x16  # checksum of the header, extra field, comment
GZIP_AGAIN = "pack it again: `gzip -dc OLD | gzip -n > NEW`"
XZ_CHECKS = {4: "CRC64", 10: "SHA-256"}
X86 = 4  # xz's filter for programs of that machine; kernels for it are built without the others
LZMA2 = 0x21


@dataclass(frozen=True, slots=True)
class Stream:
    """What came out, of how many bytes, why it stopped before the end, and what Linux does not notice."""

    contents: Image
    size: int
    fault: FormatError | None = None
    doubt: FormatError | None = None


def method_of(image: Image) -> str:
    """Return how Linux would unpack an image, "" where it knows none."""
    return METHODS.get(bytes(image[:2]), "")


def unpack(image: Image, limit: int = LIMIT) -> Stream:
    """Unpack the stream that an image starts with, as far as Linux does.

    Raises FormatError only when it unpacks to more than `limit` bytes.
    """
    name, head = method_of(image), bytes(image[:HEAD])
    fault = _refusal(name, head)
    if fault:
        return Stream(b"", len(image), fault)
    consumed: list[int] = []
    faults: list[FormatError] = []
    sums = _Sums()
    parts = sums.added(_until_fault(_parts(name, image, head, consumed), faults))
    contents = spool(parts, limit, f"{name}: the stream", budget_of(image))
    if faults:
        kept = contents[: _kept(name, head, faults[0], len(contents))]
        return Stream(kept, len(image), _fields(name, head) or faults[0])
    if name == "gzip":
        return _with_trailer(image, contents, consumed[0] + _gzip_header(head), sums)
    return Stream(contents, consumed[0])


def _parts(name: str, image: Image, head: bytes, consumed: list[int]) -> Iterator[bytes]:
    if name == "gzip":
        return deflate_parts(image[_gzip_header(head) :], consumed)
    return lz4_parts(image, consumed, 3) if name == "lz4" else parts_of(image, consumed)


def _until_fault(parts: Iterator[bytes], faults: list[FormatError]) -> Iterator[bytes]:
    try:
        yield from parts
    except FormatError as error:
        faults.append(type(error)(error.message, error.hint))  # this one keeps no frames alive


class _Sums:
    """The sum and the size of what gzip unpacked; Linux compares neither with the trailer."""

    def __init__(self) -> None:
        self.crc32 = self.size = 0

    def added(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            self.crc32 = zlib.crc32(part, self.crc32)
            self.size += len(part)
            yield part


def _with_trailer(image: Image, contents: Image, end: int, sums: _Sums) -> Stream:
    trailer = bytes(image[end : end + GZIP_TRAILER])
    if len(trailer) < GZIP_TRAILER:
        # Linux passes over the trailer without a look, and goes on behind the end of the file
        fault = Cut(f"gzip: the stream is cut off in its last bytes, at {len(image)}", "make it again")
        return Stream(b"", len(image), fault)
    doubt = None
    if trailer != sums.crc32.to_bytes(4, "little") + (sums.size & 0xFFFF_FFFF).to_bytes(4, "little"):
        doubt = FormatError("gzip: the checksum is wrong, and Linux does not look at it", "make it again")
    return Stream(contents, end + GZIP_TRAILER, None, doubt)


def _kept(name: str, head: bytes, fault: FormatError, size: int) -> int:
    """Return how many of the bytes that a decompressor had when it failed Linux has handed on."""
    if name == "lzma":
        at_once = max(int.from_bytes(head[1:5], "little"), 1)  # the dictionary
    elif isinstance(fault, Cut) and name != "bzip2":
        at_once = 1
    else:
        at_once = KEPT.get(name, 1)
    return size - size % at_once


def _refusal(name: str, head: bytes) -> FormatError | None:
    """Return why Linux does not unpack a stream that may be sound."""
    if not name:
        return unknown(head)
    refusals = {"gzip": _gzip, "xz": _xz, "zstd": _zstd}.get(name, lambda _: iter(()))
    return next((FormatError(f"{name}: {message}", hint) for message, hint in refusals(head)), None)


def _gzip_header(head: bytes) -> int:
    """Return the size of the header, as Linux finds its end."""
    named = len(head) > 3 and head[3] & NAME
    return head.find(b"\0", GZIP_HEADER) + 1 if named else GZIP_HEADER


def _gzip(head: bytes) -> Iterator[tuple[str, str]]:
    if len(head) < GZIP_HEADER or head[1:3] != b"\x8b\x08" or _gzip_header(head) == 0:
        yield f"the header {head[:4].hex()} is not one that Linux takes", GZIP_AGAIN


def _fields(name: str, head: bytes) -> FormatError | None:
    """Return why Linux fails where it takes fields of gzip's header for what is packed."""
    if name != "gzip" or not head[3] & OTHER_FIELDS:
        return None
    return FormatError(
        f"gzip: the header has fields that Linux does not skip (flags {head[3]:#04x})", GZIP_AGAIN
    )


def _xz(head: bytes) -> Iterator[tuple[str, str]]:
    again = "pack it again: `xz -dc OLD | xz --check=crc32 > NEW`"
    check = head[7] & 0xF if len(head) > 7 else 0
    if check > 1:
        kind = XZ_CHECKS.get(check, f"of type {check}")
        yield f"its checksums are {kind}; Linux takes CRC32 or none", again
    if _xz_filters(head) not in ([], [LZMA2], [X86, LZMA2]):
        names = ", ".join(f"{one:#x}" for one in _xz_filters(head))
        yield f"its filters are {names}; Linux takes LZMA2 (0x21), and the one for x86 (0x4) before it", again


def _xz_filters(head: bytes) -> list[int]:
    """Return the filters of the first block; none where there is no block, or its header is damaged."""
    block = head[12 : 12 + (head[12] + 1) * 4] if len(head) > 13 and head[12] else b""
    if len(block) < 4:
        return []
    numbers = iter(block[2:-4])
    try:
        for flag in (0x40, 0x80):  # its sizes
            if block[1] & flag:
                _vli(numbers)
        found = []
        for _ in range((block[1] & 3) + 1):
            found.append(_vli(numbers))
            for _ in range(_vli(numbers)):
                next(numbers)
    except StopIteration:
        return []
    return found


def _vli(octets: Iterator[int]) -> int:
    """Return a number of 7 bits a byte, the lowest first."""
    value = shift = 0
    while True:
        octet = next(octets)
        value |= (octet & 0x7F) << shift
        shift += 7
        if not octet & 0x80:
            return value


def _zstd(head: bytes) -> Iterator[tuple[str, str]]:
    again = "pack it again: `zstd -dc --long=31 OLD | zstd -19 > NEW`"
    if len(head) < 18:
        return
    window_size, dictionary, content_size = zstd_header(head[4])
    at = 5 + window_size
    if any(head[at : at + dictionary]):
        yield "it needs a dictionary, which Linux does not have", again
    at += dictionary
    window = (1 << (10 + (head[5] >> 3))) // 8 * (8 + (head[5] & 7))
    if not window_size:  # in one segment: its window is all of it
        window = int.from_bytes(head[at : at + content_size], "little")
    if window > MAX_WINDOW + 1:
        yield f"its window has {window >> 20} MiB; Linux takes up to {MAX_WINDOW >> 20}", again
