from collections.abc import Iterator

import pytest

from pipeline.checks.finding import Fault, Finding, Kind, Part, Rule, Severity
from pipeline.errors import FormatError
from pipeline.formats.fields import Image


def read(image: Image) -> bytes:
    if not image:
        raise FormatError("it is empty", "fill it")
    return bytes(image)


def is_short(text: bytes) -> Iterator[Fault]:
    if len(text) > 3:
        yield f"it has {len(text)} bytes", "shorten it"


def has_no_x(text: bytes) -> Iterator[Fault]:
    if b"y" in text:
        yield "it has a y", "write an i"
    if b"x" in text:
        raise FormatError("it has an x", "write ks")


INNER = Kind("INN000", read, (Rule("INN001", "it has no x", has_no_x),))
OUTER = Kind(
    "OUT000",
    read,
    (
        Rule("OUT001", "it is short", is_short, Severity.WARNING),
        Rule("OUT002", "it has no x", has_no_x),
    ),
    (Part("tail", lambda text: INNER.findings(text[1:])),),
)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (b"ab", []),
        (b"", [Finding("OUT000", Severity.ERROR, "it is empty", "fill it")]),
        (b"abcd", [Finding("OUT001", Severity.WARNING, "it has 4 bytes", "shorten it")]),
        (
            b"xyz",
            [
                Finding("OUT002", Severity.ERROR, "it has a y", "write an i"),
                Finding("OUT002", Severity.ERROR, "it has an x", "write ks"),
                Finding("INN001", Severity.ERROR, "tail: it has a y", "write an i"),
            ],
        ),
        (b"a", [Finding("INN000", Severity.ERROR, "tail: it is empty", "fill it")]),
    ],
)
def test_findings_come_in_the_order_of_the_tables(image: bytes, expected: list[Finding]) -> None:
    assert OUTER.findings(image) == expected
