"""Reads tar archives whose members may have holes: ustar, GNU's and pax headers.

What a tree in one is made of is `tar_tree`. They share no code with `tarfile`, which writes what they judge.

Specification: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar 1.35 manual,
"Basic Tar Format" and "Storing Sparse Files"
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS, Budget
from pipeline.formats.fields import Image, Virtual, budget_of, cut
from pipeline.formats.virtual_disk import Container, disk_of

BLOCK = 512
MAGIC_OFFSET = 257
MAX_MEMBERS = 10_000
MAX_EXTENDED = 1 << 20  # bytes of an extended header
MAX_PIECES = 1 << 20  # of a sparse member

REGULAR, SPARSE = (b"0", b"\0"), b"S"
LONG = {b"L": b"path", b"K": b"linkpath"}  # of GNU, by what pax calls it
PAX, PAX_GLOBAL = b"x", b"g"
SPARSE_AT, EXTENDED_AT, REAL_SIZE_AT = 386, 482, 483
RECORD = re.compile(rb"(\d{1,7}) ([^=\n]+)=", re.DOTALL)

AGAIN = "make the tar again, and copy it whole"


@dataclass(frozen=True, slots=True)
class Member:
    """A member; `image` is its contents with holes filled, None for what has none, as directories.

    `fields` are what pax headers say of it, `target` is what a link leads to.
    """

    name: str
    target: str
    offset: int  # of its header
    header: bytes
    fields: Mapping[bytes, bytes]
    image: Image | None

    @property
    def kind(self) -> bytes:
        """The type, a letter."""
        return self.header[156:157]

    @property
    def magic(self) -> bytes:
        """The magic, with the version behind it."""
        return self.header[257:265]

    def number(self, start: int, size: int, key: bytes = b"") -> int:
        """Return a number of the header, or what a pax header says instead. Raises FormatError for none."""
        if key in self.fields:
            return _decimal(self.fields, key, self.offset)
        return _number(self.header[start : start + size], self.offset)


class _Pieces(Virtual):
    """A file with holes: pieces of it (offset, size) lie one behind the other in the archive."""

    def __init__(self, data: Image, pieces: list[tuple[int, int]]) -> None:
        self.data, self.pieces = Container(data), pieces
        self.starts = [offset for offset, _ in pieces]
        self.lies: list[int] = []
        at = 0
        for _, size in pieces:
            self.lies.append(at)
            at += size

    def read_at(self, offset: int, size: int, budget: Budget) -> bytes:
        parts, end = [], offset + size
        index = max(bisect_right(self.starts, offset) - 1, 0)
        while index < len(self.pieces) and self.starts[index] < end:
            budget.spend(STEPS)
            start, stop = self.starts[index], sum(self.pieces[index])
            first, last = max(start, offset), min(stop, end)
            if first < last:
                parts.append(bytes(first - offset))
                where = self.lies[index] + first - start
                parts.append(self.data.read(where, last - first, budget, "tar: a piece of a sparse member"))
                offset = last
            index += 1
        return b"".join([*parts, bytes(end - offset)])


def is_tar(image: Image) -> bool:
    """Say whether the first header has the magic of POSIX or GNU tar."""
    return bytes(image[MAGIC_OFFSET : MAGIC_OFFSET + 5]) == b"ustar"


def first_name(image: Image) -> str:
    """Return the name in the first header, whatever follows it; "" for what is no tar."""
    return _text(bytes(image[:100])) if is_tar(image) else ""


def read_tar(image: Image, most: int = MAX_MEMBERS) -> Iterator[Member]:
    """Yield the members. Raises FormatError where a header is damaged, or a member is not whole.

    At most so many headers are read.
    """
    offset, fields, usual = 0, dict[bytes, bytes](), dict[bytes, bytes]()
    for _ in range(most):
        start = offset
        head = bytes(image[offset : offset + BLOCK])
        if len(head) < BLOCK:
            raise FormatError(f"tar: no end, at {len(image)} bytes" if offset else "tar: no archive", AGAIN)
        if not any(head):
            return
        budget_of(image).spend(STEPS)
        _check(head, offset)
        kind, size = head[156:157], _number(head[124:136], offset)
        offset += BLOCK
        if kind in (*LONG, PAX, PAX_GLOBAL):
            extended = _extended(image, offset, size)
            if kind in LONG:
                fields[LONG[kind]] = extended.partition(b"\0")[0]
            else:
                (fields if kind == PAX else usual).update(_records(extended, start))
        else:
            offset, member = _member(image, start, head, usual | fields)
            yield member
            fields, size = {}, 0
        offset += size + -size % BLOCK
    raise budget_of(image).lacking_or(
        STEPS, f"tar: more than {most} headers", "make a tar of the files that count alone"
    )


def _member(image: Image, start: int, head: bytes, fields: Mapping[bytes, bytes]) -> tuple[int, Member]:
    """Return where the next header is, and the member whose header, with all before it, was read."""
    kind, offset = head[156:157], start + BLOCK
    size = _decimal(fields, b"size", start) if b"size" in fields else _number(head[124:136], start)
    pieces, real = None, size
    if kind == SPARSE:
        pieces, offset = _old_sparse(image, head, offset)
        real = _number(head[REAL_SIZE_AT : REAL_SIZE_AT + 12], start)
    if kind not in (*REGULAR, SPARSE):
        size = size if kind == b"7" else 0
    data = cut(image, offset, size, "tar: a member")
    end = offset + size + -size % BLOCK
    if any(key.startswith(b"GNU.sparse.") for key in fields):
        pieces, data = _pax_sparse(fields, data, start)
        key = b"GNU.sparse.realsize" if b"GNU.sparse.realsize" in fields else b"GNU.sparse.size"
        real = _decimal(fields, key, start)
    name = _text(fields.get(b"GNU.sparse.name", fields.get(b"path", b""))) or _ustar_name(head)
    target = _text(fields.get(b"linkpath", head[157:257]))
    contents: Image | None = data if kind in (*REGULAR, SPARSE, b"7") else None
    if pieces is not None:
        contents = disk_of(_Pieces(data, _checked(pieces, real, len(data), start)), real, budget_of(image))
    return end, Member(name, target, start, head, fields, contents)


def _checked(pieces: list[tuple[int, int]], real: int, size: int, start: int) -> list[tuple[int, int]]:
    """Return pieces that lie behind one another in the file, and of which all bytes are there."""
    end = 0
    for offset, count in pieces:
        if offset < end or offset + count > real:
            raise FormatError(
                f"tar: the sparse member at offset {start:#x} has a piece of {count} bytes at {offset}, "
                f"before the last one's end or behind the file's, {real}",
                AGAIN,
            )
        end = offset + count
    if sum(count for _, count in pieces) > size:
        raise FormatError(
            f"tar: the sparse member at offset {start:#x} has {size} bytes, fewer than its pieces", AGAIN
        )
    return [piece for piece in pieces if piece[1]]


def _old_sparse(image: Image, head: bytes, offset: int) -> tuple[list[tuple[int, int]], int]:
    """Return the pieces of a member of GNU's old format, and where its data begins."""
    pieces = _entries(head[SPARSE_AT:EXTENDED_AT], offset)
    more = head[EXTENDED_AT]
    while more:
        budget_of(image).spend(STEPS)
        block = bytes(cut(image, offset, BLOCK, "tar: more of a sparse header"))
        pieces += _entries(block[:504], offset)
        more = block[504]
        offset += BLOCK
    return pieces, offset


