"""Takes an initramfs apart as Linux does: archives in a row, each compressed or not.

Specification: Linux, init/initramfs.c (`unpack_to_rootfs`), and
Documentation/driver-api/early-userspace/buffer-format.rst
https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats import decompressors
from pipeline.formats.budget import ARCHIVES
from pipeline.formats.compression import LIMIT, LZ4_FRAME
from pipeline.formats.cpio_reader import MAX_MEMBERS, Entry, NoMember, Run, read_run, skip_zeros
from pipeline.formats.fields import Image, budget_of, legible
from pipeline.formats.magic import Format, recognise

MAX_SEGMENTS = 256
EARLY = "kernel/"
FOREIGN = (Format.CPIO_ODC, Format.CPIO_BINARY, Format.TAR)
"""What others make of many files, and Linux does not take."""

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
    compression: str  # "" for an uncompressed archive
    archive: Image  # unpacked; the entries' offsets are in it
    entries: tuple[Entry, ...]
    is_first: bool = False  # whether nothing packed comes before it, nor is it

    @property
    def is_early(self) -> bool:
        """Whether Linux finds something in it before it unpacks anything: microcode, ACPI tables."""
        return self.is_first and any(entry.name.startswith(EARLY) for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What Linux has when it is done, or after one step of that: then no segment, or one.

    `fault` is why it stopped at the byte at `end`, `doubts` what it does not notice, though it be damage.
    """

    segments: tuple[Segment, ...]
    end: int
    fault: FormatError | None = None
    doubts: tuple[FormatError, ...] = ()


def read_initramfs(image: Image, limit: int = LIMIT) -> tuple[Segment, ...]:
    """Return all segments of an initramfs that is sound. Raises FormatError at its first fault or doubt."""
    found = unpack(image, limit)
    for error in (found.fault, *found.doubts):
        if error:
            raise error
    return found.segments


def unpack(image: Image, limit: int = LIMIT) -> Unpacked:
    """Unpack one segment after the other, until Linux would stop: later members replace earlier ones.

    Raises FormatError when all together unpack to more than `limit` bytes, are more than `MAX_SEGMENTS` or
    have more than `MAX_MEMBERS`.
    """
    segments: list[Segment] = []
    doubts: list[FormatError] = []
    end, fault = skip_zeros(image, 0), None
    if end == len(image):
        fault = FormatError(
            f"initramfs: no archive in {len(image)} bytes", "give a newc archive, packed or not"
        )
    while end < len(image) and fault is None:
        if len(segments) == MAX_SEGMENTS:
            raise budget_of(image).lacking_or(
                ARCHIVES,
                f"initramfs: more than {MAX_SEGMENTS} archives in a row, at offset {end:#x}",
                "make one archive of them",
            )
        room = MAX_MEMBERS - sum(len(segment.entries) for segment in segments)
        if bytes(image[end : end + 1]) == b"0" and end % 4 == 0:
            taken = _take_archive(image, end, room, all(segment.is_first for segment in segments))
        else:
            taken = _take_stream(image, end, limit, room, not segments)
            limit -= sum(len(segment.archive) for segment in taken.segments)
        segments += taken.segments
        doubts += taken.doubts
        end, fault = taken.end, taken.fault
    return Unpacked(tuple(segments), end, fault, tuple(doubts))


def _take_archive(image: Image, start: int, room: int, is_first: bool) -> Unpacked:
    """Read the archive at `start`: it ends at its trailer."""
    where = f"in the archive at offset {start:#x}"
    try:
        run = _read_run(image[start:], 0, room)
    except FormatError as error:
        raise _at(where, error) from error
    size = min(run.end, len(image) - start)
    found: tuple[Segment, ...] = ()
    if run.entries or run.has_trailer:
        found = (Segment(start, size, "", image[start : start + size], run.entries, is_first),)
    end = start + size
    if run.fault or run.cut:
        doubts = (_at(where, run.cut),) if run.cut else ()
        return Unpacked(found, end, _at(where, run.fault) if run.fault else None, doubts)
    end = skip_zeros(image, end)
    misplaced = _misplaced(image, end)
    has_end = run.has_trailer or end < len(image)
    doubts = () if has_end else (_at(where, _no_trailer(run, size)),)
    return Unpacked(found, end, _at(where, misplaced) if misplaced else None, doubts)


