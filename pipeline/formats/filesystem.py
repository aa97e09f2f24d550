"""What the file systems of Linux have in common: inodes, the tree that directories make of them, and holes.

Readers of one are `ext4`, `erofs` and `squashfs`.
"""

import stat
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pipeline.errors import FormatError
from pipeline.formats.budget import MAX_MEMBERS, MEMBERS, STEPS, Budget, Spent
from pipeline.formats.fields import Extents, Image, Virtual, budget_of, charged, joined

MAX_SIZE = 1 << 60  # bytes of a file
MAX_TARGET = 4096  # bytes, as Linux: PATH_MAX
MAX_KEPT = 1 << 25  # characters and bytes of all paths, targets and extended attributes
MAX_FAULTS = 1000
LETTERS_A_STEP = 64  # of a path
KEPT = 1 << 23  # bytes that are unpacked and kept, in case they are asked for again

XATTR_PREFIXES = {
    1: "user.",
    2: "system.posix_acl_access",
    3: "system.posix_acl_default",
    4: "trusted.",
    6: "security.",
    7: "system.",
}
"""What the names of extended attributes begin with, by the number that ext4 and EROFS have for it."""


Variant = Literal["ext2", "ext3", "ext4", "erofs", "squashfs"]


@dataclass(frozen=True, slots=True)
class Inode:
    """A file, directory, link or device, under whatever names. `number` tells it from all others.

    `data` is what is in a file, or how a directory lists its entries; of what is packed, it is unpacked when
    it is read, which may raise FormatError. `mtime` is in seconds since 1970.
    """

    number: int
    mode: int
    uid: int
    gid: int
    links: int
    mtime: int
    data: Image = field(repr=False, compare=False)
    target: str = ""  # of a symbolic link
    device: tuple[int, int] = (0, 0)
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File:
    """An inode under one of its names: `path` has no leading `/`, and is "" for the root directory."""

    path: str
    inode: Inode


@dataclass(frozen=True, slots=True)
class Superblock:
    """What a file system says of itself. `size` is the bytes that it takes; times are seconds since 1970.

    `uuid` is "" and a time None where it has none. `features` and `compression` have the names that its own
    tools use. `is_sound` is whether its checksum is right, if it has one.
    """

    variant: Variant
    label: str
    uuid: str
    size: int
    block_size: int
    features: tuple[str, ...]
    compression: tuple[str, ...] = ()
    created: int | None = None
    written: int | None = None
    is_sound: bool = True