def _entries(raw: bytes, offset: int) -> list[tuple[int, int]]:
    """Return the pieces that pairs of 12 bytes say; the first empty pair ends them."""
    found = []
    for at in range(0, len(raw), 24):
        if not any(raw[at : at + 24]):
            break
        found.append((_number(raw[at : at + 12], offset), _number(raw[at + 12 : at + 24], offset)))
    return found


def _pax_sparse(
    fields: Mapping[bytes, bytes], data: Image, start: int
) -> tuple[list[tuple[int, int]], Image]:
    """Return the pieces of a member of GNU's formats in pax, 0.1 or 1.0, and the data of these."""
    if b"GNU.sparse.map" in fields:
        numbers = fields[b"GNU.sparse.map"].split(b",")
    elif fields.get(b"GNU.sparse.major") == b"1":
        numbers, data = _map_in_front(data, start)
    else:
        raise FormatError(
            f"tar: the sparse member at offset {start:#x} is of no format that is read here",
            "make it with `tar --format=oldgnu --sparse`",
        )
    values = [_plain(number, start) for number in numbers]
    return list(zip(values[::2], values[1::2], strict=False)), data


def _map_in_front(data: Image, start: int) -> tuple[list[bytes], Image]:
    """Return the numbers of format 1.0, which lie in blocks before the data, and what follows them."""
    blocks: list[bytes] = []
    lines, wanted = 0, 1
    while lines < wanted:
        budget_of(data).spend(STEPS)
        blocks.append(bytes(cut(data, BLOCK * len(blocks), BLOCK, "tar: map of a sparse member")))
        if not lines and b"\n" in blocks[-1]:
            wanted = 1 + 2 * min(_plain(b"".join(blocks).partition(b"\n")[0], start), MAX_PIECES)
        lines += blocks[-1].count(b"\n")
    return b"".join(blocks).split(b"\n")[1:wanted], data[BLOCK * len(blocks) :]


