"""How files and lines cross into a container and out of it.

Owners, modes and dates of this machine stay here.
"""

import io
import os
import shutil
import tarfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from pipeline.errors import PipelineError
from pipeline.plan.step import Entry
from pipeline.store.files import Digesting, explained


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
            raise PipelineError(f"{path}: shrank while it was read", "run it again") from error
    return "x" if executable else "-", reader.sha256


MOST = 16 << 30
"""Bytes of an archive that are read: a step that says nothing else makes less, whatever it is."""

MOST_HEADER = 1 << 20
"""Bytes of a name, or of a member's further fields."""

LONGEST = 1 << 20
"""Bytes of a line of output; what is longer is taken for several."""

NAMES = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
"""Members that are read into memory, as they say something of the next one."""


class _Reader(io.RawIOBase):
    """A file made of the chunks in which an answer arrives."""

    def __init__(self, chunks: Iterable[bytes], most: int) -> None:
        self.chunks, self.rest, self.most, self.read_so_far = iter(chunks), b"", most, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.rest = self.rest or next(self.chunks, b"")
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        self.read_so_far += size
        if self.read_so_far > self.most:
            raise tarfile.ReadError(f"it has more than {self.most} bytes")
        return size


class _Member(tarfile.TarInfo):
    """A member of a tar whose names are not larger than names are."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if member.type in NAMES and member.size > MOST_HEADER:
            raise tarfile.ReadError(f"a name in it has {member.size} bytes")
        return member


def extract(chunks: Iterable[bytes], out: Path, wanted: Collection[str] = (), *, room: int = 0) -> None:
    """Write the regular files of a tar of `out/` below `out`: only those `wanted`, if any are named.

    A file is there when all of it is. Nothing in it can point elsewhere. Raises PipelineError for what is no
    archive, or has more than MOST bytes and `room` in it.
    """
    try:
        with tarfile.open(
            fileobj=io.BufferedReader(_Reader(chunks, MOST + room), 1 << 20), mode="r|", tarinfo=_Member
        ) as tar:
            for member in tar:
                _extract(tar, member, out, wanted)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise PipelineError(
            f"what came out of the container cannot be read: {error}",
            "is the engine all right? `./doit doctor` says what it can do",
        ) from error


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, out: Path, wanted: Collection[str]) -> None:
    name = Path(*Path(member.name).parts[1:])
    if not member.isreg() or ".." in name.parts or (wanted and name.as_posix() not in wanted):
        return
    data = tar.extractfile(member)
    if member.issparse() or data is None:
        raise tarfile.ReadError(f"{name} has holes")
    target = out / name
    with explained(target, "write"):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        with part.open("wb") as file:
            shutil.copyfileobj(data, file)
        part.replace(target)


def lines_of(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of an output that arrives in chunks."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        lines, rest = (lines, rest) if len(rest) < LONGEST else ([*lines, rest], b"")
        yield from (line.decode("utf-8", "replace") for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")
