from collections.abc import Iterator
from itertools import count

import pytest

from pipeline.checks.finding import MAX_FAULTS, Fault, Finding, Rule, Severity, judge
from pipeline.checks.kind import Catalog, Kind, Member, Node, examine
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


def goes_on(_text: bytes) -> Iterator[Fault]:
    return (("it goes on", "end it") for _ in count())


def is_small(text: bytes) -> Iterator[Fault]:
    if text.isupper():
        yield "it is large", "write small"


def members(text: bytes) -> Iterator[Member]:
    yield Member("tail", text[1:], 1, "inner")
    if b"!" in text:
        raise FormatError("it has a !", "be quiet")


def has_a_tail(node: Node) -> Iterator[Fault]:
    tail = node.child("tail")
    if tail and tail.artifact == b"t":
        yield "its tail is a t", "use another letter"


INNER = Kind("inner", "inner", "INN000", read, (Rule("INN001", "it has no x", has_no_x),))
OUTER = Kind(
    "outer",
    "outer",
    "OUT000",
    read,
    (
        Rule("OUT001", "it is short", is_short, Severity.WARNING),
        Rule("OUT002", "it has no x", has_no_x),
        Rule("OUT003", "it is small", is_small, house=True),
    ),
    members,
    (Rule("OUT004", "its tail is no t", has_a_tail),),
)
CATALOG = Catalog({"inner": INNER, "outer": OUTER}, lambda image: "inner" if bytes(image) == b"in" else "")


def found(image: bytes, *, house: bool = True) -> list[Finding]:
    return examine(Member("it", image, 0, "outer"), CATALOG, house=house).all_findings()


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
        (b"at", [Finding("OUT004", Severity.ERROR, "its tail is a t", "use another letter")]),
        (b"AB", [Finding("OUT003", Severity.ERROR, "it is large", "write small")]),
    ],
)
def test_findings_come_in_the_order_of_the_tables(image: bytes, expected: list[Finding]) -> None:
    assert found(image) == expected


def test_house_rules_are_for_what_is_built_here() -> None:
    assert found(b"AB", house=False) == []


def test_members_that_damage_hides_are_left_out() -> None:
    node = examine(Member("it", b"a!", 0, "outer"), CATALOG, house=True)
    assert ([child.name for child in node.children], node.left_out) == (["tail"], True)


def test_content_says_what_a_member_is() -> None:
    node = examine(Member("it", b"in"), CATALOG, house=True)
    assert (node.kind, node.artifact) == (INNER, b"in")
    assert examine(Member("it", b"out"), CATALOG, house=True).kind is None


def test_of_countless_faults_the_first_are_told() -> None:
    findings = judge([Rule("END001", "it ends", goes_on)], b"", house=True)
    assert len(findings) == MAX_FAULTS + 1
    assert findings[0].message == "it goes on"
    assert findings[-1] == Finding(
        "END001", Severity.ERROR, "there are more: these are the first 1000", "mend these first"
    )


def test_depth_is_limited() -> None:
    deep = Kind("deep", "deep", "DEP000", read, (), lambda image: [Member("more", image, 0, "deep")])
    node = examine(Member("it", b"x", 0, "deep"), Catalog({"deep": deep}, lambda _: ""), house=True)
    nodes = [below for _, below in node.walk()]
    assert (len(nodes), nodes[-1].left_out) == (13, True)
