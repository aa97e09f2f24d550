"""The vocabulary of layouts: named spans of an image, and tables of fields that follow each other."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pipeline.compare import values
from pipeline.formats.fields import Image

Show = Callable[[bytes], str]
Layout = Callable[[Image], Iterable["Span"]]
"""Yields what an image is made of; where spans overlap, the first one yielded is the one that counts.

It may raise FormatError at any time: the spans before that still hold.
"""


@dataclass(frozen=True, slots=True)
class Whole:
    """What a span is a part or a packed form of, such as a file in several clusters.

    `read` may raise FormatError. `layout` is that of what it returns, None for: as its bytes say.
    `when_equal` is added to the span's name where both wholes are equal, yet the spans are not.
    """

    read: Callable[[], Image]
    layout: Layout | None = None
    when_equal: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A named piece of an image; `start` and `size` are bytes, from the start of the image.

    `show` makes it a leaf, whose values are told. Else `layout` says what is inside; without one its
    bytes are recognised. It is `derived` when it says where or how large other things are, or is made from
    their bytes: what it depends on is the better answer, if that differs too.
    """

    start: int
    size: int
    name: str
    layout: Layout | None = None
    show: Show | None = None
    whole: Whole | None = None
    derived: bool = False


Table = tuple[Span, ...]
"""Fields of fixed sizes that follow each other; where they start is for `fields` to say."""


def table(rows: str) -> Table:
    """Return the fields of a table: `name size show`, with `;` or a line feed between them.

    `show` is a function of `values`: `hex` for little_hex, nothing for little, `both` for a number that is
    stored in both byte orders. A `*` marks what is derived.
    """
    found = []
    for row in filter(None, map(str.strip, re.split("[;\n]", rows))):
        name, size, show = (f"{row} little" if row.rsplit()[-1].isdigit() else row).rsplit(maxsplit=2)
        for way in ("little", "big") if show == "both" else (show,):
            order = f" ({way}-endian)" if show == "both" else ""
            shown = values.little_hex if way == "hex" else getattr(values, way)
            field = f"field {name.removeprefix('*')}{order}"
            found.append(Span(0, int(size), field, show=shown, derived=name.startswith("*")))
    return tuple(found)


def fields(table: Table, start: int = 0) -> Iterator[Span]:
    """Yield the spans of fields that follow each other from `start` on."""
    for field in table:
        yield replace(field, start=start)
        start += field.size


def record(table: Table) -> Layout:
    """Return the layout of a record that is made of these fields."""
    return lambda _: fields(table)


def size_of(table: Table) -> int:
    """Return how many bytes the fields take."""
    return sum(field.size for field in table)


def opaque(_: Image) -> Iterator[Span]:
    """Yield nothing: code and packed bytes mean nothing by themselves."""
    return iter(())
