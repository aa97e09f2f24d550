"""How files and lines cross into a container and out of it.

Owners, modes and dates of this machine stay here.
"""

import contextlib
import io
import os
import shutil
import socket
import struct
import tarfile
from collections.abc import Callable, Collection, Iterable, Iterator
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


def add_folder(tar: tarfile.TarFile, name: str) -> None:
    """Add an empty folder."""
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(info)


def add_file(tar: tarfile.TarFile, name: str, path: Path) -> Entry:
    """Add a file, or a link as it is, and return what went in; of a mode only the owner's x bit counts.

    Raises PipelineError for one that cannot be read, or gets shorter meanwhile.
    """
    info = tarfile.TarInfo(name)
    with explained(path, "read", cache=False):
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


class Streams:
    """The standard streams of a container that this process is attached to.

    Of an output without a terminal, the engine sends pieces: one byte for the stream, three bytes of nothing,
    four for the size, most significant first (Engine API, ContainerAttach). An engine that is gone shows in
    what is asked of it next.
    """

    PIECE = struct.Struct(">BxxxI")
    OUTPUT = 1

    def __init__(self, channel: socket.socket) -> None:
        channel.settimeout(None)  # a step may be silent for as long as it likes
        self.channel, self.reader = channel, channel.makefile("rb")
        self.is_open = True

    def write(self, data: bytes) -> int:
        """Send to standard input; what a program that has ended is sent is lost."""
        if self.is_open:
            try:
                self.channel.sendall(data)
            except OSError:
                self.is_open = False
        return len(data)

    def output(self, on_line: Callable[[str], None]) -> Iterator[bytes]:
        """Yield what comes of standard output, to its end; `on_line` gets each line of standard error."""
        rest = b""
        for stream, data in self._pieces():
            if stream == self.OUTPUT:
                yield data
                continue
            *lines, rest = (rest + data).split(b"\n")
            lines, rest = (lines, rest) if len(rest) < LONGEST else ([*lines, rest], b"")
            for line in lines:
                on_line(line.decode("utf-8", "replace"))
        if rest:
            on_line(rest.decode("utf-8", "replace"))

    def _pieces(self) -> Iterator[tuple[int, bytes]]:
        try:
            while len(head := self.reader.read(self.PIECE.size)) == self.PIECE.size:
                stream, size = self.PIECE.unpack(head)
                yield stream, self.reader.read(size)
        except OSError:
            return

    def close(self) -> None:
        """Let go of the container, which reads to the end of its input then."""
        with contextlib.suppress(OSError):
            self.reader.close()
            self.channel.close()
