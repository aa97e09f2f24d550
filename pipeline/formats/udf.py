"""Reads UDF file systems, as media of Windows have them: the volume, its directories, where files lie.

Volumes of one plain partition are read, with blocks of 2048 bytes: what is written by programs that make CDs
and DVDs, not what a drive writes packet by packet.

Specifications: ECMA-167, 3rd edition (the sections named here); OSTA UDF 2.60
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.budget import MEMBERS, STEPS, Spent
from pipeline.formats.fields import Image, budget_of, cut, joined, unpack
from pipeline.formats.iso9660_directory import Member

BLOCK = 2048  # bytes
ANCHOR = 256  # block
PARTITION, LOGICAL, TERMINATOR = 5, 6, 8
FILE_SET, FILE_IDENTIFIER, FILE_ENTRY, EXTENDED_FILE_ENTRY = 256, 257, 261, 266

SHORT, LONG, EMBEDDED = 0, 1, 3  # how a file's extents are described (§14.6.8)
DELETED, PARENT = 4, 8  # characteristics of an identifier (§14.4.3)

MAX_DESCRIPTORS = 64
MAX_CORRECTION = 512  # blocks before the last, in which EDK II looks for an anchor
MAX_DIRECTORY = 1 << 22  # bytes
MAX_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class Udf:
    """A file system: its name, and its files and directories, as far as a budget reached."""

    label: str
    members: tuple[Member, ...]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class _Volume:
    """The one partition, which begins at `start`, in bytes, and where its root directory is described."""

    image: Image
    label: str
    start: int
    root: int  # block of the partition

    def block(self, number: int, size: int = BLOCK) -> Image:
        """Return bytes of the partition from a block on."""
        return cut(self.image, self.start + number * BLOCK, size, "UDF: block of the partition")


def has_udf(image: Image) -> bool:
    """Say whether there is an anchor, which every UDF file system has in block 256 (part 3, §8.4.2.1)."""
    head = bytes(image[ANCHOR * BLOCK : ANCHOR * BLOCK + 16])
    return len(head) == 16 and head[:2] == b"\2\0" and sum(head[:4] + head[5:]) & 0xFF == head[4]


def has_two_anchors(image: Image) -> bool:
    """Say whether a second anchor is near the end of a CD, as EDK II wants it (part 3, §8.4.2.1)."""
    blocks = len(image) // BLOCK
    start = max(blocks - MAX_CORRECTION, ANCHOR + 1)
    tail = bytes(image[start * BLOCK : blocks * BLOCK])
    return any(tail[at : at + 2] == b"\2\0" for at in range(0, len(tail), BLOCK))


def read_udf(image: Image) -> Udf:
    """Read the volume and every directory, no file. FormatError for damage, and for other partitions."""
    volume = _read_volume(image)
    members: list[Member] = []
    complete = False
    with suppress(Spent):
        members.extend(_walk(volume))
        complete = True
    return Udf(volume.label, tuple(members), complete)


def _read_volume(image: Image) -> _Volume:
    _, block = unpack("<II", image, ANCHOR * BLOCK + 16, "UDF: anchor")
    starts: dict[int, int] = {}
    logical: tuple[str, int, int] | None = None
    for at in range(block, block + MAX_DESCRIPTORS):
        descriptor = bytes(cut(image, at * BLOCK, BLOCK, "UDF: volume descriptor"))
        kind = int.from_bytes(descriptor[:2], "little")
        if kind == PARTITION:
            number, start = unpack("<H164xI", descriptor, 22, "UDF: partition descriptor")
            starts[number] = start
        elif kind == LOGICAL:
            logical = _read_logical(descriptor)
        elif kind == TERMINATOR:
            break
    if logical is None or logical[1] not in starts:
        raise FormatError("UDF: there is no logical volume on a partition", "make the image again")
    label, number, file_set = logical
    volume = _Volume(image, label, starts[number] * BLOCK, 0)
    descriptor = bytes(volume.block(file_set))
    _check(descriptor, "file set", FILE_SET)
    (root,) = unpack("<I", descriptor, 404, "UDF: file set")
    return _Volume(image, label, volume.start, root)


def _read_logical(descriptor: bytes) -> tuple[str, int, int]:
    """Return the logical volume's name, its partition's number, and the file set's block (part 3, §10.6)."""
    what = "UDF: logical volume"
    (size,) = unpack("<I", descriptor, 212, what)
    (file_set,) = unpack("<I", descriptor, 252, what)
    maps, kind, length, number = unpack("<I168xBBxxH", descriptor, 268, what)
    if size != BLOCK or (maps, kind, length) != (1, 1, 6):
        raise FormatError(
            f"{what}: {maps} partitions, the first of type {kind}, in blocks of {size} bytes are not read",
            "look at it with a system that mounts it",
        )
    return _string(descriptor[84:212]), number, file_set


