"""Owns reading cpio "newc" archives, one or several in a row, as Linux takes them for an initramfs.

Must not know compression, what an initramfs needs, or `cpio`, whose output it judges: the two share
no code.

Specification: Linux, Documentation/driver-api/early-userspace/buffer-format.rst
https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.fields import Image, cut

HEADER_SIZE = 110  # bytes: a magic of 6, then 13 fields of 8 hex digits
TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """One member as it stands in the archive: `mode` with its type bits, times in seconds since 1970."""

    offset: int  # bytes, of the header
    name: str
    inode: int
    mode: int
    uid: int
    gid: int
    nlink: int
    mtime: int
    device: tuple[int, int]  # major, minor: what the node stands for
    data: bytes

    @property
    def permissions(self) -> int:
        """The mode without its type bits."""
        return stat.S_IMODE(self.mode)


def read(archive: Image) -> Iterator[Entry]:
    """Yield the members of every archive in `archive`, trailers left out, zeros between archives skipped.

    Raises FormatError, with the offset, where the bytes are no newc member, where one runs past the
    end, and where the last archive has no trailer.
    """
    offset = _skip_zeros(archive, 0)
    if offset == len(archive):
        raise FormatError(f"cpio: no archive in {len(archive)} bytes", "give a newc archive")
    while offset < len(archive):
        entry, offset = _read_entry(archive, offset)
        if entry.name == TRAILER:
            offset = _skip_zeros(archive, offset)
            continue
        if offset >= len(archive):
            raise FormatError(
                f"cpio: no trailer after {entry.name!r}, where the archive ends ({len(archive)} bytes)",
                "the archive is cut off: make it again",
            )
        yield entry


def _read_entry(archive: Image, offset: int) -> tuple[Entry, int]:
    """Return the member at `offset`, and the offset of the next one."""
    header = bytes(cut(archive, offset, HEADER_SIZE, "cpio: header"))
    if header[:6] not in (b"070701", b"070702"):
        raise FormatError(
            f"cpio: no newc member at offset {offset:#x}: it starts with {header[:6]!r}, not b'070701'",
            "make the archive with `cpio -H newc`",
        )
    if not re.fullmatch(rb"[0-9A-Fa-f]{104}", header[6:]):
        raise FormatError(
            f"cpio: the member at offset {offset:#x} has a header field that is not hexadecimal",
            "the archive is damaged: make it again",
        )
    inode, mode, uid, gid, nlink, mtime, size, _, _, major, minor, name_size, _ = (
        int(header[start : start + 8], 16) for start in range(6, HEADER_SIZE, 8)
    )
    name = bytes(cut(archive, offset + HEADER_SIZE, name_size, "cpio: name"))
    if not name.endswith(b"\0") or b"\0" in name[:-1]:
        raise FormatError(
            f"cpio: the name at offset {offset + HEADER_SIZE:#x} does not end at its one NUL: {name[:40]!r}",
            "the archive is damaged: make it again",
        )
    start = _align(offset + HEADER_SIZE + name_size)
    text = name[:-1].decode(errors="surrogateescape")
    data = bytes(cut(archive, start, size, f"cpio: {text}"))
    entry = Entry(offset, text, inode, mode, uid, gid, nlink, mtime, (major, minor), data)
    return entry, _align(start + size)


def _align(offset: int) -> int:
    return offset + -offset % 4


def _skip_zeros(archive: Image, offset: int) -> int:
    step = 4096
    while offset < len(archive):
        block = bytes(archive[offset : offset + step])
        rest = block.lstrip(b"\0")
        if rest:
            return offset + len(block) - len(rest)
        offset += step
    return len(archive)
