from collections.abc import Iterator
from itertools import count

import pytest

from pipeline.checks.finding import MAX_FAULTS, Fault, Finding, PolicyName, Rules, Severity, judge
from pipeline.checks.kind import Catalog, Inspection, Kind, Member, Node, examine
from pipeline.errors import FormatError
from pipeline.formats.budget import CALLS_A_LOOK, DEPTH, ENDLESS, MEMBERS, STEPS, TIME, Budget, Spent
from pipeline.formats.fields import Image


def read(image: Image) -> bytes:
    if not image:
        raise FormatError("it is empty", "fill it")
    return bytes(image)


rule, inner, endless = Rules[bytes](), Rules[bytes](), Rules[bytes]()
together = Rules[Node]()


@rule("OUT001", "it is short", spec="none", fix="shorten it", severity=Severity.WARNING)
def is_short(text: bytes) -> Iterator[Fault]:
    if len(text) > 3:
        yield f"it has {len(text)} bytes"


@rule("OUT002", "it has no x", also="OTH002", spec="none", fix="write ks")
@inner("INN001", "it has no x", spec="none", fix="write ks")
def has_no_x(text: bytes) -> Iterator[Fault]:
    if b"y" in text:
        yield "it has a y", "write an i"
    if b"x" in text:
        raise FormatError("it has an x", "write ks")


@rule("OUT003", "it is small", spec="none", fix="write small", policy="medium")
def is_small(text: bytes) -> Iterator[Fault]:
    if text.isupper():
        yield "it is large"


@rule("OUT005", "it has no z", spec="none", fix="write an s", lenient=True)
def has_no_z(text: bytes) -> Iterator[Fault]:
    if b"z" in text.lower():
        yield "it has a z"


@endless("END001", "it ends", spec="none", fix="end it")
def goes_on(_text: bytes) -> Iterator[Fault]:
    return ("it goes on" for _ in count())


def members(text: bytes) -> Iterator[Member]:
    yield Member("tail", text[1:], 1, "inner")
    if b"!" in text:
        raise FormatError("it has a !", "be quiet")


@together("OUT004", "its tail is no t", spec="none", fix="use another letter")
def has_a_tail(node: Node) -> Iterator[Fault]:
    tail = node.child("tail")
    if tail and tail.artifact == b"t":
        yield "its tail is a t"


INNER = Kind("inner", "inner", "INN000", read, tuple(inner.table))
OUTER = Kind("outer", "outer", "OUT000", read, rule.of("OUT"), members, tuple(together.table))
CATALOG = Catalog({"inner": INNER, "outer": OUTER}, lambda image: "inner" if bytes(image) == b"in" else "")


def looked(
    image: bytes,
    kind: str | None,
    catalog: Catalog = CATALOG,
    budget: Budget = ENDLESS,
    policies: tuple[PolicyName, ...] = ("medium", "strict"),
) -> Node:
    return examine(Member("it", image, 0, kind), Inspection(catalog, policies, budget))


def found(image: bytes, *policies: PolicyName) -> list[Finding]:
    return looked(image, "outer", policies=policies).all_findings()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (b"ab", []),
        (b"", [Finding("OUT000", Severity.ERROR, "it is empty", "fill it")]),
        (b"abcd", [Finding("OUT001", Severity.WARNING, "it has 4 bytes", "shorten it")]),
        (
            b"xy-",
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
    assert found(image, "medium", "strict") == expected


def test_house_rules_are_for_what_is_built_here() -> None:
    assert found(b"AB") == []


def test_members_that_damage_hides_are_left_out() -> None:
    node = looked(b"a!", "outer")
    assert ([child.name for child in node.children], node.left_out) == (["tail"], True)


def test_content_says_what_a_member_is() -> None:
    node = looked(b"in", None)
    assert (node.kind, node.artifact) == (INNER, b"in")
    assert looked(b"out", None).kind is None


def test_of_countless_faults_the_first_are_told() -> None:
    findings = judge(endless.table, b"")
    assert len(findings) == MAX_FAULTS + 1
    assert findings[0].message == "it goes on"
    assert findings[-1] == Finding(
        "END001", Severity.ERROR, "there are more: these are the first 1000", "fix these first"
    )


def inside(times: int, more: bytes = b"") -> Catalog:
    """A catalog of one kind, which has itself inside so many times, each with more bytes."""
    kind = Kind(
        "deep",
        "deep",
        "DEP000",
        read,
        tuple(inner.table),
        lambda image: [Member(f"part {number}", image + more, 0, "deep") for number in range(times)],
    )
    return Catalog({"deep": kind}, lambda _: "")


def test_depth_is_limited() -> None:
    budget = Budget({MEMBERS: 100}, 60)
    nodes = [below for _, below in looked(b"y", "deep", inside(1, b"y"), budget).walk()]
    assert (len(nodes), nodes[-1].left_out, budget.spent) == (13, True, [DEPTH])


def test_the_same_bytes_are_taken_apart_once() -> None:
    """What lies inside itself has no end; what lies in two places is judged in the first of them."""
    node = looked(b"y", "deep", inside(10))
    assert [(below.name, below.same_as) for _, below in node.walk()] == [
        ("it", None),
        *((f"part {number}", ()) for number in range(10)),
    ]
    assert len(node.all_findings()) == 1
    outer = Kind(
        "outer", "outer", "OUT000", read, (), lambda _: [Member(name, b"xt", 0, "inner") for name in "ab"]
    )
    first, second = looked(b"?", "outer", Catalog({"outer": outer, "inner": INNER}, lambda _: "")).children
    assert (second.same_as, second.artifact) == (("a",), b"xt")
    assert (len(first.findings), second.findings) == (1, ())


def test_a_spent_budget_leaves_out_what_comes_then() -> None:
    budget = Budget({MEMBERS: 3}, 60)
    node = looked(b"y", "deep", inside(10, b"y"), budget)
    assert [path for path, _ in node.walk()] == [(), ("part 0",), ("part 0", "part 0")]
    assert [below.left_out for _, below in node.walk()] == [True, True, True]
    assert budget.spent == [MEMBERS]


def test_a_spent_budget_ends_what_a_rule_finds() -> None:
    budget = Budget({STEPS: 10}, 60)  # of which one rule may have half
    assert len(judge(endless.table, b"", budget=budget)) == 5
    assert budget.spent == [STEPS]


def test_a_refilled_budget_knows_that_it_was_spent() -> None:
    budget = Budget({STEPS: 1}, 60)
    budget.lacking(STEPS)
    budget.refill()
    budget.spend(STEPS)
    assert budget.spent == [STEPS]


def test_time_is_spent_too() -> None:
    budget = Budget({STEPS: 100}, -1)
    with pytest.raises(Spent):
        list(map(budget.spend, CALLS_A_LOOK * [STEPS]))
    assert budget.spent == [TIME]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("it says 'a\x1b[2Jb'", "it says 'a\\x1b[2Jb'"),
        (
            f"the line {'x' * 5000!r} does not set an option",
            f"the line '{'x' * 203}…{'x' * 82}' does not set an option",
        ),
        (chr(27) * 5000 + " ends", "\\x1b" * 53 + "\\…b" + "\\x1b" * 25 + " ends"),
    ],
)
def test_what_strangers_say_is_cleaned_and_cut(message: str, said: str) -> None:
    """In one place, whatever rule quotes it."""
    talks = Rules[bytes]()
    talks("SAY001", "it says little", spec="none", fix="end it")(lambda _: [(message, message)])
    (finding,) = judge(talks.table, b"")
    assert (finding.message, finding.hint) == (said, said)
