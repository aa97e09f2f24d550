"""Images: bytes in memory or in a file, cut and read without ever running past their end.

A file may be larger than memory: what lies in it is read when its bytes are asked for, and never more at once
than `MAX_READ`. Who looks at a stranger's file hands in a budget with it, which is charged for all that is
read and unpacked of it.
"""

import errno
import io
import os
import struct
import tempfile
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, BinaryIO, SupportsIndex, cast, overload

from pipeline.errors import FormatError
from pipeline.formats.budget import ENDLESS, FILES, READ, ROOM, STEPS, UNPACKED, Budget

MAX_READ = 1 << 26  # bytes: no structure that is read whole comes near
SPOOL = 1 << 20  # bytes: what is unpacked to more than this goes to a temporary file
CHUNK = 1 << 18  # bytes


class Virtual(ABC):
    """Bytes that lie nowhere as they are, in place of a file: packed in blocks, or with holes."""

    __slots__ = ()

    @abstractmethod
    def read_at(self, offset: int, size: int, budget: Budget) -> bytes:
        """Return `size` bytes, which are there; what is read and unpacked for them is paid by the budget.

        Raises FormatError for what is damaged.
        """


class Extents:
    """Bytes of a file in one or several pieces (offset, size), seen as one.

    It is cut as `bytes` are, without reading; `bytes()` reads. FormatError for more than `MAX_READ` at
    once, and for a file that has become shorter; Spent when the budget has no more for it.
    """

    __slots__ = ("budget", "ends", "file", "pieces", "size")

    def __init__(
        self, file: IO[bytes] | Virtual, pieces: Sequence[tuple[int, int]], budget: Budget = ENDLESS
    ) -> None:
        self.file = file
        self.budget = budget
        self.pieces = tuple((offset, size) for offset, size in pieces if size > 0)
        self.ends = tuple(accumulate(size for _, size in self.pieces))
        self.size = self.ends[-1] if self.ends else 0

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, key: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> "Extents": ...
    def __getitem__(self, key: SupportsIndex | slice) -> "int | Extents":
        if not isinstance(key, slice):
            index = range(self.size)[key]
            return bytes(self[index : index + 1])[0]
        start, stop, step = key.indices(self.size)
        if step != 1:
            raise ValueError("an image is cut in one piece")
        return Extents(self.file, list(self._pieces(start, stop)), self.budget)

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        for index in range(bisect_right(self.ends, start), len(self.pieces)):
            offset, size = self.pieces[index]
            begins = self.ends[index] - size
            if begins >= stop:
                return
            skipped = max(start - begins, 0)
            yield offset + skipped, min(stop - begins, size) - skipped

    def __bytes__(self) -> bytes:
        if self.size > MAX_READ:
            raise FormatError(
                f"a structure of {self.size} bytes is more than is read at once ({MAX_READ})",
                "the file is damaged, or made to exhaust memory",
            )
        self.budget.spend(STEPS, len(self.pieces))
        self.budget.spend(READ, self.size)
        if isinstance(self.file, io.BytesIO):
            view = self.file.getbuffer()
            return b"".join(view[offset : offset + size] for offset, size in self.pieces)
        if isinstance(self.file, Virtual):
            return b"".join(self.file.read_at(offset, size, self.budget) for offset, size in self.pieces)
        parts = [os.pread(self.file.fileno(), size, offset) for offset, size in self.pieces]
        if any(len(part) != size for part, (_, size) in zip(parts, self.pieces, strict=True)):
            raise FormatError("the file became shorter while it was read", "wait until it is whole")
        return b"".join(parts)


Image = bytes | memoryview | Extents


def open_image(path: Path) -> Extents:
    """Return what lies in a file or block device. OSError when it cannot be opened or has no size."""
    file = path.open("rb")
    return Extents(file, [(0, file.seek(0, io.SEEK_END))])


def charged(image: Image, budget: Budget) -> Extents:
    """Return an image of which all that is read, and unpacked out of it, is paid for by a budget."""
    if isinstance(image, Extents):
        return Extents(image.file, image.pieces, budget)
    return Extents(io.BytesIO(image), [(0, len(image))], budget)


