"""Owns taking an initramfs apart as Linux does: archives in a row, each as it is or packed.

Must not know what an initramfs needs.

Specification: Linux, init/initramfs.c (`unpack_to_rootfs`), and
Documentation/driver-api/early-userspace/buffer-format.rst
https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipeline.errors import FormatError
from pipeline.formats import cpio_reader
from pipeline.formats.budget import ARCHIVES
from pipeline.formats.compression import LIMIT, compression_of, decompress
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image, budget_of

MAX_SEGMENTS = 256
MAX_MEMBERS = 100_000


@dataclass(frozen=True, slots=True)
class Segment:
    """One archive as it stands in the file, or what is packed together; zeros around it left out."""

    offset: int  # bytes, from the start of the file
    size: int  # bytes in the file
    compression: str  # "" for an archive as it is
    archive: Image  # as it is, or unpacked; the entries' offsets are in it
    entries: tuple[Entry, ...]

    @property
    def is_early(self) -> bool:
        """Whether Linux looks into it before it unpacks anything: for microcode and ACPI tables."""
        return not self.compression and any(entry.name.startswith("kernel/") for entry in self.entries)


def segments(image: Image, limit: int = LIMIT) -> Iterator[Segment]:
    """Yield the segments in the order in which Linux unpacks them: later members replace earlier ones.

    Raises FormatError, with the offset, at the first that is damaged or no archive, and when all together
    unpack to more than `limit` bytes, are more than `MAX_SEGMENTS` or have more than `MAX_MEMBERS`.
    """
    offset = cpio_reader.skip_zeros(image, 0)
    if offset == len(image):
        raise FormatError(
            f"initramfs: no archive in {len(image)} bytes", "give a newc archive, packed or not"
        )
    count = members = 0
    while offset < len(image):
        if count == MAX_SEGMENTS:
            error = FormatError(
                f"initramfs: more than {MAX_SEGMENTS} archives in a row, at offset {offset:#x}",
                "make one archive of them",
            )
            raise budget_of(image).lacking_or(ARCHIVES, error)
        segment = _read_segment(image, offset, limit, MAX_MEMBERS - members)
        yield segment
        count, members = count + 1, members + len(segment.entries)
        limit -= len(segment.archive) if segment.compression else 0
        offset = cpio_reader.skip_zeros(image, offset + segment.size)


def read_initramfs(image: Image, limit: int = LIMIT) -> tuple[Segment, ...]:
    """Return all segments; FormatError as `segments` raises it."""
    return tuple(segments(image, limit))


def _read_segment(image: Image, offset: int, limit: int, room: int) -> Segment:
    """Return the segment at `offset`; it may have `room` members."""
    if bytes(image[offset : offset + 4]) == b"0707" and offset % 4 == 0:
        try:
            entries, end = cpio_reader.read_archive(image[offset:], 0, room)
        except FormatError as error:
            where = f"in the archive at offset {offset:#x}"
            raise FormatError(f"initramfs: {where}: {error.message}", error.hint) from error
        return Segment(offset, end, "", image[offset : offset + end], linked(entries))
    compression = compression_of(image[offset:])
    try:
        archive, size = decompress(image[offset:], limit)
    except FormatError as error:
        raise FormatError(f"initramfs: at offset {offset:#x}: {error.message}", error.hint) from error
    try:
        found = tuple(_read_unpacked(archive, room))
    except FormatError as error:
        raise FormatError(
            f"initramfs: in the {compression} stream at offset {offset:#x}: {error.message}", error.hint
        ) from error
    return Segment(offset, size, compression, archive, found)


def _read_unpacked(archive: Image, room: int) -> Iterator[Entry]:
    at = cpio_reader.skip_zeros(archive, 0)
    if at == len(archive):
        raise FormatError(f"cpio: no archive in {len(archive)} bytes", "pack a newc archive")
    while at < len(archive):
        entries, at = cpio_reader.read_archive(archive, at, room)
        room -= len(entries)
        yield from linked(entries)
        at = cpio_reader.skip_zeros(archive, at)


def linked(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return the entries of one archive, hard links to one file each with that file's contents.

    Writers put the contents to the first or to the last of them (`maybe_link`).
    """
    files = {_file(entry): entry for entry in entries if _is_link(entry) and len(entry.data)}
    return tuple(
        replace(entry, data=file.data, checksum=None)  # it is the file's own
        if _is_link(entry) and (file := files.get(_file(entry))) and file is not entry
        else entry
        for entry in entries
    )


def _is_link(entry: Entry) -> bool:
    return entry.nlink > 1 and stat.S_ISREG(entry.mode)


def _file(entry: Entry) -> tuple[tuple[int, int], int]:
    return entry.source_device, entry.inode
