"""The layout of ISO 9660 directories: records, and in them the fields of Rock Ridge.

Specifications: ECMA-119 §9.1 "Format of a Directory Record", IEEE P1281 (SUSP), IEEE P1282 (Rock Ridge)
"""

from collections.abc import Iterator
from dataclasses import replace

from pipeline.compare import values
from pipeline.compare.span import Span, fields, size_of, table
from pipeline.formats.fields import Image

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
