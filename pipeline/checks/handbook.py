"""Owns `docs/checks.md`: what every code means, why it matters, and what to do, out of the tables of rules.

Must not know how rules are applied.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from pipeline.checks import whole
from pipeline.checks.catalog import KINDS
from pipeline.checks.finding import Rule, Severity
from pipeline.checks.kind import Kind
from pipeline.checks.medium import starting

PATH = "docs/checks.md"

INTRODUCTION = """\
# Checks

What `./doit inspect` says of any image, and what every build is held to. A code stays what it is for ever.

An **error** means that something will not boot, or is damaged; a **warning**, that it may. Rules *of images
built here* (`--house`) ask for more: one time, no owner but root, our own installer; a stranger's image may
do otherwise. Where a rule is an error *here, else a warning*, other images break it and boot all the same;
where it is why nothing boots, it is an error of theirs, too.

This page is made from the tables in `pipeline/checks/`: `pytest --update-golden` rewrites it.
"""

UNREADABLE = (
    "It cannot be read, or is something else: the message says what is wrong, and at which offset. "
    "Make it again, or give the file that was meant."
)


def write() -> str:
    """Return the page."""
    written: set[str] = set()
    parts = [INTRODUCTION]
    for kind in KINDS.values():
        parts += _section(kind, written)
    for module in (starting, whole):
        parts += [f"## {module.SECTION}\n", *map(_entry, module.RULES)]
    return "\n".join(parts)


def _section(kind: Kind[Any], written: set[str]) -> Iterator[str]:
    """Yield a kind's codes, without those that another kind has as well and that are `written` already."""
    rules = [rule for rule in kind.all_rules if rule.code not in written]
    if not rules and (not kind.unreadable or kind.unreadable in written):
        return
    yield f"## {kind.title[0].upper()}{kind.title[1:]}\n"
    if kind.unreadable and kind.unreadable not in written:
        written.add(kind.unreadable)
        yield f"### {kind.unreadable}: it can be read\n\nError.\n\n{UNREADABLE}\n"
    for rule in rules:
        written.add(rule.code)
        yield _entry(rule)


def _entry(rule: Rule[Any]) -> str:
    return (
        f"### {rule.code}: {rule.holds}\n\n{severity(rule)}.\n\n{why(rule.faults)}\n\n"
        f"- Specification: {rule.spec}\n- What to do: {rule.fix}\n"
    )


def severity(rule: Rule[Any]) -> str:
    """Return how much a rule weighs, and for whom, as the page says it."""
    name = rule.severity.value.capitalize()
    if rule.house:
        return f"{name}, of images built here"
    return f"{name} here, else a warning" if rule.lenient and rule.severity is Severity.ERROR else name


def why(faults: Callable[..., Any]) -> str:
    """Return why a rule matters: its function's docstring."""
    function = faults.func if isinstance(faults, partial) else faults
    return inspect.getdoc(function) or ""