class Volume(Protocol):
    """What `read_tree` asks of a reader; `root` is the number of the root directory's inode."""

    @property
    def image(self) -> Image:
        """All of it."""

    @property
    def root(self) -> int:
        """The number of the root directory's inode."""

    def inode(self, number: int) -> Inode:
        """Return an inode. Raises FormatError when it is damaged, or what it refers to is not there."""

    def entries(self, directory: Inode) -> Iterator[tuple[bytes, int]]:
        """Yield names and the numbers of their inodes, perhaps `.` and `..` too. Raises FormatError."""


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A file system with all that its directories name, the root first, parents before what is in them.

    `faults` are why something is missing, with its path. They are not `complete` where the budget was spent.
    """

    superblock: Superblock
    image: Image = field(repr=False, compare=False)
    files: tuple[File, ...]
    faults: tuple[FormatError, ...]
    complete: bool

    @property
    def in_short(self) -> str:
        """What people are told of it in a line."""
        block = self.superblock
        label = f"label {block.label}" if block.label else ""
        variant = block.variant if block.variant.startswith("ext") else ""
        return ", ".join(filter(None, [variant, label, *block.compression]))


def read_tree(superblock: Superblock, volume: Volume) -> FileSystem:
    """Read all directories and inodes, no file. Raises FormatError when there is no root directory."""
    files: list[File] = []
    faults: list[FormatError] = []
    complete = False
    with suppress(Spent):
        files.extend(_walk(volume, faults))
        complete = True
    return FileSystem(superblock, volume.image, tuple(files), tuple(faults), complete)


def _walk(volume: Volume, faults: list[FormatError]) -> Iterator[File]:
    budget = budget_of(volume.image)
    root = volume.inode(volume.root)
    if not stat.S_ISDIR(root.mode):
        raise FormatError(
            f"the root is no directory: its mode is {stat.filemode(root.mode)}", "make the file system again"
        )
    yield File("", root)
    pending, folders = deque([File("", root)]), {root.number}
    linked: dict[int, Inode] = {}
    count = kept = 0
    while pending:
        folder = pending.popleft()
        try:
            for name, number in _names(volume, folder):
                path = f"{folder.path}/{name}" if folder.path else name
                budget.spend(STEPS, 1 + len(path) // LETTERS_A_STEP)
                inode = linked.get(number) or _inode(volume, path, number, faults)
                count, kept = count + 1, kept + len(path)
                if inode and number not in linked:
                    kept += len(inode.target) + sum(map(len, inode.xattrs.values()))
                if count > MAX_MEMBERS or kept > MAX_KEPT:
                    raise _exhausted(budget, path)
                if inode is None:
                    continue
                if stat.S_ISDIR(inode.mode):
                    if inode.number in folders:
                        _note(faults, path, damaged("is a directory that has another name, too"))
                        continue
                    folders.add(inode.number)
                    pending.append(File(path, inode))
                elif inode.links > 1:
                    linked[number] = inode
                yield File(path, inode)
        except FormatError as error:
            _note(faults, folder.path, error)
            if count > MAX_MEMBERS or kept > MAX_KEPT:
                return


def _exhausted(budget: Budget, path: str) -> Exception:
    return budget.lacking_or(
        MEMBERS,
        f"/{path[:80]}: here end the {MAX_MEMBERS} names and {MAX_KEPT} bytes of paths, targets and extended "
        "attributes that are read",
        "the file system is damaged, or made to exhaust memory",
    )


def _names(volume: Volume, folder: File) -> Iterator[tuple[str, int]]:
    for raw, number in volume.entries(folder.inode):
        if raw in (b".", b".."):
            continue
        if not raw or b"/" in raw or b"\0" in raw:
            raise damaged(f"has an entry named {raw[:40]!r}")
        yield raw.decode(errors="surrogateescape"), number


def _inode(volume: Volume, path: str, number: int, faults: list[FormatError]) -> Inode | None:
    try:
        return volume.inode(number)
    except FormatError as error:
        _note(faults, path, error)
        return None


def _note(faults: list[FormatError], path: str, error: FormatError) -> None:
    if len(faults) < MAX_FAULTS:
        faults.append(FormatError(f"/{path}: {error.message}", error.hint))


def damaged(message: str) -> FormatError:
    """Return why something cannot be read, with what can be done about it."""
    return FormatError(message, "the file system is damaged: make it again")


def device(number: int) -> tuple[int, int]:
    """Return the major and minor number of a device, as Linux packs them (`new_decode_dev`)."""
    return (number >> 8) & 0xFFF, (number & 0xFF) | (number >> 12 & 0xFFF00)


def checked_size(size: int) -> int:
    """Return how many bytes a file has. Raises FormatError for more than any has."""
    if size > MAX_SIZE:
        raise damaged(f"a file of {size} bytes is not possible")
    return size


class Cache:
    """What was unpacked last, by where it lies; it keeps no more than `KEPT` bytes."""

    def __init__(self) -> None:
        self.blocks: OrderedDict[tuple[int, ...], bytes] = OrderedDict()
        self.size = 0

    def get(self, key: tuple[int, ...]) -> bytes | None:
        """Return what is kept, None for nothing."""
        found = self.blocks.get(key)
        if found is not None:
            self.blocks.move_to_end(key)
        return found

    def put(self, key: tuple[int, ...], data: bytes) -> bytes:
        """Keep something, and return it."""
        self.blocks[key] = data
        self.size += len(data)
        while self.size > KEPT and len(self.blocks) > 1:
            _, old = self.blocks.popitem(last=False)
            self.size -= len(old)
        return data


Run = tuple[int, int, int]
"""Bytes of a file that lie in one piece: their offset in the file, in the image, and how many they are."""


def sparse(image: Image, runs: Sequence[Run], size: int) -> Image:
    """Return a file of `size` bytes that has these runs in order, and zeros elsewhere."""
    if not size:
        return b""
    inside = [(at, start, min(length, size - at)) for at, start, length in runs if at < size]
    ends = [at + length for at, _, length in inside]
    if [at for at, _, _ in inside] == [0, *ends[:-1]] and ends and ends[-1] == size:
        return joined(image, [(start, length) for _, start, length in inside])
    return Extents(_Sparse(image, inside), [(0, size)], budget_of(image))


class _Sparse(Virtual):
    """A file with holes."""

    __slots__ = ("image", "runs", "starts")

    def __init__(self, image: Image, runs: Sequence[Run]) -> None:
        self.image, self.runs, self.starts = image, runs, [at for at, _, _ in runs]

    def read_at(self, offset: int, size: int, budget: Budget) -> bytes:
        """Return the runs that meet these bytes, with zeros between them."""
        image, end, parts = charged(self.image, budget), offset + size, list[bytes]()
        index = max(bisect_right(self.starts, offset) - 1, 0)
        while offset < end:
            at, start, length = self.runs[index] if index < len(self.runs) else (end, 0, 0)
            if at > offset:
                parts.append(bytes(min(at, end) - offset))
            first, last = max(at, offset), min(at + length, end)
            if first < last:
                parts.append(bytes(image[start + first - at : start + last - at]))
            offset, index = max(offset, min(at, end), last), index + 1
        return b"".join(parts)
