"""Reads tar archives, of ustar, GNU and pax: member by member, to the end.

It shares no code with `tarfile`, which writes those that it judges.

Specification: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar, "Basic Tar
Format" (https://www.gnu.org/software/tar/manual/html_node/Standard.html) for long names and large numbers
"""

import re
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.errors import FormatError
from pipeline.formats.budget import MEMBERS, STEPS
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image, budget_of

BLOCK = 512  # bytes
MAGIC = b"ustar"
MAX_EXTENDED = 1 << 20  # bytes, of the names and attributes of one member
MAX_MEMBERS = 200_000

KINDS = {
    b"0": stat.S_IFREG,
    b"\0": stat.S_IFREG,
    b"7": stat.S_IFREG,  # contiguous: nothing tells it from the others any more
    b"1": stat.S_IFREG,  # another name of a file before it
    b"2": stat.S_IFLNK,
    b"3": stat.S_IFCHR,
    b"4": stat.S_IFBLK,
    b"5": stat.S_IFDIR,
    b"6": stat.S_IFIFO,
}
HARD_LINK = b"1"
LONG = {b"L": "path", b"K": "linkpath"}  # of GNU tar: the next member's
LOCAL, GLOBAL = b"x", b"g"

XATTR = "SCHILY.xattr."
"""What the names of extended attributes have in front in pax headers."""

HINT = "the archive is cut off or damaged: make it again"
RECORD = re.compile(rb"([0-9]{1,7}) ([^=\n]{1,4096})=")


@dataclass(frozen=True, slots=True)
class Archive:
    """The members in their order; hard links have the inode, owner, mode and data of their file.

    `xattrs` are the names of the extended attributes of those that have some, by member's name.
    """

    entries: tuple[Entry, ...]
    xattrs: Mapping[str, tuple[str, ...]]


def read(image: Image) -> Archive:
    """Return the members of an archive, named without `./` in front.

    Raises FormatError for what is no tar, and for one that is cut off or damaged.
    """
    budget = budget_of(image)
    entries: list[Entry] = []
    by_name: dict[str, Entry] = {}
    xattrs: dict[str, tuple[str, ...]] = {}
    said: dict[str, str] = {}
    usual: dict[str, str] = {}
    at = 0
    while True:
        budget.spend(STEPS)
        header = _header(image, at)
        if header is None:
            break
        kind, size = header[156:157], _number(header, 124, 12, at, "size")
        begin = at + BLOCK
        if kind in LONG or kind in (LOCAL, GLOBAL):
            data = _data(image, begin, size, at, MAX_EXTENDED)
            if kind in LONG:
                said[LONG[kind]] = bytes(data).rstrip(b"\0").decode(errors="surrogateescape")
            else:
                (said if kind == LOCAL else usual).update(_records(bytes(data), at))
        else:
            budget.spend(MEMBERS)
            if len(entries) == MAX_MEMBERS:
                raise budget.lacking_or(MEMBERS, f"tar: more than {MAX_MEMBERS} members", "pack fewer")
            told = usual | said
            said = {}
            size = _told_number(told, "size", size, at)
            entry = _entry(image, at, header, told, size, by_name)
            entries.append(entry)
            by_name[entry.name] = entry
            if found := tuple(key.removeprefix(XATTR) for key in told if key.startswith(XATTR)):
                xattrs[entry.name] = found
            size = 0 if kind == HARD_LINK or not stat.S_ISREG(entry.mode) else size
        at = begin + size + -size % BLOCK
    links = Counter(entry.inode for entry in entries)
    return Archive(tuple(replace(entry, nlink=links[entry.inode]) for entry in entries), xattrs)


def _header(image: Image, at: int) -> bytes | None:
    """Return the header at an offset, None where zeros end the archive. Raises FormatError for others."""
    header = bytes(image[at : at + BLOCK])
    if at and header == bytes(BLOCK):
        return None
    if len(header) < BLOCK:
        raise FormatError(f"tar: no end, at {len(image)} bytes" if at else "tar: no archive", HINT)
    said = _number(header, 148, 8, at, "checksum")
    if header[257:262] != MAGIC or said != sum(header) - sum(header[148:156]) + 8 * 0x20:
        raise FormatError(f"tar: no header of a member at offset {at}", HINT if at else "give a tar")
    return header