def budget_of(image: Image) -> Budget:
    """Return the budget that pays for looking at an image."""
    return image.budget if isinstance(image, Extents) else ENDLESS


def joined(image: Image, pieces: Iterable[tuple[int, int]]) -> Image:
    """Return several pieces of an image (offset, size) as one. They have to lie inside it."""
    merged: list[tuple[int, int]] = []
    for offset, size in pieces:
        if merged and sum(merged[-1]) == offset:
            merged[-1] = (merged[-1][0], merged[-1][1] + size)
        else:
            merged.append((offset, size))
    if len(merged) == 1:
        ((offset, size),) = merged
        return image[offset : offset + size]
    if isinstance(image, Extents):
        parts = [image[offset : offset + size] for offset, size in merged]
        return Extents(image.file, [piece for part in parts for piece in part.pieces], image.budget)
    return b"".join(bytes(image[offset : offset + size]) for offset, size in merged)


def chunks(image: Image, size: int = CHUNK) -> Iterator[bytes]:
    """Yield the bytes of an image, at most `size` at once."""
    for offset in range(0, len(image), size):
        yield bytes(image[offset : offset + size])


def spool(parts: Iterable[bytes], limit: int, what: str, budget: Budget = ENDLESS) -> Image:
    """Return bytes that come one part after the other, without keeping many of them in memory.

    Raises FormatError, naming `what`, when there are more than `limit` of them; Spent when the budget, which
    also pays for reading them, or the disk has no room for them.
    """
    file = tempfile.SpooledTemporaryFile(SPOOL)  # noqa: SIM115  the last image of it closes it
    size = 0
    for part in parts:
        budget.spend(UNPACKED, len(part))
        size += len(part)
        if size > limit:
            raise FormatError(f"{what} unpacks to more than {limit} bytes", "put less into it")
        with _room(budget):
            file.write(part)
    if size <= SPOOL:
        file.seek(0)
        return file.read() if budget is ENDLESS else charged(file.read(), budget)
    budget.spend(FILES)
    with _room(budget):
        file.flush()
    return Extents(cast(IO[bytes], file), [(0, size)], budget)


@contextmanager
def _room(budget: Budget) -> Iterator[None]:
    """Have a full disk be the end of a budget: nothing is wrong with the file that is unpacked."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) and budget is not ENDLESS:
            raise budget.lacking(ROOM) from error
        raise


class _Raw(io.RawIOBase):
    def __init__(self, image: Image) -> None:
        self.image, self.at = image, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: len(self.image)}[whence]
        self.at = max(base + offset, 0)
        return self.at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = bytes(self.image[self.at : self.at + len(view)])
        view[: len(data)] = data
        self.at += len(data)
        return len(data)


def stream(image: Image) -> BinaryIO:
    """Return an image as a file for libraries that want one."""
    return io.BufferedReader(_Raw(image))


def legible(octets: bytes) -> str:
    """Return a few bytes as people read them: letters in quotes, anything else in hexadecimal."""
    text = octets.decode("ascii", errors="replace")
    return f"'{text}'" if text.isascii() and text.isprintable() else octets.hex()


def cut(image: Image, offset: int, size: int, what: str) -> Image:
    """Return `size` bytes of `image` from `offset` on; FormatError, naming `what`, when they are missing."""
    if offset < 0 or size < 0 or offset + size > len(image):
        raise FormatError(
            f"{what}: {size} bytes at offset {offset:#x} do not lie inside the {len(image)} bytes given",
            "the file is cut off or damaged: make it again",
        )
    return image[offset : offset + size]


def unpack(layout: str, image: Image, offset: int, what: str) -> tuple[Any, ...]:
    """Return the fields of `struct` layout `layout` at `offset`; FormatError when they are missing."""
    return struct.unpack(layout, bytes(cut(image, offset, struct.calcsize(layout), what)))


def readable(raw: bytes) -> str:
    """Return bytes that should have been text as one can read them: in quotes, else as what they are."""
    text = raw.rstrip(b"\0 ")
    if not text:
        return "nothing but zeros"
    if text.isascii() and all(0x20 <= byte < 0x7F for byte in text):
        return f"'{text.decode()}'"
    return f"the bytes {raw.hex()}"
