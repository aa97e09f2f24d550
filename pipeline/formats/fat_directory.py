"""Reads the directories of a FAT volume: short and long names, times, the files in them.

The volume itself is `fat`.

Specification: Microsoft FAT Specification (2005), §6 "Directory Structure" and §7 "Long File Name
Implementation".
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

from pipeline.formats.budget import MEMBERS, STEPS
from pipeline.formats.fat import Volume, damaged, read_chain
from pipeline.formats.fields import Image, budget_of, cut

ENTRY_SIZE = 32  # bytes
ENTRY = Struct("<11sBBB7HI")

MAX_DIRECTORY = 1 << 21  # bytes: 65,536 entries
MAX_SCANNED = 1 << 25  # bytes of all directories
MAX_ENTRIES = 100_000
MAX_PATH = 512  # characters
BYTES_A_STEP = 64  # of a directory

DELETED, LAST = 0xE5, 0x00
VOLUME_LABEL, DIRECTORY, LONG_NAME = 0x08, 0x10, 0x0F


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, a directory or the volume label.

    `path` is made of long names where there are any, `short_path` of 8.3 names only; both use `/` and
    do not start with it. Times are the raw 16-bit fields, pairs of date and time.
    """

    path: str
    short_path: str
    attributes: int
    first_cluster: int
    size: int  # bytes; 0 for a directory
    created: tuple[int, int]
    written: tuple[int, int]
    accessed: int  # a date only
    has_long_name: bool = False

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return bool(self.attributes & DIRECTORY)

    @property
    def is_label(self) -> bool:
        """Whether it is the volume label."""
        return bool(self.attributes & VOLUME_LABEL)


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory: its path, its clusters' first and its parent's, 0 for the root, and its entries.

    `links` are the entries named `.` and `..`; it begins with `leading` of them.
    """

    path: str
    first_cluster: int
    parent_cluster: int
    links: tuple[Entry, ...]
    leading: int
    entries: tuple[Entry, ...]


def walk(volume: Volume, table: Sequence[int]) -> Iterator[Entry]:
    """Yield the entries of all directories, `.` and `..` left out, parents first, in the order stored.

    Raises what `directories` raises, after what comes before.
    """
    for directory in directories(volume, table):
        yield from directory.entries


def directories(volume: Volume, table: Sequence[int]) -> Iterator[Directory]:
    """Yield all directories, the root first, parents before what is in them.

    Raises FormatError for a chain that is broken, where two directories share a cluster, and for more
    entries or longer paths than any volume has that is used; Spent where a budget has no more for them.
    """
    budget = budget_of(volume.image)
    if volume.root_entries:
        root = bytes(cut(volume.image, volume.root_offset, volume.root_entries * ENTRY_SIZE, "FAT: root"))
    else:
        root = _read_directory(volume, table, volume.root_cluster, "/")
    seen: set[int] = set()
    top = _directory(root, "", "", 0, 0)
    count, scanned = len(top.entries), len(root)
    pending = deque([top])
    while pending:
        directory = pending.popleft()
        yield directory
        for entry in directory.entries:
            if not entry.is_directory:
                continue
            if entry.first_cluster in seen:
                raise damaged(
                    f"FAT: {entry.path}: another directory starts at its cluster {entry.first_cluster} too"
                )
            seen.add(entry.first_cluster)
            inner = _read_directory(volume, table, entry.first_cluster, entry.path)
            budget.spend(STEPS, len(inner) // BYTES_A_STEP)
            found = _directory(
                inner, entry.path + "/", entry.short_path + "/", entry.first_cluster, directory.first_cluster
            )
            pending.append(found)
            scanned, count = scanned + len(inner), count + len(found.entries)
            if count > MAX_ENTRIES or scanned > MAX_SCANNED or len(entry.path) > MAX_PATH:
                raise budget.lacking_or(
                    MEMBERS,
                    f"FAT: {entry.path[:80]}: here end the {MAX_ENTRIES} entries, {MAX_SCANNED} bytes of "
                    f"directories and paths of {MAX_PATH} characters that are read",
                    "the volume is damaged, or made to exhaust memory",
                )


def _directory(data: bytes, path: str, short_path: str, first: int, parent: int) -> Directory:
    found = list(_entries(data, path, short_path))
    is_link = [entry.short_path[len(short_path) :] in (".", "..") for entry in found]
    leading = next((index for index, one in enumerate(is_link) if not one), len(found))
    return Directory(
        path=path.rstrip("/"),
        first_cluster=first,
        parent_cluster=parent,
        links=tuple(entry for entry, one in zip(found, is_link, strict=True) if one),
        leading=leading,
        entries=tuple(entry for entry, one in zip(found, is_link, strict=True) if not one),
    )


def _read_directory(volume: Volume, table: Sequence[int], first: int, path: str) -> bytes:
    # one cluster more than may be is enough to see that there are more
    found = read_chain(volume, table, first, MAX_DIRECTORY + 1)
    if len(found) > max(MAX_DIRECTORY, volume.cluster_size):
        raise damaged(f"FAT: {path}: a directory has at most {MAX_DIRECTORY} bytes (§6), this one more")
    return bytes(found)


def read_file(volume: Volume, table: Sequence[int], entry: Entry) -> Image:
    """Return the contents of a file. Raises FormatError when its chain is broken or shorter than its size."""
    data = read_chain(volume, table, entry.first_cluster, entry.size) if entry.size else b""
    return cut(data, 0, entry.size, f"FAT: {entry.path}")


def _entries(directory: bytes, path: str, short_path: str) -> Iterator[Entry]:
    """Yield one directory's entries."""
    long_name: list[tuple[int, bytes]] = []
    for offset in range(0, len(directory) - ENTRY_SIZE + 1, ENTRY_SIZE):
        record = directory[offset : offset + ENTRY_SIZE]
        if record[0] == LAST:
            return
        if record[0] == DELETED:
            long_name = []
            continue
        if record[11] & 0x3F == LONG_NAME:
            long_name.append((record[13], record[1:11] + record[14:26] + record[28:32]))
            continue
        name, attributes, case, _, *times, low, size = ENTRY.unpack(record)
        created_time, created_date, accessed, high, written_time, written_date = times
        short = _short_name(name)
        shown = _long_name(long_name, name) or _with_case(short, case)
        yield Entry(
            path=path + shown,
            short_path=short_path + short,
            attributes=attributes,
            first_cluster=high << 16 | low,
            size=size,
            created=(created_date, created_time),
            written=(written_date, written_time),
            accessed=accessed,
            has_long_name=bool(long_name),
        )
        long_name = []


def _short_name(name: bytes) -> str:
    # 0x05 stands for 0xE5, which as a first byte would mean that the entry is deleted
    raw = b"\xe5" + name[1:] if name[0] == 0x05 else name
    stem, extension = raw[:8].decode("cp437").rstrip(), raw[8:].decode("cp437").rstrip()
    return f"{stem}.{extension}" if extension else stem


def _with_case(short: str, case: int) -> str:
    """Apply the two bits with which Windows NT marks an 8.3 name as all lower case."""
    stem, dot, extension = short.partition(".")
    return (stem.lower() if case & 0x08 else stem) + dot + (extension.lower() if case & 0x10 else extension)


def _long_name(parts: list[tuple[int, bytes]], name: bytes) -> str:
    """Return the long name, or nothing when its parts do not belong to this short name."""
    checksum = 0
    for byte in name:
        checksum = ((checksum & 1) << 7) + (checksum >> 1) + byte & 0xFF
    if any(part_checksum != checksum for part_checksum, _ in parts):
        return ""
    units = b"".join(part for _, part in reversed(parts)).decode("utf-16-le", errors="replace")
    return units.partition("\0")[0]
