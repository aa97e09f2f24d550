"""Reads cpio "newc" archives as Linux unpacks them: member by member, up to the first that stops it.

It shares no code with `cpio`, whose output it judges.

Specification: Linux 6.12, init/initramfs.c (`do_header`, `do_name`, `do_copy`, `do_symlink`, `do_reset`), and
Documentation/driver-api/early-userspace/buffer-format.rst
https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipeline.errors import FormatError
from pipeline.formats.budget import MEMBERS
from pipeline.formats.fields import CHUNK, Image, budget_of, chunks, legible

MAGICS = (b"070701", b"070702")
HEADER_SIZE = 110  # bytes: a magic of 6, then 13 fields of 8 hex digits
NUMBER = re.compile(rb"(?:0[xX](?=[0-9A-Fa-f]))?([0-9A-Fa-f]*)")  # how simple_strtoul reads one
TRAILER = "TRAILER!!!"
MAX_LINK = 4096  # bytes: PATH_MAX
MAX_MEMBERS = 100_000
MAX_NAME = 4096  # bytes, with the NUL; Linux skips members with longer ones
MAX_NAMES = 1 << 25  # characters, of an archive's names
READ_AHEAD = 512  # bytes; a header and almost every name


class NoMember(FormatError):  # noqa: N818  says what, not what went wrong
    """Something else stands where a member has to be."""


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


@dataclass(slots=True)
class Run:
    """The members from one place on, up to a trailer or to where Linux stops; it fills while it is read.

    `fault` is what stops it, `cut` what is missing where the bytes end; Linux says nothing of that.
    """

    end: int
    entries: tuple[Entry, ...] = ()
    has_trailer: bool = False
    fault: FormatError | None = None
    cut: FormatError | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to read."""
        return bool(self.has_trailer or self.fault or self.cut)


def read(archive: Image) -> Iterator[Entry]:
    """Yield the members of archives in a row.

    Raises FormatError where there is none, or Linux would not take all of them.
    """
    at = skip_zeros(archive, 0)
    if at == len(archive):
        raise FormatError(f"cpio: no archive in {len(archive)} bytes", "give a newc archive")
    while at < len(archive):
        run = read_run(archive, at, MAX_MEMBERS)
        yield from run.entries
        if not run.has_trailer:
            no_trailer = FormatError(f"cpio: no trailer, at {len(archive)} bytes", "make the archive again")
            raise run.fault or run.cut or no_trailer
        at = skip_zeros(archive, run.end)


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


def read_run(archive: Image, at: int, limit: int) -> Run:
    """Read the members from `at` on, zeros between them skipped. `at` is where a header has to be.

    Raises FormatError when there are more than `limit` of them, or names without end.
    """
    run = Run(at)
    entries: list[Entry] = []
    count = characters = 0
    while run.end < len(archive) and not run.is_over:
        ahead = bytes(archive[run.end : run.end + READ_AHEAD])
        if count and ahead.startswith(b"\0"):
            run.end = skip_zeros(archive, run.end)
            ahead = bytes(archive[run.end : run.end + READ_AHEAD])
        if count and not (ahead.startswith(b"0") and run.end % 4 == 0):
            break
        entry = _read_member(archive, ahead, run)
        count += 1
        if entry is None:
            continue
        characters += len(entry.name)
        if len(entries) == limit or characters > MAX_NAMES:
            raise budget_of(archive).lacking_or(
                MEMBERS,
                f"cpio: at the member at offset {entry.offset:#x} end the {limit} members and {MAX_NAMES} "
                "characters of names that are read",
                "the archive is made to exhaust memory, or holds what no initramfs needs",
            )
        entries.append(entry)
    run.entries = _linked(entries)
    return run


def _read_member(archive: Image, ahead: bytes, run: Run) -> Entry | None:
    """Return the member at the run's end, which is moved behind it; None for what Linux makes nothing of."""
    at = run.end
    header = ahead[:HEADER_SIZE]
    if len(header) < HEADER_SIZE and any(magic.startswith(header[:6]) for magic in MAGICS):
        _end(archive, run, "header", HEADER_SIZE, at)
        return None
    if header[:6] not in MAGICS:
        run.fault = NoMember(
            f"cpio: no newc member at offset {at:#x}: it starts with {legible(header[:6])}, not '070701'",
            "make the archive with `cpio -H newc`",
        )
        return None
    inode, mode, uid, gid, nlink, mtime, size, source_major, source_minor, major, minor, name_size, sum_ = (
        _number(header[start : start + 8]) for start in range(6, HEADER_SIZE, 8)
    )
    start = _align(at + HEADER_SIZE + name_size)
    run.end = _align(start + size)
    is_file, is_link = stat.S_ISREG(mode), stat.S_ISLNK(mode)
    if not 0 < name_size <= MAX_NAME or (is_link and size > MAX_LINK) or (size and not (is_file or is_link)):
        return None
    name = _read_name(archive, at + HEADER_SIZE, name_size, ahead[HEADER_SIZE:], run)
    if name is None or run.has_trailer:
        return None
    data = archive[start : start + size]
    if len(data) < size or start > len(archive):
        _end(archive, run, name, size, start)
        if is_link or start > len(archive):
            return None  # Linux makes a link when it has all of it, and a file when that may begin
    return Entry(
        offset=at,
        name=name,
        inode=inode,
        mode=mode,
        uid=uid,
        gid=gid,
        nlink=nlink,
        mtime=mtime,
        device=(major, minor),
        data=data,
        source_device=(source_major, source_minor),
        checksum=sum_ if header[:6] == MAGICS[1] and is_file else None,
        missing=size - len(data),
        start=start,
    )


def _read_name(archive: Image, at: int, size: int, ahead: bytes, run: Run) -> str | None:
    """Return a member's name, which ends at the first NUL; `ahead` is what has been read from there on."""
    raw = ahead[:size] if size <= len(ahead) else bytes(archive[at : at + size])
    if len(raw) < size:
        _end(archive, run, "name", size, at)
        return None
    if not raw.endswith(b"\0"):
        run.fault = FormatError(
            f"cpio: the name at offset {at:#x} does not end at its one NUL: {legible(raw[:40])}",
            "the archive is damaged: make it again",
        )
        return None
    name = raw.partition(b"\0")[0].decode(errors="surrogateescape")
    run.has_trailer = name == TRAILER
    return name


def _end(archive: Image, run: Run, what: str, size: int, at: int) -> None:
    """Note that the bytes end within a member."""
    run.end = len(archive)
    run.cut = FormatError(
        f"cpio: {what}: {size} bytes at offset {at:#x} do not lie inside the {len(archive)} bytes given",
        "the file is cut off or damaged: make it again",
    )


def _number(digits: bytes) -> int:
    found = NUMBER.match(digits)
    return int(found[1] or b"0", 16) if found else 0


def _linked(entries: list[Entry]) -> tuple[Entry, ...]:
    """Return the entries of one archive, hard links to one file each with that file's contents.

    Writers put the contents to the first or to the last of them (`maybe_link`).
    """
    files = {_file(entry): entry for entry in entries if _is_link(entry) and len(entry.data)}
    return tuple(
        replace(entry, data=file.data, checksum=None, missing=file.missing)  # the sum is the file's own
        if _is_link(entry) and (file := files.get(_file(entry))) and file is not entry
        else entry
        for entry in entries
    )


def _is_link(entry: Entry) -> bool:
    return entry.nlink > 1 and stat.S_ISREG(entry.mode)


def _file(entry: Entry) -> tuple[tuple[int, int], int]:
    return entry.source_device, entry.inode


def _align(offset: int) -> int:
    return offset + -offset % 4
