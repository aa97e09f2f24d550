"""Owns unpacking a file that is one zstd frame, as far as Linux would unpack it. Thin over zstandard.

Must not know what is packed.

Specification: RFC 8878 https://www.rfc-editor.org/rfc/rfc8878
"""

import zstandard

from pipeline.errors import FormatError
from pipeline.formats.fields import Image

MAGIC = b"\x28\xb5\x2f\xfd"
MAX_WINDOW = 1 << 27  # bytes; what Linux' decompressor takes

CHUNK = 1024  # bytes; a chunk this small cannot unpack to more than some 32 MiB at once


def unpack_zstd(image: Image, limit: int) -> bytes:
    """Return what is packed.

    Raises FormatError when the frame is damaged, cut off or followed by other bytes, and when it unpacks
    to more than `limit` bytes.
    """
    frame = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()
    parts, size, offset = [], 0, 0
    try:
        while offset < len(image) and not frame.eof:
            parts.append(frame.decompress(bytes(image[offset : offset + CHUNK])))
            size += len(parts[-1])
            offset += CHUNK
            if size > limit:
                raise FormatError(f"zstd: the frame unpacks to more than {limit} bytes", "put less into it")
    except zstandard.ZstdError as error:
        raise FormatError(
            f"zstd: the frame is damaged near offset {offset:#x}: {error}", "make it again"
        ) from error
    if not frame.eof:
        raise FormatError(f"zstd: the frame is cut off, at {len(image)} bytes", "make it again")
    rest = len(frame.unused_data) + max(len(image) - offset, 0)
    if rest:
        raise FormatError(f"zstd: {rest} bytes follow the frame, of {len(image)}", "make it again")
    return b"".join(parts)
