"""The layout of ISO 9660 directories: records, and in them the fields of Rock Ridge.

Specifications: ECMA-119 §9.1 "Format of a Directory Record", IEEE P1281 (SUSP), IEEE P1282 (Rock Ridge)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pipeline.compare import values
from pipeline.compare.span import Span, fields, size_of, table
from pipeline.errors import FormatError
from pipeline.formats.fields import Image
from pipeline.formats.rock_ridge import read_attributes

SECTOR_SIZE = 2048  # bytes
IS_DIRECTORY = 0x02


RECORD = table("""
    length 1; extended attribute length 1; *location 4 both; *data length 4 both
    recording date and time 7 record_time; flags 1 hex; file unit size 1; interleave gap size 1
    volume sequence number 2 both; identifier length 1
""")
RECORD_SIZE = size_of(RECORD)
ENTRY = table("signature 2 text; length 1; version 1")
ENTRIES = {
    "PX": table("mode 4 both; links 4 both; user 4 both; group 4 both; serial number 4 both"),
    "CE": table("block 4 both; offset 4 both; length 4 both"),
    "TF": table("flags 1 hex;" + "".join(f"time {number} 7 record_time;" for number in range(1, 8))),
    "NM": table("flags 1 hex"),
}
Continue = Callable[[int, int, int], bytes]


@dataclass(frozen=True, slots=True)
class Record:
    """A directory record: its place in the directory's bytes, and what it points to (in blocks, bytes)."""

    start: int
    size: int
    name: str
    block: int
    length: int
    is_directory: bool


def records(data: bytes, read: Continue, skip: int, *, joliet: bool) -> Iterator[Record]:
    """Yield the records of a directory, `.` and `..` too; FormatError where one is damaged.

    `read` gives Rock Ridge's continuation areas, `skip` is what lies in front of its fields.
    """
    at = 0
    while at + RECORD_SIZE <= len(data):
        length, name_size = data[at], data[at + RECORD_SIZE - 1]
        if not length:
            at += SECTOR_SIZE - at % SECTOR_SIZE
            continue
        end = RECORD_SIZE + name_size
        if length < end:
            raise FormatError(f"ISO 9660: no directory record at offset {at:#x}", "make the ISO again")
        head = data[at : at + length]
        identifier = head[RECORD_SIZE:end]
        name = {b"\0": ".", b"\1": ".."}.get(identifier) or _rock_ridge(
            head[end + (name_size + 1) % 2 :], read, skip
        )
        yield Record(
            start=at,
            size=length,
            name=name or _plain(identifier, joliet),
            block=int.from_bytes(head[2:6], "little") + head[1],
            length=int.from_bytes(head[10:14], "little"),
            is_directory=bool(head[25] & IS_DIRECTORY),
        )
        at += length


def _rock_ridge(area: bytes, read: Continue, skip: int) -> str:
    try:
        return read_attributes(area[skip:], read).name
    except FormatError:
        return ""


def _plain(identifier: bytes, joliet: bool) -> str:
    text = identifier.decode("utf-16-be" if joliet else "ascii", errors="replace")
    return text.partition(";")[0].removesuffix("" if joliet else ".")


def record_spans(image: Image) -> Iterator[Span]:
    """Yield the fields of one record, and those in its system use area."""
    yield from fields(RECORD)
    size = bytes(image[RECORD_SIZE - 1 : RECORD_SIZE])[0]
    yield Span(RECORD_SIZE, size, "field identifier", show=values.text)
    start = RECORD_SIZE + size
    yield Span(start, (size + 1) % 2, "padding after the identifier", show=values.raw)
    start += (size + 1) % 2
    for span in system_use(image[start:]):
        yield replace(span, start=start + span.start)


def system_use(image: Image) -> Iterator[Span]:
    """Yield the fields of Rock Ridge in an area; what has a table of its own with that."""
    data = bytes(image)
    at = 0
    while at + 4 <= len(data) and data[at + 2] >= 4:
        signature, size = data[at : at + 2].decode("ascii", errors="replace"), data[at + 2]
        table, used = (*ENTRY, *ENTRIES.get(signature, ())), 0
        for span in fields(table, at):
            if used + span.size <= size:
                used += span.size
                yield replace(span, name=f"Rock Ridge {signature}, {span.name}")
        yield Span(at + used, size - used, f"Rock Ridge {signature}", show=values.text)
        at += size
