"""How an artifact is taken apart: what kind it is, what lies inside it, what is wrong with each part.

It knows no kind of artifact: they are handed in as a `Catalog`.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic

from pipeline.checks.finding import Artifact, Finding, PolicyName, Rule, Severity, judge
from pipeline.checks.quoting import shown
from pipeline.errors import FormatError
from pipeline.formats.budget import DEPTH, MAX_DEPTH, MEMBERS, Budget, Spent
from pipeline.formats.fields import Extents, Image, budget_of, chunks


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


@dataclass(frozen=True, slots=True)
class Kind(Generic[Artifact]):
    """A kind of artifact: what it is called, how it is read, and what must hold of it.

    `name` stands in JSON and stays; `unreadable` is the code for one that cannot be read, "" where any can.
    `rules` look at the artifact alone, `together` at the node, when its members have been taken apart too;
    `as_a_whole` at a stranger's where it is all of the file, and nothing around it says what it is for.
    """

    name: str
    title: str
    unreadable: str
    read: Callable[[Image], Artifact]
    rules: tuple[Rule[Artifact], ...]
    members: Callable[[Artifact], Iterable[Member]] = lambda _artifact: ()
    together: tuple[Rule["Node"], ...] = ()
    as_a_whole: tuple[Rule["Node"], ...] = ()

    @property
    def all_rules(self) -> tuple[Rule[Any], ...]:
        """All rules, in the order of their codes' tables."""
        return (*self.rules, *self.together, *self.as_a_whole)


@dataclass(frozen=True, slots=True)
class Node:
    """A member that has been taken apart; `artifact` is None for what is of no known kind, or damaged.

    The same bytes are taken apart and judged once: `same_as` is the path, from the root, of the node where
    that was done, None where it was here. The artifact and the children are that one's.
    """

    member: Member
    kind: Kind[Any] | None
    artifact: Any
    findings: tuple[Finding, ...] = ()
    children: tuple["Node", ...] = ()
    left_out: bool = False  # whether there is more to it than this, which was not looked at
    same_as: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The member's name."""
        return self.member.name

    @property
    def parts(self) -> tuple["Node", ...]:
        """The children that are nowhere else: none where the same bytes were taken apart before."""
        return () if self.same_as is not None else self.children

    def child(self, name: str) -> "Node | None":
        """Return the first child of that name."""
        return next((child for child in self.children if child.name == name), None)

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], "Node"]]:
        """Yield this node and all below it, each once, with their names from here on."""
        yield path, self
        for child in self.parts:
            yield from child.walk((*path, child.name))

    def all_findings(self) -> list[Finding]:
        """Return what is wrong with it and with all below it; messages say where, from here on."""
        return [
            replace(finding, message=": ".join([*map(shown, path), finding.message]))
            for path, node in self.walk()
            for finding in node.findings
        ]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All kinds by name, and how content is recognised: "" if unknown."""

    kinds: Mapping[str, Kind[Any]]
    recognise: Callable[[Image], str]


Key = tuple[object, ...]


class Judged:
    """Whole files that this process has judged, for when the same bytes lie in another file."""

    KINDS = ("initramfs", "uki")
    """Those whose bytes say everything, wherever they lie."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[str, int], dict[str, Node]] = {}

    def add(self, node: Node) -> None:
        """Keep what was found out about a whole file, whose budget is left out of account from now on."""
        if node.kind and node.kind.name in self.KINDS and not node.left_out:
            budget_of(node.member.image).lift()
            image = node.member.image
            self.nodes.setdefault((node.kind.name, len(image)), {})[_digest(image)] = node

    def find(self, member: Member, kind: Kind[Any]) -> Node | None:
        """Return what is known of a member's bytes, None for nothing."""
        same_size = self.nodes.get((kind.name, len(member.image)))
        if same_size is None or member.read is not None:
            return None
        return same_size.get(_digest(member.image))


