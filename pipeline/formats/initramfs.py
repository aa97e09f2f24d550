"""Owns taking an initramfs apart as Linux does: archives in a row, each as it is or packed.

Must not know what an initramfs needs.

Specification: Linux, init/initramfs.c (`unpack_to_rootfs`), and
Documentation/driver-api/early-userspace/buffer-format.rst
https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

from dataclasses import dataclass, field

from pipeline.errors import FormatError
from pipeline.formats import cpio_reader, decompressors
from pipeline.formats.budget import ARCHIVES
from pipeline.formats.compression import LIMIT, LZ4_FRAME
from pipeline.formats.cpio_members import FOREIGN, Run, other_format, read_run
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image, budget_of, legible
from pipeline.formats.magic import recognise

MAX_SEGMENTS = 256
MAX_MEMBERS = 100_000
EARLY = "kernel/"
TOOLS = {name: name for name in decompressors.METHODS.values()} | {
    "xz": "xz --check=crc32",
    "lz4": "lz4 -l",
    "lzo": "lzop",
    "lzma": "xz --format=lzma",
}
"""What packs as Linux can unpack it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One archive as it stands in the file, or what is packed together; zeros around it left out."""

    offset: int  # bytes, from the start of the file
    size: int  # bytes in the file
    compression: str  # "" for an archive as it is
    archive: Image  # as it is, or unpacked; the entries' offsets are in it
    entries: tuple[Entry, ...]
    is_first: bool = False  # whether nothing packed comes before it, nor is it

    @property
    def is_early(self) -> bool:
        """Whether Linux finds something in it before it unpacks anything: microcode, ACPI tables."""
        return self.is_first and any(entry.name.startswith(EARLY) for entry in self.entries)


@dataclass(slots=True)
class Unpacked:
    """What Linux has when it is done.

    `fault` is why it stopped at the byte at `end`, `doubts` what it does not notice, though it be damage.
    """

    segments: list[Segment] = field(default_factory=list)
    end: int = 0
    fault: FormatError | None = None
    doubts: list[FormatError] = field(default_factory=list)


def read_initramfs(image: Image, limit: int = LIMIT) -> tuple[Segment, ...]:
    """Return all segments of an initramfs that is sound. Raises FormatError at its first fault or doubt."""
    found = unpack(image, limit)
    for error in (found.fault, *found.doubts):
        if error:
            raise error
    return tuple(found.segments)


def unpack(image: Image, limit: int = LIMIT) -> Unpacked:
    """Unpack one segment after the other, until Linux would stop: later members replace earlier ones.

    Raises FormatError when all together unpack to more than `limit` bytes, are more than `MAX_SEGMENTS` or
    have more than `MAX_MEMBERS`.
    """
    found = Unpacked(end=cpio_reader.skip_zeros(image, 0))
    if found.end == len(image):
        found.fault = FormatError(
            f"initramfs: no archive in {len(image)} bytes", "give a newc archive, packed or not"
        )
    while found.end < len(image) and found.fault is None:
        if len(found.segments) == MAX_SEGMENTS:
            error = FormatError(
                f"initramfs: more than {MAX_SEGMENTS} archives in a row, at offset {found.end:#x}",
                "make one archive of them",
            )
            raise budget_of(image).lacking_or(ARCHIVES, error)
        room = MAX_MEMBERS - sum(len(segment.entries) for segment in found.segments)
        if bytes(image[found.end : found.end + 1]) == b"0" and found.end % 4 == 0:
            _take_archive(image, found, room)
        else:
            _take_stream(image, found, limit, room)
            limit -= len(found.segments[-1].archive) if found.segments else 0
    return found


def _take_archive(image: Image, found: Unpacked, room: int) -> None:
    """Read the archive at the end of what has been read: it ends at its trailer."""
    start, where = found.end, f"in the archive at offset {found.end:#x}"
    try:
        run = read_run(image[start:], 0, room)
    except FormatError as error:
        raise _at(where, error) from error
    size = min(run.end, len(image) - start)
    is_first = all(segment.is_first for segment in found.segments)
    if run.entries or run.has_trailer:
        archive = image[start : start + size]
        found.segments.append(Segment(start, size, "", archive, tuple(run.entries), is_first))
    found.end = start + size
    found.fault = _at(where, run.fault) if run.fault else None
    if run.cut:
        found.doubts.append(_at(where, run.cut))
    if run.fault or run.cut:
        return
    found.end = cpio_reader.skip_zeros(image, found.end)
    misplaced = _misplaced(image, found.end, "cpio")
    found.fault = _at(where, misplaced) if misplaced else None
    if found.end == len(image) and not run.has_trailer:
        found.doubts.append(_at(where, _no_trailer(run, size)))


def _take_stream(image: Image, found: Unpacked, limit: int, room: int) -> None:
    """Unpack the stream at the end of what has been read."""
    start = found.end
    try:
        stream = decompressors.unpack(image[start:], limit)
    except FormatError as error:
        raise _at(f"at offset {start:#x}", error) from error
    compression = decompressors.method_of(image[start:])
    where = f"in the {compression} stream at offset {start:#x}"
    try:
        entries, fault, doubt = _members(stream.contents, room, is_first=not found.segments)
    except FormatError as error:
        raise _at(where, error) from error
    if stream.fault:
        where, doubt = f"at offset {start:#x}", None
        fault = _not_packed(image, start) or _remainder(image, start) or stream.fault
    else:
        found.end += stream.size
        if fault and decompressors.method_of(image[found.end :]) == compression:
            fault = FormatError(
                "the archive goes on in another stream, and Linux wants all of it in one",
                f"pack it as one: `{TOOLS[compression]} -dc OLD | {TOOLS[compression]} > NEW`",
            )
    if entries or not stream.fault:
        found.segments.append(Segment(start, stream.size, compression, stream.contents, tuple(entries)))
    found.fault = _at(where, fault) if fault else None
    found.doubts += [_at(where, each) for each in (stream.doubt, doubt) if each]
    if not fault:
        found.end = cpio_reader.skip_zeros(image, found.end)


def _members(
    archive: Image, room: int, *, is_first: bool
) -> tuple[list[Entry], FormatError | None, FormatError | None]:
    """Return the members of what was packed, why Linux stops there, and what it does not notice.

    Zeros in front are skipped but where nothing has been unpacked before.
    """
    entries: list[Entry] = []
    run = Run(end=0 if is_first else cpio_reader.skip_zeros(archive, 0))
    fault = _empty(archive) if is_first and cpio_reader.skip_zeros(archive, 0) == len(archive) else None
    while run.end < len(archive) and not fault:
        fault = _misplaced(archive, run.end, "cpio")
        if fault:
            break
        run = read_run(archive, run.end, room - len(entries))
        entries += run.entries
        fault = run.fault or run.cut
        if not fault and run.end > len(archive):
            fault = FormatError(
                f"cpio: the archive's {len(archive)} bytes are no multiple of 4", "fill it up with zeros"
            )
        run.end = cpio_reader.skip_zeros(archive, run.end)
    doubt = None if fault or run.has_trailer or not entries else _no_trailer(run, len(archive))
    return entries, fault, doubt


def _empty(archive: Image) -> FormatError:
    return FormatError(f"cpio: no archive in {len(archive)} bytes", "pack a newc archive")


def _misplaced(image: Image, at: int, what: str) -> FormatError | None:
    """Return what is wrong with where something starts behind zeros."""
    if at == len(image) or at % 4 == 0:
        return None
    return FormatError(
        f"{what}: what follows the archive starts at offset {at:#x}, no multiple of 4",
        "fill the archive up to a multiple of 4 before something is joined to it: `truncate -s %4 FIRST`",
    )


def _not_packed(image: Image, at: int) -> FormatError | None:
    """Return what stands where Linux looks for something packed, None where it is that, or nothing known."""
    if decompressors.method_of(image[at:]):
        return None
    if bytes(image[at : at + 4]) != b"0707":
        found = recognise(image[at:])
        return other_format(image[at:]) if found in FOREIGN else None
    return FormatError(
        "an archive that is not packed has to start at a multiple of 4",
        "fill up what is in front of it before they are joined: `truncate -s %4 FIRST`",
    )


def _remainder(image: Image, at: int) -> FormatError | None:
    """Return what is to be said of bytes behind an archive that mean nothing to Linux."""
    if at == 0 or decompressors.method_of(image[at:]) or bytes(image[at : at + 4]) == LZ4_FRAME:
        return None
    return FormatError(
        f"what follows is nothing that Linux unpacks: it starts with {legible(bytes(image[at : at + 8]))}",
        f"cut it off: `head -c {at} OLD > NEW`, or pack it as Linux can unpack it",
    )


def _no_trailer(run: Run, size: int) -> FormatError:
    last = f" after {run.entries[-1].name!r}" if run.entries else ""
    return FormatError(
        f"cpio: no trailer{last}, where the archive ends ({size} bytes)",
        "the archive is cut off: make it again",
    )


def _at(where: str, error: FormatError) -> FormatError:
    return FormatError(f"initramfs: {where}: {error.message}", error.hint)
