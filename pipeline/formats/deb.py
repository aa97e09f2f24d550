"""Reads Debian binary packages (deb(5)): the members of their data archive, as a stream.

Must not know what the files are for. python-debian reads a package whole and knows no zstd, so the
outer `ar` archive is read here and the rest is left to `tarfile`, `lzma` and `zstandard`.
"""

import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

import zstandard

from pipeline.errors import FormatError

AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60  # bytes: name 16, time 12, uid 6, gid 6, mode 8, size 10, magic 2


DAMAGED = (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, zlib.error, gzip.BadGzipFile, EOFError)
"""What the readers below raise for bytes that make no sense."""


def _find_data_member(deb: BinaryIO, name: str) -> str:
    """Leave `deb` at the first byte of the data archive and return that member's name."""
    if deb.read(len(AR_MAGIC)) != AR_MAGIC:
        raise FormatError(f"{name}: not a Debian package: no ar(5) magic at offset 0")
    while header := deb.read(AR_HEADER):
        if len(header) < AR_HEADER or header[58:] != b"`\n":
            raise FormatError(f"{name}: ar header cut off or damaged at offset {deb.tell() - len(header)}")
        member = header[:16].decode("ascii", "replace").rstrip(" /")
        if member.startswith("data.tar"):
            return member
        try:
            size = int(header[48:58])
        except ValueError:
            raise FormatError(f"{name}: ar member {member!r} has the size {header[48:58]!r}") from None
        deb.seek(size + size % 2, 1)
    raise FormatError(f"{name}: no data.tar member")


def _decompressor(member: str, deb: BinaryIO, name: str) -> IO[bytes]:
    match member.removeprefix("data.tar"):
        case "":
            return deb
        case ".xz":
            return lzma.open(deb)
        case ".zst":
            return zstandard.ZstdDecompressor().stream_reader(deb, closefd=False)
        case ".gz":
            return gzip.GzipFile(fileobj=deb)  # type: ignore[return-value]
        case suffix:
            raise FormatError(f"{name}: data archive is compressed with {suffix[1:]!r}, want xz, zst or gz")


@contextmanager
def data_archive(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a package's data archive as a tar stream: read each member before asking for the next.

    Raises FormatError when the file is not a Debian package, also while its members are read.
    """
    with path.open("rb") as deb:
        member = _find_data_member(deb, path.name)
        try:
            with tarfile.open(fileobj=_decompressor(member, deb, path.name), mode="r|") as archive:
                yield archive
        except DAMAGED as error:
            raise FormatError(f"{path.name}: data archive is damaged: {error}") from error
