"""Reads the tar of a tree: the members of `tar` with modes and owners, hard links with what their files have.

Specification: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format"; libarchive, tar(5)
(SCHILY.xattr)
"""

import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.errors import FormatError
from pipeline.formats.budget import MEMBERS
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image, budget_of
from pipeline.formats.tar import AGAIN, BLOCK, Member, read_tar

MAX_HEADERS = 500_000

KINDS = {
    b"0": stat.S_IFREG,
    b"\0": stat.S_IFREG,
    b"7": stat.S_IFREG,  # contiguous: nothing tells it from the others any more
    b"S": stat.S_IFREG,  # with holes
    b"1": stat.S_IFREG,  # another name of a file before it
    b"2": stat.S_IFLNK,
    b"3": stat.S_IFCHR,
    b"4": stat.S_IFBLK,
    b"5": stat.S_IFDIR,
    b"6": stat.S_IFIFO,
}
HARD_LINK = b"1"

XATTR = b"SCHILY.xattr."
"""What the names of extended attributes have in front in pax headers."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The members in their order; hard links have the inode, owner, mode and data of their file.

    `xattrs` are the names of the extended attributes of those that have some, by member's name.
    """

    entries: tuple[Entry, ...]
    xattrs: Mapping[str, tuple[str, ...]]


def read(image: Image) -> Archive:
    """Return the members of an archive, named without `./` in front.

    Raises FormatError for what is no tar, and for one that is cut off, damaged or empty.
    """
    budget = budget_of(image)
    by_name: dict[str, Entry] = {}
    entries: list[Entry] = []
    xattrs: dict[str, tuple[str, ...]] = {}
    for member in read_tar(image, MAX_HEADERS):
        budget.spend(MEMBERS)
        entry = _entry(member, by_name)
        entries.append(entry)
        by_name[entry.name] = entry
        keys = [key.removeprefix(XATTR) for key in member.fields if key.startswith(XATTR)]
        if keys:
            xattrs[entry.name] = tuple(key.decode(errors="surrogateescape") for key in keys)
    if not entries:
        raise FormatError("tar: it is empty", "give the tar of a tree")
    links = Counter(entry.inode for entry in entries)
    return Archive(tuple(replace(entry, nlink=links[entry.inode]) for entry in entries), xattrs)


def _entry(member: Member, by_name: Mapping[str, Entry]) -> Entry:
    at, kind = member.offset, KINDS.get(member.kind)
    if kind is None:
        raise FormatError(f"tar: the member at offset {at:#x} is of the unknown type {member.kind!r}", AGAIN)
    name = _name(member.name)
    if member.kind == HARD_LINK:
        file = by_name.get(_name(member.target))
        if file is None:
            raise FormatError(
                f"tar: {name!r} is a hard link to {member.target!r}, which is not before it", AGAIN
            )
        return replace(file, name=name, offset=at)
    is_device = stat.S_ISCHR(kind) or stat.S_ISBLK(kind)
    target = member.target.encode(errors="surrogateescape") if stat.S_ISLNK(kind) else b""
    return Entry(
        offset=at,
        name=name,
        inode=at,
        mode=kind | member.number(100, 8) & 0o7777,
        uid=member.number(108, 8, b"uid"),
        gid=member.number(116, 8, b"gid"),
        nlink=1,
        mtime=member.number(136, 12),
        device=(member.number(329, 8), member.number(337, 8)) if is_device else (0, 0),
        data=target if member.image is None else member.image,
        start=at + BLOCK,
    )


def _name(text: str) -> str:
    """Return a name without `./` in front and `/` behind; one that is absolute or climbs, as it is."""
    while text.startswith("./"):
        text = text[2:].lstrip("/")
    return text.rstrip("/") if text != "." else ""