def _number(header: bytes, start: int, size: int, at: int, what: str) -> int:
    """Return a field: octal digits, or, as GNU has it, the bytes of a large number behind a set bit."""
    raw = header[start : start + size]
    if raw[0] & 0x80:
        return int.from_bytes(bytes([raw[0] & 0x7F]) + raw[1:])
    digits = raw.strip(b" \0")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise FormatError(
            f"tar: the {what} of the member at offset {at} is {digits!r}, no octal number", HINT
        )
    return int(digits or b"0", 8)


def _told_number(told: Mapping[str, str], key: str, value: int, at: int) -> int:
    """Return what a pax record says instead of a header's number."""
    text = told.get(key)
    if text is None:
        return value
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise FormatError(f"tar: the {key} of the member at offset {at} is {text!r}, no number", HINT)
    return int(text)


def _data(image: Image, begin: int, size: int, at: int, limit: int | None = None) -> Image:
    if limit is not None and size > limit:
        raise FormatError(
            f"tar: the header at offset {at} has {size} bytes of names, at most {limit} are read", HINT
        )
    if begin + size > len(image):
        raise FormatError(f"tar: the member at offset {at} is cut off: it has {size} bytes", HINT)
    return image[begin : begin + size]


def _records(data: bytes, at: int) -> dict[str, str]:
    """Return the records of a pax header: `LENGTH KEY=VALUE` and a line feed, each."""
    found: dict[str, str] = {}
    start = 0
    while start < len(data):
        match = RECORD.match(data, start)
        end = start + int(match[1]) if match else 0
        if match is None or end <= match.end() or data[end - 1 : end] != b"\n":
            raise FormatError(f"tar: a pax record of the header at offset {at} is damaged", HINT)
        value = data[match.end() : end - 1].decode(errors="surrogateescape")
        found[match[2].decode(errors="surrogateescape")] = value
        start = end
    return found


def _entry(
    image: Image,
    at: int,
    header: bytes,
    told: Mapping[str, str],
    size: int,
    by_name: Mapping[str, Entry],
) -> Entry:
    """Return the member of a header, with what extended headers say of it."""
    kind = KINDS.get(header[156:157])
    if kind is None:
        raise FormatError(f"tar: the member at offset {at} is of the unknown type {header[156:157]!r}", HINT)
    name = _name(told.get("path", _text(header, 0, 100, header)))
    target = told.get("linkpath", _text(header, 157, 100, None))
    if header[156:157] == HARD_LINK:
        file = by_name.get(_name(target))
        if file is None:
            raise FormatError(f"tar: {name!r} is a hard link to {target!r}, which is not before it", HINT)
        return replace(file, name=name, offset=at)
    data: Image = b""
    if stat.S_ISREG(kind):
        data = _data(image, at + BLOCK, size, at)
    elif stat.S_ISLNK(kind):
        data = target.encode(errors="surrogateescape")
    return Entry(
        offset=at,
        name=name,
        inode=at,
        mode=kind | _number(header, 100, 8, at, "mode") & 0o7777,
        uid=_told_number(told, "uid", _number(header, 108, 8, at, "owner"), at),
        gid=_told_number(told, "gid", _number(header, 116, 8, at, "group"), at),
        nlink=1,
        mtime=_number(header, 136, 12, at, "time"),
        device=(
            (_number(header, 329, 8, at, "device"), _number(header, 337, 8, at, "device"))
            if stat.S_ISCHR(kind) or stat.S_ISBLK(kind)
            else (0, 0)
        ),
        data=data,
        start=at + BLOCK,
    )


def _text(header: bytes, start: int, size: int, whole: bytes | None) -> str:
    """Return a name; of the member itself, with what ustar has in front of it."""
    text = header[start : start + size].split(b"\0")[0]
    if whole is not None and header[257:263] == MAGIC + b"\0":
        prefix = header[345:500].split(b"\0")[0]
        text = prefix + b"/" + text if prefix else text
    return text.decode(errors="surrogateescape")


def _name(text: str) -> str:
    """Return a name without `./` in front and `/` behind; one that is absolute or climbs, as it is."""
    while text.startswith("./"):
        text = text[2:].lstrip("/")
    return text.rstrip("/") if text != "." else ""
