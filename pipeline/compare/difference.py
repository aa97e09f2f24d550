"""The comparison of two artifacts: where they first differ, in the words of their formats.

It knows no format: what an image is made of comes from layouts, and `contents` finds the layout.
"""

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from pipeline.compare.contents import spans_of
from pipeline.compare.span import Layout, Span
from pipeline.errors import FormatError
from pipeline.formats.fields import CHUNK, Image

MAX_DEPTH = 64  # spans in spans
MAX_SHOWN = 4096  # bytes of a field
MAX_SPANS = 1_000_000  # of one layout; no artifact has that many, a damaged one must not keep us


@dataclass(frozen=True, slots=True)
class Difference:
    """How two files differ; offset and count are bytes of the files themselves.

    `where` names the first structure that differs and does not just follow from others that do: a size,
    an offset or a checksum is named when nothing else is to be found. `offset` is always the first byte.
    """

    where: str  # such as `PE section .initrd, zstd frame, cpio member 'etc/inittab', field mtime: 1 and 2`
    offset: int
    count: int  # bytes that differ, and those that only the longer file has

    def text(self) -> str:
        """Return it all as one sentence."""
        many = "1 byte differs" if self.count == 1 else f"{self.count} bytes differ"
        return f"{self.where} (offset {self.offset:#x}, {many})"


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said of a place, and whether it only follows from another one."""

    text: str
    derived: bool = False

    def after(self, span: Span) -> "_Words":
        """Return it as inside a span."""
        return _Words(f"{span.name}, {self.text}", self.derived or span.derived)


def first_difference(a: Image, b: Image) -> Difference | None:
    """Return the first structure in which two files differ, None when they are equal.

    What cannot be parsed is named by what it lies in: only reading a file can fail, never its bytes.
    """
    offset = first_offset(a, b)
    if offset is None:
        return None
    return Difference(_inside(a, b, offset, None, 0).text, offset, differing(a, b, offset))


def _inside(a: Image, b: Image, at: int, layout: Layout | None, depth: int) -> _Words:
    """Return the words for the first difference of two images, which is at `at`."""
    if depth > MAX_DEPTH:
        return _byte(a, b, at)
    parts = layout or spans_of
    one, other = _holding(a, parts, at), _holding(b, parts, at)
    only = _only(a, b, parts, one, other, at)
    if only:
        return _Words(only)
    found = one or other
    if found is None:
        return _between(a, b, parts, at)
    if one and other and one.name != other.name:
        one = replace(one, name=f"{one.name} ({other.name} in the second)")
    if one is None or other is None:  # one is damaged: take the other's layout, but not its wholes, for both
        one = other = replace(found, whole=None)
    words = _pair(a, b, one, other, depth)
    return (_cause(a, b, parts, found, depth) or words) if words.derived else words


def _cause(a: Image, b: Image, layout: Layout, tried: Span, depth: int) -> _Words | None:
    """Return the words for the first span after `tried` that differs and does not follow from others."""
    theirs: dict[str, deque[Span]] = {}
    for span in _spans(b, layout):
        theirs.setdefault(span.name, deque()).append(span)
    before: list[Span] = []
    for one in _spans(a, layout):
        other = theirs[one.name].popleft() if theirs.get(one.name) else None
        if other and not one.derived and (one.name, one.start) != (tried.name, tried.start):
            words = _pair(a, b, one, other, depth) if _differs(a, b, one, other, before) else None
            if words and not words.derived:
                return words
        before.append(one)
    return None


def _differs(a: Image, b: Image, one: Span, other: Span, before: list[Span]) -> bool:
    """Say whether a span's own bytes differ: at its place too, and not in spans that count before it."""
    place = replace(one, size=max(one.size, other.size))
    at = first_offset(_part(a, place), _part(b, place))
    if at is None or first_offset(_part(a, one), _part(b, other)) is None:
        return False
    at += one.start
    return not any(span.start <= at < span.start + span.size for span in before)


def _part(image: Image, span: Span) -> Image:
    return image[span.start : span.start + span.size]


