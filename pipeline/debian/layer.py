"""Writes a container layer out of Debian packages: one deterministic tar, the same bytes anywhere.

Format: POSIX pax as the OCI image layer specification asks for
(https://github.com/opencontainers/image-spec/blob/main/layer.md); the digest of the uncompressed tar is the
layer's diff ID.
"""

import hashlib
import io
import posixpath
import re
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from pipeline.debian import deb
from pipeline.errors import FormatError

MERGED_USR = ("bin", "sbin", "lib", "lib64")
"""Top-level folders that are links into usr (Debian has been usr-merged since release 12)."""

UNWANTED = tuple(
    f"usr/share/{name}" for name in ("doc", "man", "info", "locale", "lintian", "bug", "gtk-doc", "zsh")
)
"""What no program reads: a third of the files of a builder container."""


class _Hashing:
    """The little of a file that `tarfile` needs to write a stream, hashed on its way through."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.sha256 = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self.file.write(data)


def _merged(name: str) -> str:
    """Return a member's path in a usr-merged tree, without the leading './'."""
    path = posixpath.normpath("/" + name).lstrip("/")
    top = path.split("/", 1)[0]
    return f"usr/{path}" if top in MERGED_USR and "/" in path else path


def _plain(info: tarfile.TarInfo, name: str, epoch: int) -> tarfile.TarInfo:
    """Return what of a member is the same on every machine."""
    plain = tarfile.TarInfo(name)
    plain.type, plain.mode, plain.size, plain.mtime = info.type, info.mode & 0o1777, info.size, epoch
    plain.uid, plain.gid = info.uid, info.gid
    plain.linkname = _merged(info.linkname) if info.islnk() else info.linkname
    plain.devmajor, plain.devminor = info.devmajor, info.devminor
    return plain


def _below(pattern: str) -> str:
    """Return a regular expression for a path and all below it; `*` stands for any part of one name."""
    return re.escape(pattern).replace(r"\*", "[^/]*") + "(/|$)"


class _Layer:
    def __init__(self, tar: tarfile.TarFile, epoch: int, without: Iterable[str]) -> None:
        self.tar, self.epoch = tar, epoch
        self.unwanted = re.compile("|".join(map(_below, without)))
        self.seen: dict[str, bytes] = {}

    def folder(self, name: str, mode: int = 0o755) -> None:
        if name and name not in self.seen:
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, mode
            self.add(info)

    def add(self, info: tarfile.TarInfo, data: io.BufferedIOBase | None = None) -> None:
        name = _merged(info.name)
        if name in ("", ".") or self.unwanted.match(name):
            return
        if info.issym() and name in MERGED_USR and info.linkname == f"usr/{name}" and name in self.seen:
            return  # base-files has the links that are there from the start
        if name in self.seen:
            if info.isdir() and self.seen[name] in (tarfile.DIRTYPE, tarfile.SYMTYPE):
                return
            raise FormatError(f"{name}: two packages hold this file")
        self.folder(posixpath.dirname(name))
        self.seen[name] = info.type
        self.tar.addfile(_plain(info, name, self.epoch), data)

    def link(self, name: str, target: str) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
        self.add(info)

    def file(self, name: str, text: str) -> None:
        info = tarfile.TarInfo(name)
        info.mode, info.size = 0o644, len(text.encode())
        self.add(info, io.BytesIO(text.encode()))


def write(
    packages: Iterable[Path],
    out: BinaryIO,
    *,
    epoch: int,
    folders: Mapping[str, int],
    files: Mapping[str, str],
    links: Mapping[str, str],
    without: Iterable[str] = (),
) -> str:
    """Write the packages' data archives, in the order given, as one tar; return its SHA-256 in hex.

    `folders` (path to mode), `files` (path to text) and `links` (path to target) come first: what
    maintainer scripts would have made. Paths that match a pattern of `without`, and all below them, are
    left out. Every time stamp is `epoch` (seconds since 1970), owners are the packages' numbers. Raises
    FormatError for a damaged package or a file that two of them hold.
    """
    hashing = _Hashing(out)
    with tarfile.open(fileobj=hashing, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        layer = _Layer(tar, epoch, [*UNWANTED, *without])
        layer.folder("usr")
        for name in MERGED_USR:
            layer.folder(f"usr/{name}")
            layer.link(name, f"usr/{name}")
        for name, mode in sorted(folders.items()):
            layer.folder(name, mode)
        for name, text in sorted(files.items()):
            layer.file(name, text)
        for name, target in sorted(links.items()):
            layer.link(name, target)
        for package in packages:
            _add_package(layer, package)
    return hashing.sha256.hexdigest()


def _add_package(layer: _Layer, package: Path) -> None:
    with deb.open_archive(package) as archive:
        for member in archive:
            data = archive.extractfile(member) if member.isreg() else None
            try:
                layer.add(member, data)  # type: ignore[arg-type]
            except FormatError as error:
                raise FormatError(f"{package.name}: {error.message}") from error
