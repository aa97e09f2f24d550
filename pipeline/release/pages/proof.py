"""What was proved of a medium: the rules that it was held to, what they found, and how firmware starts it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.checks import whole
from pipeline.checks.finding import PolicyName
from pipeline.checks.kind import Kind, Node
from pipeline.checks.medium import starting
from pipeline.inspection import evidence
from pipeline.inspection.answer import QUESTIONS, Answer
from pipeline.inspection.evidence import Step
from pipeline.inspection.member_path import path_of

NEVER = "not applicable"


@dataclass(frozen=True, slots=True)
class Held:
    """A rule: its code, what must hold, the policy that asks for it ("" for none), and what does not hold."""

    code: str
    holds: str
    policy: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """The artifacts of one kind, by their paths in the medium, and all rules that they were held to."""

    kind: str
    artifacts: tuple[str, ...]
    rules: tuple[Held, ...]

    @property
    def faults(self) -> int:
        """How many faults were found in them."""
        return sum(len(rule.faults) for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Way:
    """A way of starting a medium: what it is called, the answer, and what firmware reads until then."""

    title: str
    answer: Answer
    steps: tuple[Step, ...]


def judged(node: Node, policies: Collection[PolicyName]) -> tuple[Judged, ...]:
    """Return what was judged of what was taken apart with these policies, outermost first."""
    kinds: dict[str, tuple[Kind[Any], list[tuple[str, Node]]]] = {}
    for path, each in node.walk():
        if each.kind:
            found = kinds.setdefault(each.kind.name, (each.kind, []))
            found[1].append((path_of(path, node.name), each))
    return tuple(_judged(kind, nodes, node, policies) for kind, nodes in kinds.values())


def _judged(
    kind: Kind[Any], nodes: Sequence[tuple[str, Node]], root: Node, policies: Collection[PolicyName]
) -> Judged:
    faults: dict[str, list[str]] = {}
    for path, node in nodes:
        for finding in node.findings:
            faults.setdefault(finding.code, []).append(f"{path}: {finding.message}")
    rules = [*kind.rules, *kind.together]
    if any(node is root for _, node in nodes):
        about_starting = starting.rule.table if kind.name in evidence.MEDIA else []
        rules = [*whole.rule.table, *about_starting, *rules]
    known: dict[str, tuple[str, str]] = {
        rule.code: (rule.holds, rule.policy or "")
        for rule in rules
        if rule.policy is None or rule.policy in policies
    }
    if kind.unreadable:
        known = {kind.unreadable: ("it can be read", "")} | known
    known |= {code: ("", "") for code in faults if code not in known}  # so that no fault is lost
    held = (Held(code, holds, policy, tuple(faults.get(code, ()))) for code, (holds, policy) in known.items())
    return Judged(kind.title, tuple(path for path, _ in nodes), tuple(held))


def ways(node: Node, answers: Sequence[Answer]) -> tuple[Way, ...]:
    """Return the ways of starting a medium that can be shown step by step."""
    named = {answer.question: answer for answer in answers}
    return tuple(
        Way(QUESTIONS[question], named[question], tuple(evidence.steps(node, way)))
        for way, question in evidence.WAYS.items()
        if question in named and named[question].verdict != NEVER
    )