def _pair(a: Image, b: Image, one: Span, other: Span, depth: int) -> _Words:
    """Return the words for the first difference inside a span that both have, under one name."""
    name = one.name
    if one.whole and other.whole:
        wholes: tuple[Image, Image] | None = None
        with suppress(FormatError):
            wholes = one.whole.read(), other.whole.read()
        if wholes:
            at = first_offset(*wholes)
            if at is not None:
                return _inside(*wholes, at, one.whole.layout, depth + 1).after(one)
            name += one.whole.when_equal
    part_a, part_b = _part(a, one), _part(b, other)
    at = first_offset(part_a, part_b)
    if at is None:
        return _Words(name)
    if one.show:
        shown = _shown(part_a, one), _shown(part_b, other)
        if shown[0] != shown[1]:
            return _Words(f"{name}: {shown[0]} and {shown[1]}", one.derived)
        return _byte(part_a, part_b, at).after(one)
    return _inside(part_a, part_b, at, one.layout, depth + 1).after(replace(one, name=name))


def _shown(part: Image, span: Span) -> str:
    if len(part) < span.size or not span.show:
        return f"cut off after {len(part)} bytes"
    return span.show(bytes(part)) if len(part) <= MAX_SHOWN else f"{len(part)} bytes"


def _holding(image: Image, layout: Layout, at: int) -> Span | None:
    """Return the span in which an offset lies."""
    return next((span for span in _spans(image, layout) if span.start <= at < span.start + span.size), None)


def _spans(image: Image, layout: Layout) -> Iterable[Span]:
    """Yield an image's spans, as far as it can be parsed."""
    with suppress(FormatError):
        yield from islice(layout(image), MAX_SPANS)


def _only(a: Image, b: Image, layout: Layout, one: Span | None, other: Span | None, at: int) -> str:
    """Say which of two spans at one place has no counterpart; nothing where they have, or were renamed."""
    if one and other:
        if one.name == other.name:
            return ""
        in_b = any(span.name == one.name for span in _spans(b, layout))
        in_a = any(span.name == other.name for span in _spans(a, layout))
        if in_a and in_b:
            return f"{one.name}, where the second has {other.name}"
        if in_a:
            return f"{one.name} is in the first only"
        return f"{other.name} is in the second only" if in_b else ""
    for span, shorter, which in ((one, b, "first"), (other, a, "second")):
        if span and at >= len(shorter):
            rest = f"{at - span.start} bytes of it are in both"
            return f"{span.name} is in the {which} only" + (f", {rest}" if at > span.start else "")
    return ""


def _between(a: Image, b: Image, layout: Layout, at: int) -> _Words:
    """Return the words for an offset that no span holds."""
    before = max(
        (span for span in _spans(a, layout) if span.start + span.size <= at),
        key=lambda span: span.start + span.size,
        default=None,
    )
    words = _byte(a, b, at)
    return _Words(f"after {before.name}, {words.text}") if before else words


def _byte(a: Image, b: Image, at: int) -> _Words:
    if at >= min(len(a), len(b)):
        return _Words(f"{len(a)} and {len(b)} bytes long")
    return _Words(f"byte {at:#x}: {bytes(a[at : at + 1]).hex()} and {bytes(b[at : at + 1]).hex()}")


def first_offset(a: Image, b: Image) -> int | None:
    """Return the offset of the first byte that is not the same, or that only one has; None: all are equal."""
    common = min(len(a), len(b))
    for start in range(0, common, CHUNK):
        end = min(start + CHUNK, common)
        one, other = bytes(a[start:end]), bytes(b[start:end])
        if one != other:
            return end - (_unlike(one, other).bit_length() + 7) // 8
    return None if len(a) == len(b) else common


def differing(a: Image, b: Image, start: int = 0) -> int:
    """Return how many bytes differ from `start` on, and by how many one is longer."""
    common = min(len(a), len(b))
    found = abs(len(a) - len(b))
    for begin in range(start, common, CHUNK):
        end = min(begin + CHUNK, common)
        one, other = bytes(a[begin:end]), bytes(b[begin:end])
        if one != other:
            found += end - begin - _unlike(one, other).to_bytes(end - begin, "big").count(0)
    return found


def _unlike(one: bytes, other: bytes) -> int:
    return int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
