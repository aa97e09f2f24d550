"""Owns how an artifact is taken apart: what kind it is, what lies inside it, what is wrong with each part.

Must not know any kind of artifact; they are handed in as a `Catalog`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Generic

from pipeline.checks.finding import Artifact, Finding, Rule, Severity, judge
from pipeline.errors import FormatError
from pipeline.formats.fields import Image

MAX_DEPTH = 12
MAX_PACKED = 64  # members of one artifact that are unpacked: each may take room on a disk
MAX_MEMBERS = 200_000  # of one artifact; what comes after is left out, and said to be


@dataclass(frozen=True, slots=True)
class Member:
    """Something inside an artifact, under the name that people take it out by.

    `offset` is where it lies, in bytes from the artifact's start, or None where it is packed or in pieces.
    `kind` names what it has to be, "" what nobody looks into; None leaves it to its content. `read` reads it
    where the artifact around has a say in that. `facts` is what the artifact says of it: mode, target.
    """

    name: str
    image: Image
    offset: int | None = None
    kind: str | None = None
    read: Callable[[Image], Any] | None = None
    facts: Mapping[str, str | int] = field(default_factory=dict)


UNPACKED = ("packed", "initramfs")


def nothing_inside(_artifact: object) -> Iterable[Member]:
    """Return the members of what has none."""
    return ()


@dataclass(frozen=True, slots=True)
class Kind(Generic[Artifact]):
    """A kind of artifact: what it is called, how it is read, and what must hold of it.

    `name` stands in JSON and stays; `unreadable` is the code for one that cannot be read, "" where any can.
    `rules` look at the artifact alone, `together` at the node, when its members have been taken apart too.
    """

    name: str
    title: str
    unreadable: str
    read: Callable[[Image], Artifact]
    rules: tuple[Rule[Artifact], ...]
    members: Callable[[Artifact], Iterable[Member]] = nothing_inside
    together: tuple[Rule["Node"], ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A member that has been taken apart; `artifact` is None for what is of no known kind, or damaged."""

    member: Member
    kind: Kind[Any] | None
    artifact: Any
    findings: tuple[Finding, ...] = ()
    children: tuple["Node", ...] = ()
    left_out: bool = False  # whether it has more members than these

    @property
    def name(self) -> str:
        """The member's name."""
        return self.member.name

    def child(self, name: str) -> "Node | None":
        """Return the first child of that name."""
        return next((child for child in self.children if child.name == name), None)

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], "Node"]]:
        """Yield this node and all below it, with their names from here on."""
        yield path, self
        for child in self.children:
            yield from child.walk((*path, child.name))

    def all_findings(self) -> list[Finding]:
        """Return what is wrong with it and with all below it; messages say where, from here on."""
        return [
            replace(finding, message=": ".join([*path, finding.message]))
            for path, node in self.walk()
            for finding in node.findings
        ]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All kinds by name, and how content is recognised: "" for what is of none."""

    kinds: Mapping[str, Kind[Any]]
    recognise: Callable[[Image], str]


def examine(member: Member, catalog: Catalog, *, house: bool, depth: int = 0) -> Node:
    """Take a member apart and judge it; `house` rules are for what is built here."""
    name = catalog.recognise(member.image) if member.kind is None else member.kind
    kind = catalog.kinds.get(name)
    if kind is None:
        return Node(member, None, None)
    try:
        artifact = (member.read or kind.read)(member.image)
    except FormatError as error:
        finding = Finding(kind.unreadable, Severity.ERROR, error.message, error.hint)
        return Node(member, kind, None, (finding,))
    children, left_out = _children(kind, artifact, catalog, house, depth)
    alone = judge(kind.rules, artifact, house=house)
    node = Node(member, kind, artifact, tuple(alone), children, left_out)
    return replace(node, findings=(*alone, *judge(kind.together, node, house=house)))


def _children(
    kind: Kind[Artifact], artifact: Artifact, catalog: Catalog, house: bool, depth: int
) -> tuple[tuple[Node, ...], bool]:
    """Return an artifact's members, taken apart, and whether some were left out.

    Where a member cannot be found for damage, the rules of the artifact say why.
    """
    nodes: list[Node] = []
    packed = 0
    members = iter(kind.members(artifact))
    try:
        for member in islice(members, MAX_MEMBERS if depth < MAX_DEPTH else 0):
            found = catalog.recognise(member.image) if member.kind is None else member.kind
            packed += found in UNPACKED
            known = found if packed <= MAX_PACKED or found not in UNPACKED else ""
            nodes.append(examine(replace(member, kind=known), catalog, house=house, depth=depth + 1))
        left_out = next(members, None) is not None
    except FormatError:
        left_out = True
    return tuple(nodes), left_out
