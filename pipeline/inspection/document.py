"""The JSON that `./doit inspect --json` writes: its shape, which has a version, and writing it.

`docs/inspect.schema.json` is made from these classes. A field that goes, or means something else, makes
another version; a new one does not.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from pipeline.checks.kind import Node
from pipeline.checks.quoting import escaped, shown
from pipeline.inspection.answer import Answer
from pipeline.inspection.collect import facts_of
from pipeline.inspection.facts import Facts
from pipeline.inspection.member_path import path_of

VERSION: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong: `code` stays for ever and is explained in docs/checks.md, `hint` says what to do."""

    code: str
    severity: Literal["error", "warning"]
    path: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Part:
    """An artifact, and what lies inside it.

    `kind` is "" for what is of no known kind. `offset` counts from the artifact around it, null where it is
    packed or in pieces. `path` is what `--extract` takes. `attributes` is what the artifact around says of
    it, such as its mode. `facts` is null where there are none, or it cannot be read. `complete` is false
    where there is more to it than this, which was not looked at. Where the same bytes are another part too,
    `same_as` is the path of that part, and facts, findings and parts stand there alone.
    """

    name: str
    path: str
    kind: str
    title: str
    size: int
    offset: int | None
    attributes: dict[str, str | int]
    facts: Facts | None
    complete: bool
    same_as: str | None
    parts: list["Part"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file could not be read, and what to do."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that was asked about: it was read, or there is an `error`."""

    name: str
    error: Failure | None
    answers: list[Answer]
    findings: list[Problem]
    tree: Part | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """All of it. Numbers are bytes where nothing else is said."""

    version: Literal[1]
    files: list[File]


def problems(name: str, node: Node) -> list[Problem]:
    """Return what is wrong with the artifact `name` and with all inside it."""
    return [
        Problem(finding.code, finding.severity.value, path_of(path, name), finding.message, finding.hint)
        for path, each in node.walk()
        for finding in each.findings
    ]


def part(path: tuple[str, ...], node: Node) -> Part:
    """Return what is said of one artifact, its parts left out."""
    return Part(
        shown(node.name) if path[1:] else escaped(node.name),
        path_of(path[1:], path[0]),
        node.kind.name if node.kind else "",
        node.kind.title if node.kind else "",
        len(node.member.image),
        node.member.offset,
        {key: shown(value) if isinstance(value, str) else value for key, value in node.member.facts.items()},
        facts_of(node),
        not node.left_out,
        None if node.same_as is None else path_of(node.same_as, path[0]),
        [],
    )


def written_part(path: tuple[str, ...], node: Node) -> Iterator[str]:
    """Yield the JSON of an artifact and all inside it, bit by bit: there may be very many."""
    said = part(path, node)
    own = {each.name: _plain(getattr(said, each.name)) for each in fields(said) if each.name != "parts"}
    yield json.dumps(own)[:-1] + ', "parts": ['
    for index, child in enumerate(node.parts):
        yield ",\n" if index else "\n"
        yield from written_part((*path, child.name), child)
    yield "]}"


def _plain(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def written_file(
    name: str, *, error: Failure | None, answers: Iterable[Answer], node: Node | None
) -> Iterator[str]:
    """Yield the JSON of one file."""
    found = problems(name, node) if node else []
    yield "{" + f'"name": {json.dumps(escaped(name))}, "error": {json.dumps(_plain(error))}'
    yield f',\n"answers": {json.dumps([asdict(answer) for answer in answers], indent=1)}'
    yield f',\n"findings": {json.dumps([asdict(problem) for problem in found], indent=1)}'
    yield ',\n"tree": '
    if node is None:
        yield "null"
    else:
        yield from written_part((name,), node)
    yield "}"


def written(files: Iterable[Iterator[str]]) -> Iterator[str]:
    """Yield the JSON of all files."""
    yield f'{{"version": {VERSION}, "files": ['
    for index, file in enumerate(files):
        yield ",\n" if index else "\n"
        yield from file
    yield "]}\n"
