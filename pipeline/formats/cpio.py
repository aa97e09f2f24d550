"""Writes cpio "newc" archives, byte for byte the same for the same members.

Runs inside a builder container too, so it needs nothing but the standard library. Reading is `cpio_reader`,
which shares no code with this module, so that what is written here is judged by a second opinion.

Specification: Linux, Documentation/driver-api/early-userspace/buffer-format.rst
https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from pipeline.errors import FormatError

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
BLOCK_SIZE = 512  # bytes; whole archives are padded to this, as cpio(1) does
PATH_MAX = 4096  # bytes with the NUL; Linux skips members with longer names or link targets, silently
FIELD_MAX = 0xFFFF_FFFF  # every header field is 8 hex digits


@dataclass(frozen=True, slots=True)
class File:
    """A regular file; `mode` holds permission bits only, here and below."""

    name: str
    data: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory."""

    name: str
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link; `target` is stored unchanged."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class CharDevice:
    """A character device node."""

    name: str
    major: int
    minor: int
    mode: int = 0o600


Member = File | Directory | Symlink | CharDevice


def write(members: Iterable[Member], archive: BinaryIO, epoch: int) -> None:
    """Write `members` to `archive` as one newc archive, padded to 512 bytes.

    Names are relative to the root, without a leading `./`. Members are sorted, parents before what is
    in them; they belong to root:root, carry the mtime `epoch` (seconds since 1970) and are numbered
    from inode 1 on. Raises FormatError, before anything is written, for a name that is empty, absolute,
    not normalised, doubled, too long, or whose parent is no directory among the members, and for
    values that do not fit.
    """
    ordered = sorted(members, key=lambda member: member.name.encode(errors="surrogateescape").split(b"/"))
    _check_number("epoch", epoch, FIELD_MAX)
    for member in ordered:
        _check_member(member)
    _check_tree(ordered)
    links = _directory_links(ordered)
    size = 0
    for inode, member in enumerate(ordered, start=1):
        size += archive.write(_encode(member, inode, links.get(member.name, 1), epoch))
    size += archive.write(_record(TRAILER, inode=0, mode=0, nlink=1, mtime=0, data=b"", device=(0, 0)))
    archive.write(bytes(-size % BLOCK_SIZE))


def _check_member(member: Member) -> None:
    name = member.name
    if name == TRAILER:
        raise FormatError(
            f"cpio: a member may not be called {name!r}, the name that ends an archive", "rename it"
        )
    if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise FormatError(
            f"cpio: {name!r} is not a normalised relative path",
            "write it as `etc/inittab`: no leading or trailing '/', no '.', no '..', no NUL",
        )
    _check_length(name, name)
    match member:
        case Symlink(target=target):
            if not target or "\0" in target:
                raise FormatError(
                    f"cpio: {name}: {target!r} is no target for a symbolic link",
                    "name a path, without NUL bytes",
                )
            _check_length(name, target)
        case File(data=data):
            _check_number(f"{name}: size", len(data), FIELD_MAX)
        case CharDevice(major=major, minor=minor):
            _check_number(f"{name}: major", major, FIELD_MAX)
            _check_number(f"{name}: minor", minor, FIELD_MAX)
    if not isinstance(member, Symlink):
        _check_number(f"{name}: mode", member.mode, 0o7777)


def _check_length(name: str, path: str) -> None:
    length = len(path.encode(errors="surrogateescape"))
    if length >= PATH_MAX:
        raise FormatError(
            f"cpio: {name[:40]!r}…: a path of {length} bytes is longer than Linux takes ({PATH_MAX - 1})",
            "shorten it",
        )


def _check_number(what: str, value: int, maximum: int) -> None:
    if not 0 <= value <= maximum:
        raise FormatError(f"cpio: {what}: {value} is not between 0 and {maximum}", "correct the value")


def _check_tree(ordered: Sequence[Member]) -> None:
    """See that no name is there twice and that each member's parent is a directory of the archive."""
    seen: dict[str, Member] = {}
    for member in ordered:
        if member.name in seen:
            raise FormatError(f"cpio: {member.name!r} is there twice", "leave one of them out")
        parent = member.name.rpartition("/")[0]
        if parent and not isinstance(seen.get(parent), Directory):
            found = f"is a {type(seen[parent]).__name__}" if parent in seen else "is missing"
            raise FormatError(
                f"cpio: {member.name!r}: its parent {parent!r} {found}", f"add the directory {parent!r}"
            )
        seen[member.name] = member


def _directory_links(ordered: Sequence[Member]) -> Mapping[str, int]:
    """Return each directory's link count: its name, its `.`, and the `..` of each subdirectory."""
    links = {member.name: 2 for member in ordered if isinstance(member, Directory)}
    for name in list(links):
        parent = name.rpartition("/")[0]
        if parent:
            links[parent] += 1
    return links


def _encode(member: Member, inode: int, nlink: int, mtime: int) -> bytes:
    data, device = b"", (0, 0)
    match member:
        case File(_, data, permissions):
            mode = stat.S_IFREG | permissions
        case Directory(_, permissions):
            mode = stat.S_IFDIR | permissions
        case Symlink(_, target):
            mode, data = stat.S_IFLNK | 0o777, target.encode(errors="surrogateescape")
        case CharDevice(_, major, minor, permissions):
            mode, device = stat.S_IFCHR | permissions, (major, minor)
    return _record(member.name, inode, mode, nlink, mtime, data, device)


def _record(
    name: str, inode: int, mode: int, nlink: int, mtime: int, data: bytes, device: tuple[int, int]
) -> bytes:
    """Return one member: header, name and data, the latter two padded to 4 bytes."""
    path = name.encode(errors="surrogateescape") + b"\0"
    owner, group, container, checksum = 0, 0, (0, 0), 0
    fields = (
        *(inode, mode, owner, group, nlink, mtime, len(data)),
        *container,
        *device,
        *(len(path), checksum),
    )
    head = MAGIC + b"".join(b"%08X" % field for field in fields) + path
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