def _check(head: bytes, offset: int) -> None:
    """Raise FormatError unless it is a header whose checksum is right."""
    if head[MAGIC_OFFSET : MAGIC_OFFSET + 5] != b"ustar":
        raise FormatError(f"tar: there is no header at offset {offset:#x}", AGAIN)
    total = sum(head) - sum(head[148:156]) + 8 * 0x20
    recorded = _number(head[148:156], offset)
    if total != recorded:
        raise FormatError(
            f"tar: the header at offset {offset:#x} has the checksum {recorded:o}, its bytes give {total:o}",
            AGAIN,
        )


def _extended(image: Image, offset: int, size: int) -> bytes:
    if size > MAX_EXTENDED:
        raise FormatError(f"tar: an extended header of {size} bytes; {MAX_EXTENDED} are read", AGAIN)
    return bytes(cut(image, offset, size, "tar: extended header"))


def _records(raw: bytes, start: int) -> dict[bytes, bytes]:
    """Return the records of a pax header: each is its length, a keyword and a value."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(raw):
        match = RECORD.match(raw, at)
        end = at + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(raw) or raw[end - 1 : end] != b"\n":
            raise FormatError(f"tar: the pax header at offset {start:#x} is damaged", AGAIN)
        found[match[2]] = raw[match.end() : end - 1]
        at = end
    return found


def _decimal(fields: Mapping[bytes, bytes], key: bytes, start: int) -> int:
    return _plain(fields.get(key, b""), start)


def _plain(digits: bytes, start: int) -> int:
    if not re.fullmatch(rb"\d{1,19}", digits):
        raise FormatError(
            f"tar: the pax header at offset {start:#x} has no number where one has to be", AGAIN
        )
    return int(digits)


def _number(raw: bytes, offset: int) -> int:
    """Return a number in octal digits, or as GNU has large ones: in binary, if its first bit is set."""
    if raw[0] & 0x80:
        return int.from_bytes(raw, "big") & ((1 << (8 * len(raw) - 1)) - 1)
    digits = raw.strip(b"\0 ")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise FormatError(f"tar: the header at offset {offset:#x} has no number where one has to be", AGAIN)
    return int(digits or b"0", 8)


def _ustar_name(head: bytes) -> str:
    """Return the name; only POSIX has a prefix there, GNU has other fields."""
    prefix = _text(head[345:500]) if head[257:263] == b"ustar\0" else ""
    return f"{prefix}/{_text(head[:100])}" if prefix else _text(head[:100])


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="surrogateescape")