def _string(field: bytes) -> str:
    """Return a string of fixed length, whose last byte says how much of it is used (OSTA UDF, §2.1.3)."""
    return _text(field[: field[-1]])


def _text(raw: bytes) -> str:
    """Return compressed Unicode: the first byte says how many bits a letter has (OSTA UDF, §2.1.1)."""
    if raw[:1] == b"\x10":
        return raw[1:].decode("utf-16-be", errors="replace")
    return raw[1:].decode("latin-1")


def _check(descriptor: bytes, what: str, *kinds: int) -> None:
    kind = int.from_bytes(descriptor[:2], "little")
    if kind not in kinds or sum(descriptor[:4] + descriptor[5:16]) & 0xFF != descriptor[4]:
        raise FormatError(f"UDF: no {what}: its tag is {descriptor[:16].hex()}", "make the image again")


def _walk(volume: _Volume) -> Iterator[Member]:
    """Yield all files and directories, parents before what is in them."""
    budget = budget_of(volume.image)
    pending = deque([("", volume.root)])
    seen = {volume.root}
    count = 0
    while pending:
        path, block = pending.popleft()
        for name, entry, is_directory in _identifiers(_contents(volume, block, path)):
            budget.spend(STEPS)
            count += 1
            if count > MAX_ENTRIES:
                raise budget.lacking_or(
                    MEMBERS, f"UDF: more than {MAX_ENTRIES} files", "make the image again"
                )
            inner = f"{path}/{name}"
            if is_directory and entry not in seen:
                seen.add(entry)
                pending.append((inner, entry))
            extents = () if is_directory else tuple(_extents(volume, entry, inner))
            yield Member(inner, "", None, is_directory=is_directory, extents=extents)


def _contents(volume: _Volume, block: int, path: str) -> bytes:
    """Return a directory's identifiers."""
    extents = list(_extents(volume, block, path))
    if sum(size for _, size in extents) > MAX_DIRECTORY:
        raise FormatError(f"UDF: {path}: a directory of that size is not possible", "make the image again")
    for offset, size in extents:
        cut(volume.image, offset, size, f"UDF: directory {path}")
    return bytes(joined(volume.image, extents)) if extents else b""


def _extents(volume: _Volume, block: int, path: str) -> Iterator[tuple[int, int]]:
    """Yield where a file lies, as offsets and sizes in bytes (part 4, §14.9, §14.14 and §14.17)."""
    entry = bytes(volume.block(block))
    _check(entry, f"file entry of {path or '/'}", FILE_ENTRY, EXTENDED_FILE_ENTRY)
    at = 168 if entry[:2] == FILE_ENTRY.to_bytes(2, "little") else 208
    (flags,) = unpack("<H", entry, 34, "UDF: file entry")
    (left,) = unpack("<Q", entry, 56, "UDF: file entry")
    attributes, described = unpack("<II", entry, at, "UDF: file entry")
    first = at + 8 + attributes
    if flags & 7 == EMBEDDED:
        yield volume.start + block * BLOCK + first, min(left, described)
        return
    step = {SHORT: 8, LONG: 16}.get(flags & 7, 0)
    if not step or first + described > BLOCK:
        raise FormatError(f"UDF: {path}: its extents cannot be read", "make the image again")
    for offset in range(first, first + described - step + 1, step):
        length, start = unpack("<II", entry, offset, "UDF: extent")
        size = min(length & 0x3FFF_FFFF, left)
        if not size:
            return
        left -= size
        yield volume.start + start * BLOCK, size


def _identifiers(directory: bytes) -> Iterator[tuple[str, int, bool]]:
    """Yield names, the blocks of their entries, and whether they are directories (part 4, §14.4)."""
    at = 0
    while at + 38 <= len(directory):
        _check(directory[at : at + 16], "file identifier", FILE_IDENTIFIER)
        flags, length, entry, skip = unpack("<BB4xI8xH", directory, at + 18, "UDF: file identifier")
        start = at + 38 + skip
        if not flags & (DELETED | PARENT):
            yield _text(directory[start : start + length]), entry, bool(flags & 2)
        at += -(-(38 + skip + length) // 4) * 4
