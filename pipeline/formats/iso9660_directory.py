"""The directories of ISO 9660 file systems: records, the tree that they make, where files lie.

Specifications: ECMA-119 (the sections named here), IEEE P1282 (Rock Ridge), Joliet
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from struct import Struct

from pipeline.formats.budget import MEMBERS, STEPS
from pipeline.formats.fields import Image, budget_of, cut, joined, unpack
from pipeline.formats.rock_ridge import Attributes, damaged, read_attributes, skipped

SECTOR_SIZE = 2048  # bytes

RECORD = Struct("<BBI4sI4s7sB6xB")
DIRECTORY, ASSOCIATED, GOES_ON = 0x02, 0x04, 0x80

MAX_MEMBERS = 100_000
MAX_DIRECTORIES = 1 << 25  # bytes of all directories
MAX_AREAS = 400_000  # in which Rock Ridge's fields go on
MAX_EXTENTS = 1024  # of a file; of 4 GiB each
MAX_PATHS = 1 << 25  # characters of all paths
MAX_ODDITIES = 20
FIELDS_A_STEP = 32  # bytes of Rock Ridge's smallest fields, of 4 bytes each


@dataclass(frozen=True, slots=True)
class Member:
    """A file or directory. Times are as recorded, `2023-11-14 22:13:20`; owner and mode are Rock Ridge's."""

    path: str
    time: str
    owner: tuple[int, int] | None  # user, group
    mode: int | None = None
    is_directory: bool = False
    target: str = ""  # of a symbolic link
    extents: tuple[tuple[int, int], ...] = ()  # offset and size in bytes; more than one from 4 GiB on
    posix_times: tuple[str, ...] = ()  # Rock Ridge's own

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(size for _, size in self.extents)


@dataclass(frozen=True, slots=True)
class Record:
    """A directory record (§9.1), as far as readers use it."""

    offset: int  # bytes, from the start of the image
    block: int
    size: int
    date: bytes
    flags: int
    name: bytes
    system_use: bytes


