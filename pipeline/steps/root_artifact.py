"""A root file system of another maker: a tar, judged member by member, and written again as ours are.

Format: POSIX.1-2017, pax, "pax Interchange Format" and "ustar Interchange Format".
"""

import bz2
import gzip
import lzma
import posixpath
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import zstandard

from pipeline.debian.deb import DAMAGED
from pipeline.errors import FormatError
from pipeline.formats import tar_tree
from pipeline.formats.elf import HEADER_SIZE, MACHINES, MAGIC
from pipeline.formats.fields import open_image
from pipeline.steps.root_files import XATTR

PACKERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"\x28\xb5\x2f\xfd": lambda file: zstandard.ZstdDecompressor().stream_reader(
        file, read_across_frames=True
    ),
    b"\xfd7zXZ\0": lzma.open,
    b"BZh": bz2.open,
}
"""What unpacks a stream, by its first bytes."""

NODES = "dev"
"""The one folder in which device nodes are put up with, and left out: Linux mounts its own there."""

WANTED = {"amd64": (2, "x86-64"), "arm64": (2, "AArch64")}
"""By Debian's names: an ELF file's class (2 is 64 bits) and machine."""

ALSO = {"amd64": (1, "x86")}
"""What a machine runs besides: 32-bit programs of the same family."""


def rewrite(source: Path, target: Path, work: Path, *, epoch: int, architecture: str) -> None:
    """Write the tar `source` (plain, gzip, bzip2, xz or zstd) anew: sorted, each member dated `epoch`.

    Owners by number, modes and extended attributes stay. Raises FormatError, with the member, for an absolute
    name, one with `..`, a name that is there twice, what lies behind a link, a device outside of /dev, and a
    program for another architecture; also for what is no tar.
    """
    try:
        plain = _plain(source, work)
        tar_tree.read(open_image(plain))  # `tarfile` takes one that is cut off as a shorter one
        with tarfile.open(plain) as tar:
            members = _judged(tar, architecture)
            with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out:
                for name in sorted(members, key=lambda name: name.split("/")):
                    member = members[name]
                    data = tar.extractfile(member) if member.isreg() else None
                    out.addfile(_again(member, name, epoch), data)
    except (*DAMAGED, OSError, ValueError) as error:
        raise FormatError(f"the tar cannot be read: {error}", "is the file whole, and a tar?") from error


def _plain(source: Path, work: Path) -> Path:
    """Return the tar without its packing."""
    with source.open("rb") as file:
        head = file.read(max(map(len, PACKERS)))
        unpack = next((unpack for magic, unpack in PACKERS.items() if head.startswith(magic)), None)
        if unpack is None:
            return source
        file.seek(0)
        plain = work / "artifact.tar"
        with plain.open("wb") as out:
            shutil.copyfileobj(unpack(file), out)
        return plain


def _judged(tar: tarfile.TarFile, architecture: str) -> dict[str, tarfile.TarInfo]:
    """Return the members by name: what stands before a hard link in the tar has to do so sorted, too."""
    members: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        name = _name(member)
        if not name:
            continue
        if member.ischr() or member.isblk() or member.isfifo():
            if not name.startswith(f"{NODES}/"):
                raise FormatError(f"{name}: is a device or a FIFO, which an image has only in /{NODES}")
            continue
        if name in members:
            raise FormatError(f"{name}: is there twice", "leave one of them out")
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            raise FormatError(f"{name}: is of the type {member.type!r}, which no file system has")
        members[name] = member
        if member.isreg():
            _check_machine(tar, member, name, architecture)
    _check_links(members)
    for name in [name for name in members if posixpath.dirname(name)]:
        _check_parents(members, name)
    return members


def _name(member: tarfile.TarInfo) -> str:
    """Return a member's name, without `./` in front; "" for the root itself."""
    if member.name.startswith("/"):
        raise FormatError(f"{member.name}: is an absolute name", "pack it with `tar -C FOLDER -c .`")
    parts = member.name.split("/")
    if ".." in parts:
        raise FormatError(
            f"{member.name}: leads out of its folder by '..'", "pack it with `tar -C FOLDER -c .`"
        )
    return "/".join(part for part in parts if part not in ("", "."))


def _check_parents(members: dict[str, tarfile.TarInfo], name: str) -> None:
    parent = posixpath.dirname(name)
    while parent:
        above = members.get(parent)
        if above is None:
            members[parent] = above = tarfile.TarInfo(parent)
            above.type, above.mode = tarfile.DIRTYPE, 0o755
        if not above.isdir():
            what = f"the link to {above.linkname}" if above.issym() else "a file"
            raise FormatError(f"{name}: lies behind {parent}, which is {what}", "put it where that leads")
        parent = posixpath.dirname(parent)


def _check_links(members: dict[str, tarfile.TarInfo]) -> None:
    """Have the first name of each file, by order, be the file, and all others its hard links."""
    groups: dict[str, list[str]] = {}
    for name, member in members.items():
        if member.islnk():
            other = "/".join(part for part in member.linkname.split("/") if part not in ("", "."))
            while other in members and members[other].islnk() and members[other].linkname != other:
                step = members[other].linkname
                other = "/".join(part for part in step.split("/") if part not in ("", "."))
            if other not in members or not members[other].isreg():
                raise FormatError(
                    f"{name}: is a hard link to {member.linkname!r}, which is no file of the tar"
                )
            groups.setdefault(other, []).append(name)
    for file, names in groups.items():
        first = min([file, *names], key=lambda name: name.split("/"))
        data = members[file]
        for name in {file, *names} - {first}:
            link = tarfile.TarInfo(name)
            link.type, link.linkname, link.mode = tarfile.LNKTYPE, first, data.mode
            link.uid, link.gid = data.uid, data.gid
            members[name] = link
        members[first] = data


def _check_machine(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, architecture: str) -> None:
    file = tar.extractfile(member)
    head = file.read(HEADER_SIZE) if file else b""
    if not head.startswith(MAGIC) or len(head) < HEADER_SIZE:
        return
    order = "big" if head[5] == 2 else "little"
    kind = head[4], MACHINES.get(int.from_bytes(head[18:20], order), "")  # type: ignore[arg-type]
    if kind not in (WANTED[architecture], ALSO.get(architecture)) and kind[1]:
        raise FormatError(
            f"{name}: is a program for {kind[1]}, not for {WANTED[architecture][1]}",
            f"take the maker's root file system for {architecture}",
        )


def _again(member: tarfile.TarInfo, name: str, epoch: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.REGTYPE if member.isreg() else member.type
    info.size = member.size if member.isreg() else 0
    info.mode, info.uid, info.gid, info.mtime = member.mode & 0o7777, member.uid, member.gid, epoch
    info.linkname = member.linkname
    info.pax_headers = {
        key: value for key, value in sorted(member.pax_headers.items()) if key.startswith(XATTR)
    }
    return info
