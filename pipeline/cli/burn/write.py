"""An image is written to a disk, and read back from it: not from what the system remembers of it."""

import contextlib
import errno
import hashlib
import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pipeline.cli.burn.stick import Stick
from pipeline.errors import PipelineError
from pipeline.report import Line

CHUNK = 4 << 20


def write(image: Path, stick: Stick, line: Line) -> str:
    """Write an image to the start of a disk, and return the SHA-256 of what was sent.

    What is said to be written has left this machine. Raises PipelineError for a disk that is in use, is
    another than that which was described, or fails.
    """
    digest, done, total = hashlib.sha256(), 0, image.stat().st_size
    with _opened(stick, os.O_WRONLY) as descriptor:
        for chunk in _chunks(image):
            digest.update(chunk)
            rest = memoryview(chunk + bytes(-len(chunk) % stick.block))
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if not stat.S_ISCHR(
                os.fstat(descriptor).st_mode
            ):  # a raw device of macOS has no cache to be synced
                os.fsync(descriptor)
            done += len(chunk)
            line.progress(done, total, "bytes")
    return digest.hexdigest()


def _chunks(image: Path) -> Iterator[bytes]:
    """Yield what is in a file. Raises PipelineError where it cannot be read: that is no fault of a disk."""
    try:
        with image.open("rb") as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except OSError as error:
        raise PipelineError(f"{image}: {error.strerror}", "build it again, or fetch it again") from error


def read_back(stick: Stick, total: int, line: Line) -> str:
    """Return the SHA-256 of the first `total` bytes of a disk. Raises PipelineError as `write` does."""
    digest, done = hashlib.sha256(), 0
    with mmap.mmap(-1, CHUNK) as buffer, _opened(stick, os.O_RDONLY) as descriptor:
        while done < total:
            count = min(os.readv(descriptor, [buffer]), total - done)
            if count == 0:
                raise PipelineError(
                    f"{stick}: ends after {done} bytes", "it claims to be larger: take another one"
                )
            digest.update(buffer[:count])
            done += count
            line.progress(done, total, "bytes")
    return digest.hexdigest()


@contextlib.contextmanager
def _opened(stick: Stick, mode: int) -> Iterator[int]:
    """Open a disk that nobody else has (open(2): O_EXCL without O_CREAT); to read, past any cache."""
    try:
        is_block = stat.S_ISBLK(stick.node.stat().st_mode)
        direct = getattr(os, "O_DIRECT", 0) if mode == os.O_RDONLY else 0
        descriptor = os.open(stick.node, mode | ((os.O_EXCL | direct) if is_block else 0))
        try:
            if stick.number not in (None, os.fstat(descriptor).st_rdev):
                raise PipelineError(f"{stick.node}: is not the disk {stick.name}", "start again")
            yield descriptor
        finally:
            os.close(descriptor)
    except PermissionError as error:
        raise PipelineError(f"{stick.node}: permission denied", "`sudo ./doit burn …`") from error
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise PipelineError(f"{stick.node}: is in use", stick.release) from error
        hint = "plug it in again; if it stays so, take another one"
        raise PipelineError(f"{stick.node}: {error.strerror}", hint) from error
