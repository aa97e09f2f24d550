"""Reads Debian binary packages (deb(5)): the members of their data archive, as a stream, and who they are.

python-debian reads a package whole and knows no zstd, so the outer `ar` archive is read here and the rest is
left to `tarfile`, `lzma` and `zstandard`.
"""

import gzip
import lzma
import re
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

CONTROL_LIMIT = 1 << 20  # bytes: of a control file all the fields that say who it is
FIELD = re.compile(r"^([A-Za-z][A-Za-z-]*):[ \t]*(.*)$", re.MULTILINE)

DAMAGED = (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, zlib.error, gzip.BadGzipFile, EOFError)
"""What the readers below raise for bytes that make no sense."""


def _find_member(deb: BinaryIO, name: str, archive: str) -> str:
    """Leave `deb` at the first byte of an archive (control or data) and return that member's name."""
    if deb.read(len(AR_MAGIC)) != AR_MAGIC:
        raise FormatError(f"{name}: not a Debian package: no ar(5) magic at offset 0")
    while header := deb.read(AR_HEADER):
        if len(header) < AR_HEADER or header[58:] != b"`\n":
            raise FormatError(f"{name}: ar header cut off or damaged at offset {deb.tell() - len(header)}")
        member = header[:16].decode("ascii", "replace").rstrip(" /")
        if member.startswith(f"{archive}.tar"):
            return member
        try:
            size = int(header[48:58])
        except ValueError:
            raise FormatError(f"{name}: ar member {member!r} has the size {header[48:58]!r}") from None
        deb.seek(size + size % 2, 1)
    raise FormatError(f"{name}: no {archive}.tar member")


def _decompressor(member: str, deb: BinaryIO, name: str) -> IO[bytes]:
    archive, _, suffix = member.partition(".tar")
    match suffix:
        case "":
            return deb
        case ".xz":
            return lzma.open(deb)
        case ".zst":
            return zstandard.ZstdDecompressor().stream_reader(deb, closefd=False)
        case ".gz":
            return gzip.GzipFile(fileobj=deb)  # type: ignore[return-value]
        case suffix:
            raise FormatError(
                f"{name}: {archive} archive is compressed with {suffix[1:]!r}, want xz, zst or gz"
            )


@contextmanager
def open_archive(path: Path, archive: str = "data") -> Iterator[tarfile.TarFile]:
    """Open a package's data or control archive as a tar stream: read each member before asking for the next.

    Raises FormatError when the file is not a Debian package, also while its members are read.
    """
    with path.open("rb") as deb:
        member = _find_member(deb, path.name, archive)
        try:
            with tarfile.open(fileobj=_decompressor(member, deb, path.name), mode="r|") as tar:
                yield tar
        except DAMAGED as error:
            raise FormatError(f"{path.name}: {archive} archive is damaged: {error}") from error


def control(path: Path) -> dict[str, str]:
    """Return the fields of a package's control file (deb-control(5)), each one's first line, by small names.

    Raises FormatError when the file is not a Debian package.
    """
    with open_archive(path, "control") as archive:
        for member in archive:
            if member.name.removeprefix("./") == "control" and (file := archive.extractfile(member)):
                text = file.read(CONTROL_LIMIT).decode("utf-8", "replace")
                return {match[1].lower(): match[2].strip() for match in FIELD.finditer(text)}
    raise FormatError(f"{path.name}: its control archive has no control file")