def _take_stream(image: Image, start: int, limit: int, room: int, is_first: bool) -> Unpacked:
    """Unpack the stream at `start`."""
    try:
        stream = decompressors.unpack(image[start:], limit)
    except FormatError as error:
        raise _at(f"at offset {start:#x}", error) from error
    compression = decompressors.method_of(image[start:])
    where = f"in the {compression} stream at offset {start:#x}"
    try:
        entries, fault, doubt = _members(stream.contents, room, is_first=is_first)
    except FormatError as error:
        raise _at(where, error) from error
    segment = Segment(start, stream.size, compression, stream.contents, entries)
    if stream.fault:
        fault = _not_packed(image, start) or _remainder(image, start) or stream.fault
        return Unpacked((segment,) if entries else (), start, _at(f"at offset {start:#x}", fault))
    end = start + stream.size
    if fault and decompressors.method_of(image[end:]) == compression:
        fault = FormatError(
            "the archive goes on in another stream, and Linux wants all of it in one",
            f"pack it as one: `{TOOLS[compression]} -dc OLD | {TOOLS[compression]} > NEW`",
        )
    doubts = tuple(_at(where, each) for each in (stream.doubt, doubt) if each)
    if fault:
        return Unpacked((segment,), end, _at(where, fault), doubts)
    return Unpacked((segment,), skip_zeros(image, end), None, doubts)


def _read_run(archive: Image, at: int, room: int) -> Run:
    run = read_run(archive, at, room)
    if isinstance(run.fault, NoMember):
        run.fault = _other_format(archive[run.end :]) or run.fault
    return run


def _other_format(image: Image) -> FormatError | None:
    """Return what something is instead of a newc archive, None if unknown."""
    known = recognise(image)
    if known in FOREIGN:
        message = f"cpio: this is {known.value}; Linux takes cpio's format newc only"
        return FormatError(message, "convert it: `bsdtar -cf NEW --format=newc @OLD`")
    if known is None or known is Format.CPIO:
        return None
    return FormatError(
        f"cpio: this is {known.value}, no archive",
        "give an archive in cpio's format newc: `find . | cpio -o -H newc`",
    )


def _members(
    archive: Image, room: int, *, is_first: bool
) -> tuple[tuple[Entry, ...], FormatError | None, FormatError | None]:
    """Return the members of what was packed, why Linux stops there, and what it does not notice.

    Zeros in front are skipped but where nothing has been unpacked before.
    """
    entries: list[Entry] = []
    run, end = None, skip_zeros(archive, 0)
    fault = None
    if is_first and end == len(archive):
        fault = FormatError(f"cpio: no archive in {len(archive)} bytes", "pack a newc archive")
    end = 0 if is_first else end
    while end < len(archive) and not fault:
        fault = _misplaced(archive, end)
        if fault:
            break
        run = _read_run(archive, end, room - len(entries))
        entries += run.entries
        fault = run.fault or run.cut
        if not fault and run.end > len(archive):
            fault = FormatError(
                f"cpio: the archive's {len(archive)} bytes are no multiple of 4", "fill it up with zeros"
            )
        end = skip_zeros(archive, run.end)
    doubt = _no_trailer(run, len(archive)) if run and not fault and not run.has_trailer else None
    return tuple(entries), fault, doubt


def _misplaced(image: Image, at: int) -> FormatError | None:
    """Return what is wrong with where something starts behind zeros."""
    if at == len(image) or at % 4 == 0:
        return None
    return FormatError(
        f"cpio: what follows the archive starts at offset {at:#x}, no multiple of 4",
        "fill the archive up to a multiple of 4 before something is joined to it: `truncate -s %4 FIRST`",
    )


def _not_packed(image: Image, at: int) -> FormatError | None:
    """Return what stands where Linux looks for something packed, None where it is that, or nothing known."""
    if decompressors.method_of(image[at:]):
        return None
    if bytes(image[at : at + 4]) != b"0707":
        found = recognise(image[at:])
        return _other_format(image[at:]) if found in FOREIGN else None
    return FormatError(
        "an uncompressed archive has to start at a multiple of 4",
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
