"""Reads cpio "newc" archives, one or several in a row, as Linux takes them for an initramfs.

It shares no code with `cpio`, whose output it judges.

Specification: Linux, Documentation/driver-api/early-userspace/buffer-format.rst
https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.fields import CHUNK, Image, chunks, cut

MAGICS = (b"070701", b"070702")
HEADER_SIZE = 110  # bytes: a magic of 6, then 13 fields of 8 hex digits
HEADER_FIELDS = re.compile(rb"[0-9A-Fa-f]{104}")
TRAILER = "TRAILER!!!"

MAX_NAME = 4096  # bytes, with the NUL; Linux skips members with longer ones
MAX_NAMES = 1 << 25  # characters, of an archive's names
READ_AHEAD = 512  # bytes; a header and almost every name


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
    data: Image
    source_device: tuple[int, int] = (0, 0)  # where it was packed; with the inode, what hard links go by
    checksum: int | None = None  # the sum of the data's bytes, in archives of magic 070702
    missing: int = 0  # bytes of the data that the archive ends before
    start: int = 0  # bytes, of the data

    @property
    def permissions(self) -> int:
        """The mode without its type bits."""
        return stat.S_IMODE(self.mode)

    @property
    def is_sound(self) -> bool:
        """Whether the data's bytes add up to the checksum, where there is one."""
        found = sum(sum(part) for part in chunks(self.data)) if self.checksum is not None else None
        return found is None or found & 0xFFFF_FFFF == self.checksum


def read(archive: Image) -> Iterator[Entry]:
    """Yield the members of every archive in `archive`, trailers left out, zeros between archives skipped.

    Raises FormatError, with the offset, where the bytes are no newc member, where one runs past the
    end, and where the last archive has no trailer.
    """
    offset = skip_zeros(archive, 0)
    if offset == len(archive):
        raise FormatError(f"cpio: no archive in {len(archive)} bytes", "give a newc archive")
    while offset < len(archive):
        entry, offset = _read_entry(archive, offset)
        if entry.name == TRAILER:
            offset = skip_zeros(archive, offset)
            continue
        _check_goes_on(archive, entry, offset)
        yield entry


def skip_zeros(image: Image, offset: int) -> int:
    """Return the offset of the first byte from `offset` on that is not zero, or the image's size."""
    if offset < len(image) and image[offset]:
        return offset
    ahead = READ_AHEAD
    while offset < len(image):
        block = bytes(image[offset : offset + ahead])
        if block != bytes(len(block)):  # much quicker than to look for the byte
            return offset + len(block) - len(block.lstrip(b"\0"))
        offset += len(block)
        ahead = min(2 * ahead, CHUNK)  # most often there are few zeros, or very many
    return len(image)


def _check_goes_on(image: Image, entry: Entry, end: int) -> None:
    if end >= len(image):
        raise FormatError(
            f"cpio: no trailer after {entry.name!r}, where the archive ends ({len(image)} bytes)",
            "the archive is cut off: make it again",
        )


def _read_entry(archive: Image, offset: int) -> tuple[Entry, int]:
    """Return the member at `offset`, and the offset of the next one."""
    cut(archive, offset, HEADER_SIZE, "cpio: header")
    ahead = bytes(archive[offset : offset + READ_AHEAD])
    header = ahead[:HEADER_SIZE]
    if header[:6] not in MAGICS:
        raise FormatError(
            f"cpio: no newc member at offset {offset:#x}: it starts with {header[:6]!r}, not b'070701'",
            "make the archive with `cpio -H newc`",
        )
    if not HEADER_FIELDS.fullmatch(header, 6):
        raise FormatError(
            f"cpio: the member at offset {offset:#x} has a header field that is not hexadecimal",
            "the archive is damaged: make it again",
        )
    inode, mode, uid, gid, nlink, mtime, size, source_major, source_minor, major, minor, name_size, sum_ = (
        int(header[start : start + 8], 16) for start in range(6, HEADER_SIZE, 8)
    )
    name = _read_name(archive, offset + HEADER_SIZE, name_size, ahead[HEADER_SIZE:])
    start = _align(offset + HEADER_SIZE + name_size)
    entry = Entry(
        offset=offset,
        name=name,
        inode=inode,
        mode=mode,
        uid=uid,
        gid=gid,
        nlink=nlink,
        mtime=mtime,
        device=(major, minor),
        data=cut(archive, start, size, f"cpio: {name}"),
        source_device=(source_major, source_minor),
        checksum=sum_ if header[:6] == MAGICS[1] and stat.S_ISREG(mode) else None,
    )
    return entry, _align(start + size)


def _read_name(archive: Image, offset: int, size: int, ahead: bytes) -> str:
    """Return the name; `ahead` is what has been read from `offset` on."""
    if size > MAX_NAME:
        raise FormatError(
            f"cpio: the name at offset {offset:#x} has {size} bytes; Linux takes up to {MAX_NAME}",
            "the archive is damaged: make it again",
        )
    name = ahead[:size] if size <= len(ahead) else bytes(cut(archive, offset, size, "cpio: name"))
    if not name.endswith(b"\0") or b"\0" in name[:-1]:
        raise FormatError(
            f"cpio: the name at offset {offset:#x} does not end at its one NUL: {name[:40]!r}",
            "the archive is damaged: make it again",
        )
    return name[:-1].decode(errors="surrogateescape")


def _align(offset: int) -> int:
    return offset + -offset % 4
