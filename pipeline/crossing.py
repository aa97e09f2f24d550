"""Owns the tars in which files cross into a container and out of it.

Must not know engines or steps' meaning. Owners, modes and dates of this machine stay here.
"""

import io
import os
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.files import Digesting, explained
from pipeline.step import Entry


def add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a small file to a tar."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o444
    tar.addfile(info, io.BytesIO(data))


def add_folder(tar: tarfile.TarFile, name: str, owner: int) -> None:
    """Add an empty folder of the user with this number."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, 0o755, owner, owner
    tar.addfile(info)


def add_file(tar: tarfile.TarFile, name: str, path: Path) -> Entry:
    """Add a file, or a link as it is, and return what went in; of a mode only the owner's x bit counts.

    Raises PipelineError for a file that gets shorter meanwhile.
    """
    info = tarfile.TarInfo(name)
    if path.is_symlink():
        info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
        tar.addfile(info)
        return "link", info.linkname
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        executable = bool(status.st_mode & 0o100)
        info.size, info.mode = status.st_size, 0o555 if executable else 0o444
        reader = Digesting(file)
        try:
            tar.addfile(info, reader)
        except OSError as error:
            if error.errno is not None:
                raise
            raise PipelineError(f"{path}: became shorter while it was read", "run it again") from error
    return "x" if executable else "-", reader.sha256


class _Reader(io.RawIOBase):
    """A file made of the chunks in which an answer arrives."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks, self.rest = iter(chunks), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.rest = self.rest or next(self.chunks, b"")
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


def extract(chunks: Iterable[bytes], out: Path) -> None:
    """Write the regular files of a tar of `out/` below `out`; nothing in it can point elsewhere."""
    with tarfile.open(fileobj=io.BufferedReader(_Reader(chunks), 1 << 20), mode="r|") as tar:
        for member in tar:
            name = Path(*Path(member.name).parts[1:])
            data = tar.extractfile(member) if member.isreg() else None
            if data is None or name.is_absolute() or ".." in name.parts:
                continue
            target = out / name
            with explained(target, "write"):
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(data, file)
