"""`docs/checks.md`: what every code means, why it matters, and what to do, out of the rules."""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from pipeline.checks import netboot, whole
from pipeline.checks.boot import rules as boot
from pipeline.checks.catalog import KINDS
from pipeline.checks.finding import POLICIES, Rule
from pipeline.checks.kind import Kind
from pipeline.checks.medium import starting

PATH = "docs/checks.md"

INTRODUCTION = """\
# Checks

What `./doit inspect` says of any image, and what every build is held to. A code stays what it is for ever.

An **error** means that something will not boot, or is damaged; a **warning**, that it may. What is an
*error if strict, else a warning* is against a specification, and boots all the same on many machines;
where it is why nothing boots, it is an error in any case.

Rules *of a policy* ask for more than that an image boots. They count where the policy is named: by
`policy.checks` in `recipe.toml` (all, unless it says otherwise), or by `./doit inspect --policy NAME`.

{policies}

This page is made from the rules in `pipeline/checks/`: `pytest --update-golden` rewrites it.
"""

UNREADABLE = (
    "It cannot be read, or is something else: the message says what is wrong, and at which offset. "
    "Make it again, or give the file that was meant."
)


def write() -> str:
    """Return the page."""
    written = {rule.code for rule in boot.RULES}
    policies = "\n".join(f"- `{name}`: {text}" for name, text in POLICIES.items())
    parts = [INTRODUCTION.format(policies=policies)]
    for kind in KINDS.values():
        parts += _section(kind, written)
    parts += [f"## {boot.SECTION}\n", *map(_entry, boot.RULES)]
    for module in (starting, netboot, whole):
        parts += [f"## {module.SECTION}\n", *map(_entry, module.rule.table)]
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
    for rule in sorted(rules, key=lambda rule: rule.code):
        written.add(rule.code)
        yield _entry(rule)


def _entry(rule: Rule[Any]) -> str:
    return (
        f"### {rule.code}: {rule.holds}\n\n{severity(rule)}.\n\n{why(rule.faults)}\n\n"
        f"- Specification: {rule.spec}\n- What to do: {rule.fix[0].upper()}{rule.fix[1:]}.\n"
    )


def severity(rule: Rule[Any]) -> str:
    """Return how much a rule weighs, and for whom, as the page says it."""
    name = rule.severity.value.capitalize()
    of = f", of the policy `{rule.policy}`" if rule.policy else ""
    return f"{name} if strict, else a warning{of}" if rule.lenient else f"{name}{of}"


def why(faults: Callable[..., Any]) -> str:
    """Return why a rule matters: its function's docstring."""
    function = faults.func if isinstance(faults, partial) else faults
    return inspect.getdoc(function) or ""
