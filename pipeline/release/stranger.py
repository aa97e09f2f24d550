"""A folder from a stranger, read once: no link is followed, no device opened, and no more read than fits.

What its documents say is believed by none of this.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pipeline.errors import PipelineError
from pipeline.release.layout import DOCUMENTS, UNLISTED
from pipeline.report import size_text

MOST_FILES = 1000
MOST_BYTES = 16 << 30  # of all files
MOST_TEXT = 32 << 20  # of one that is parsed

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe would wait for somebody to write


@dataclass
class Files:
    """What is in a folder: the SHA-256 (hex) of each file, the bytes of those that are parsed.

    `wrong` are the names, or "" for the folder, and what is wrong, of what cannot be in a release.
    """

    digests: dict[str, str] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    wrong: list[tuple[str, str]] = field(default_factory=list)


def look(folder: Path) -> Files:
    """Read a folder. Raises PipelineError where it is none, or cannot be read."""
    found, left = Files(), MOST_BYTES
    with _opened(folder) as descriptor:
        for number, name in enumerate(_names(descriptor)):
            if number == MOST_FILES:
                found.wrong.append(("", f"has more than {MOST_FILES} files: the others were not looked at"))
                break
            try:
                left -= _read(descriptor, name, left, found)
            except OSError as error:
                found.wrong.append((name, f"cannot be read: {error.strerror}"))
    return found


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise PipelineError(
            f"{folder}: cannot be read as a folder: {error.strerror}", "name the folder of a release"
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _names(descriptor: int) -> Iterator[str]:
    """Yield the names in a folder, as far as they fit sorted."""
    with os.scandir(descriptor) as entries:
        first = [entry.name for entry, _ in zip(entries, range(MOST_FILES + 1), strict=False)]
    yield from sorted(first)


def _read(folder: int, name: str, left: int, found: Files) -> int:
    """Read one file into `found`, of at most `left` bytes; return its size."""
    kind = stat.S_IFMT(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    if kind != stat.S_IFREG:  # before it is opened: to open a device may do something
        found.wrong.append((name, f"is {KINDS.get(kind, 'no file')}"))
        return 0
    with os.fdopen(os.open(name, FLAGS, dir_fd=folder), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            found.wrong.append((name, "is another thing each time it is looked at"))
            return 0
        parsed = name in DOCUMENTS or name in UNLISTED
        limit = min(left, MOST_TEXT) if parsed else left
        if about.st_size > limit:
            found.wrong.append((name, f"is too large to be read: {size_text(about.st_size)}"))
            return 0
        return _digest(file, name, about.st_size, found, keep=parsed)


def _digest(file: IO[bytes], name: str, size: int, found: Files, *, keep: bool) -> int:
    """Digest `size` bytes of a file, and keep them if asked to."""
    state, kept, read = hashlib.sha256(), [], 0
    while read < size and (data := file.read(min(1 << 20, size - read))):
        state.update(data)
        read += len(data)
        if keep:
            kept.append(data)
    found.digests[name] = state.hexdigest()
    if keep:
        found.texts[name] = b"".join(kept)
    return read