def _digest(image: Image) -> str:
    state = hashlib.sha256()
    for chunk in chunks(image):
        state.update(chunk)
    return state.hexdigest()


@dataclass(frozen=True, slots=True)
class Inspection:
    """What all that is done to one file has in common: kinds, policies, what it may cost.

    `judged` are files before it, of the same kinds and policies. `names` and `seen` keep what has been
    recognised and taken apart, by where the bytes lie.
    """

    catalog: Catalog
    policies: Collection[PolicyName]
    budget: Budget
    judged: Judged = field(default_factory=Judged)
    names: dict[Key, str] = field(default_factory=dict)
    seen: dict[Key, tuple[tuple[str, ...], Node]] = field(default_factory=dict)

    def recognise(self, member: Member) -> str:
        """Return the name of the kind that a member is of, "" for none."""
        if member.kind is not None:
            return member.kind
        key = _extent(member.image)
        if key not in self.names:
            self.names[key] = self.catalog.recognise(member.image)
        return self.names[key]


def _extent(image: Image) -> Key:
    return (image.file, image.pieces) if isinstance(image, Extents) else (bytes(image),)


def examine(member: Member, inspection: Inspection, path: tuple[str, ...] = ()) -> Node:
    """Take a member apart and judge it; `path` is where it lies. Raises Spent when that is one too many."""
    inspection.budget.spend(MEMBERS)
    kind = None
    try:
        kind = inspection.catalog.kinds.get(inspection.recognise(member))
    except FormatError:  # a block of the disk that it lies on is damaged: the rules of that say so
        return Node(member, None, None, left_out=True)
    except Spent:
        return Node(member, kind, None, left_out=True)
    try:
        return _examined(member, kind, inspection, path) if kind else Node(member, None, None)
    except Spent:
        return Node(member, kind, None, left_out=True)


def _examined(member: Member, kind: Kind[Any], inspection: Inspection, path: tuple[str, ...]) -> Node:
    read = member.read or kind.read
    key = (kind.name, read, *_extent(member.image))
    if key in inspection.seen:
        first, node = inspection.seen[key]
        return replace(node, member=member, findings=(), same_as=first)
    # until it has been taken apart, for itself inside itself
    inspection.seen[key] = path, Node(member, kind, None)
    before = inspection.judged.find(member, kind)
    node = replace(before, member=member) if before else _taken_apart(member, kind, inspection, path)
    inspection.seen[key] = path, node
    return node


def _taken_apart(member: Member, kind: Kind[Any], inspection: Inspection, path: tuple[str, ...]) -> Node:
    try:
        with inspection.budget.half():
            artifact = (member.read or kind.read)(member.image)
    except FormatError as error:
        found = Finding.of(kind.unreadable, Severity.ERROR, error.message, error.hint)
        return Node(member, kind, None, (found,))
    children, left_out = _children(kind, artifact, inspection, path)
    alone = judge(kind.rules, artifact, inspection.policies, inspection.budget)
    node = Node(member, kind, artifact, tuple(alone), children, left_out)
    rules = kind.together if path or inspection.policies else (*kind.together, *kind.as_a_whole)
    together = judge(rules, node, inspection.policies, inspection.budget)
    return replace(node, findings=(*alone, *together))


def _children(
    kind: Kind[Artifact], artifact: Artifact, inspection: Inspection, path: tuple[str, ...]
) -> tuple[tuple[Node, ...], bool]:
    """Return an artifact's members, taken apart, and whether some were left out.

    Where a member cannot be found for damage, the rules of the artifact say why.
    """
    nodes: list[Node] = []
    try:
        for member in kind.members(artifact):
            if len(path) == MAX_DEPTH:
                raise inspection.budget.lacking(DEPTH)
            nodes.append(examine(member, inspection, (*path, member.name)))
    except (FormatError, Spent):
        return tuple(nodes), True
    return tuple(nodes), False