class Reader:
    """What reading one tree of directories needs, and what it collects."""

    def __init__(self, image: Image, block_size: int) -> None:
        self.image = image
        self.budget = budget_of(image)
        self.block_size = block_size  # bytes
        self.joliet = False  # whether names are UCS-2
        self.skip: int | None = None  # bytes in front of Rock Ridge's fields; None without Rock Ridge
        self.scanned = 0  # bytes of directories
        self.areas = 0
        self.dates: dict[bytes, str] = {}
        self.oddities: list[str] = []

    def note(self, sentence: str) -> None:
        """Remember something odd."""
        if len(self.oddities) < MAX_ODDITIES:
            self.oddities.append(sentence)

    def time(self, date: bytes) -> str:
        """Render a time; few of a file system are different."""
        if date not in self.dates:
            self.dates[date] = _record_time(date) if len(date) == 7 else volume_time(date)
        return self.dates[date]

    def continuation(self, block: int, offset: int, size: int) -> bytes:
        """Read an area in which Rock Ridge's fields go on."""
        what = "Rock Ridge: a continuation area"
        self.areas += 1
        self.budget.spend(STEPS, size // FIELDS_A_STEP)
        error = damaged(
            f"{what} of {size} bytes is not possible, at block {block}, after {self.areas - 1} others"
        )
        if size > SECTOR_SIZE:
            raise error
        if self.areas > MAX_AREAS:
            raise self.budget.lacking_or(STEPS, error.message, error.hint)
        return bytes(cut(self.image, block * self.block_size + offset, size, what))


def contents(image: Image, member: Member) -> Image:
    """Return what is in a file. Raises FormatError when it does not lie inside the image."""
    for offset, size in member.extents:
        cut(image, offset, size, f"ISO 9660: {member.path}")
    return joined(image, member.extents)


def find_rock_ridge(reader: Reader, root: Record) -> int | None:
    """Return what to skip in front of Rock Ridge's fields, None where the root directory has none.

    Raises FormatError when it does not start with a record of itself (§6.8.2.2).
    """
    first = next(records(reader, "/", replace(root, size=min(root.size, SECTOR_SIZE))), None)
    if first is None or first.name != b"\0":
        raise damaged(f"ISO 9660: there is no root directory at offset {root.block * reader.block_size:#x}")
    skip = skipped(first.system_use)
    if skip is None:
        return None
    found = read_attributes(first.system_use, reader.continuation)
    return skip if found.mode is not None else None


def walk(reader: Reader, root: Record) -> Iterator[Member]:
    """Yield the members, each directory's after it; parents first."""
    pending = deque([("/", root)])
    seen = {root.block}
    count = characters = 0
    while pending:
        path, directory = pending.popleft()
        for member, child in _members(reader, path, directory):
            yield member
            count, characters = count + 1, characters + len(member.path)
            if count > MAX_MEMBERS or characters > MAX_PATHS:
                raise reader.budget.lacking_or(
                    MEMBERS,
                    f"ISO 9660: {member.path[:80]}: here end the {MAX_MEMBERS} members and {MAX_PATHS} "
                    "characters of paths that are read",
                    "the file system is damaged, or made to exhaust memory",
                )
            if child is None:
                continue
            if child.block in seen:
                reader.note(f"{member.path} is the same directory as another, at block {child.block}")
                continue
            seen.add(child.block)
            pending.append((member.path, child))


def _members(reader: Reader, path: str, directory: Record) -> Iterator[tuple[Member, Record | None]]:
    """Yield the members of a directory, and where their own members are; the root with itself."""
    extents: list[tuple[int, int]] = []
    above = "" if path == "/" else path
    for record in records(reader, path, directory):
        if record.name == b"\1" or record.flags & ASSOCIATED or (record.name == b"\0" and above):
            continue
        found = Attributes()
        if reader.skip is not None:
            # the root's own record has the field that says what to skip, so nothing in front of it
            skip = 0 if record.name == b"\0" else reader.skip
            found = read_attributes(record.system_use[skip:], reader.continuation)
        if found.is_moved:
            continue
        is_directory = bool(record.flags & DIRECTORY) or found.child is not None
        if not is_directory:
            extents.append((record.block * reader.block_size, record.size))
            if len(extents) > MAX_EXTENTS:
                raise damaged(
                    f"ISO 9660: {path}: a file has more than {MAX_EXTENTS} extents, "
                    f"at offset {record.offset:#x}"
                )
            if record.flags & GOES_ON:
                continue
        is_root = record.name == b"\0"
        member = Member(
            path="/" if is_root else f"{above}/{found.name or plain_name(record.name, reader.joliet)}",
            time=reader.time(record.date),
            owner=found.owner,
            mode=found.mode,
            is_directory=is_directory,
            target=found.target,
            extents=() if is_directory or found.target else tuple(extents),
            posix_times=tuple([reader.time(time) for time in found.times]),
        )
        extents = []
        yield member, _child(reader, member.path, record, found) if is_directory and not is_root else None


def _child(reader: Reader, path: str, record: Record, found: Attributes) -> Record:
    """Return where a directory's members are: elsewhere when Rock Ridge has moved it."""
    if found.child is None:
        return record
    start = found.child * reader.block_size
    block, size = unpack("<I4xI", cut(reader.image, start, 34, f"ISO 9660: {path}"), 2, "ISO 9660: directory")
    if block != found.child:
        raise damaged(
            f"ISO 9660: {path}: it should have been moved to block {found.child}, but there is no directory"
        )
    return Record(start, block, size, b"", DIRECTORY, b"\0", b"")


def records(reader: Reader, path: str, directory: Record) -> Iterator[Record]:
    """Yield the records of a directory; none of them crosses the end of a sector (§6.8.1)."""
    start = directory.block * reader.block_size
    reader.scanned += directory.size
    if reader.scanned > MAX_DIRECTORIES:
        raise reader.budget.lacking_or(
            MEMBERS,
            f"ISO 9660: {path}: here end the {MAX_DIRECTORIES} bytes of directories that are read",
            "the file system is damaged, or made to exhaust memory",
        )
    data = bytes(cut(reader.image, start, directory.size, f"ISO 9660: directory {path}"))
    at = 0
    while at + RECORD.size <= len(data):
        length, attributes, block, block_again, size, size_again, date, flags, name_size = RECORD.unpack_from(
            data, at
        )
        if length == 0:
            at += SECTOR_SIZE - at % SECTOR_SIZE
            continue
        reader.budget.spend(STEPS)
        end = at + length
        name_end = at + RECORD.size + name_size
        if name_end > end or end > len(data) or not name_size:
            raise damaged(
                f"ISO 9660: {path}: the directory record at offset {start + at:#x} has {length} bytes, "
                f"{name_size} of them a name, which cannot be"
            )
        if block.to_bytes(4, "big") != block_again:
            reader.note(differs(f"the block of the record at {start + at:#x}", block, block_again))
        if size.to_bytes(4, "big") != size_again:
            reader.note(differs(f"the size in the record at {start + at:#x}", size, size_again))
        name = data[at + RECORD.size : name_end]
        system_use = data[name_end + (name_size + 1) % 2 : end]
        yield Record(start + at, block + attributes, size, date, flags, name, system_use)
        at = end


def differs(what: str, little: int, big: bytes) -> str:
    """Say that a number that is stored in both byte orders is not the same in both."""
    return f"{what} is {little} in one byte order, {int.from_bytes(big, 'big')} in the other"


def plain_name(raw: bytes, joliet: bool) -> str:
    """Return a name without its version, and without the dot that stands for no extension (§7.5)."""
    text = raw.decode("utf-16-be" if joliet else "ascii", errors="replace")
    stem, semicolon, version = text.rpartition(";")
    return (stem if semicolon and version.isdigit() else text).removesuffix("" if joliet else ".")


def volume_time(date: bytes) -> str:
    """Render a time of 17 bytes (§8.4.26.1), digits and an offset of the time zone."""
    digits = date[:14].decode("ascii", errors="replace").replace("\0", "0")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {digits[8:10]}:{digits[10:12]}:{digits[12:14]}"


def _record_time(date: bytes) -> str:
    """Render a time of 7 bytes (§9.1.5)."""
    year, month, day, hour, minute, second, _ = date
    return f"{1900 + year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
