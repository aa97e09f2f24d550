"""How files are digested and written: whole or not at all, and on disk once they are there."""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pipeline.errors import PipelineError

CACHE = "or set INSTALLER_ISO_CACHE to"
"""Begins what helps with a cache only."""


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder itself, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Digesting:
    """A file that is read through, and the SHA-256 of all that was read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.state = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, all that are left for -1."""
        data = self.file.read(size)
        self.state.update(data)
        return data

    @property
    def sha256(self) -> str:
        """The digest of what was read so far, in hex."""
        return self.state.hexdigest()


def copy_digested(source: Path, target: IO[bytes]) -> str:
    """Copy a file and return the SHA-256 of exactly the bytes that were copied, in hex."""
    with source.open("rb") as file:
        reader = Digesting(file)
        shutil.copyfileobj(reader, target, 1 << 20)
    return reader.sha256


@contextlib.contextmanager
def explained(path: Path, doing: str, *, cache: bool = True) -> Iterator[None]:
    """Turn the operating system's errors into a sentence that names the path and what is needed.

    `doing` is "read", or what needs a writable path; `cache` says that it is in the cache, which may be put
    elsewhere.
    """
    try:
        yield
    except PermissionError as error:
        wanted = "readable" if doing == "read" else "writable"
        raise PipelineError(
            f"{path}: no right to {doing} here ({error.strerror})",
            f"make it {wanted} for this user" + (f", {CACHE} a folder that is" if cache else ""),
        ) from error
    except OSError as error:
        if error.errno is None:  # not the system's: requests.RequestException is an OSError, too
            raise
        raise PipelineError(
            f"{error.filename or path}: cannot {doing}: {error.strerror}",
            _way_out(error.errno, doing, cache=cache),
        ) from error


def _way_out(number: int, doing: str, *, cache: bool) -> str:
    if number not in (errno.ENOSPC, errno.EDQUOT):
        if doing == "read":
            return "it has to be there as long as this works on it, on a disk without faults"
        return "the path above has to be a writable folder on a disk with a few GB free"
    if cache:
        return f"free some space (`./doit gc` cleans the cache), {CACHE} another disk"
    return "free some space on the disk that it is on"


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Give a file to write, which has taken the place of `path` when the block ends: whole, and on disk.

    A block that raises leaves `path` as it was.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_atomically(path: Path, text: str) -> None:
    """Write a text in one rename: whoever reads `path` sees the old or the new, also after a power cut."""
    with replacing(path) as file:
        file.write(text.encode())


def _sync(folder: Path) -> None:
    """Have the names in a folder on disk, where its file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
