"""The one judgement of a medium: that answers and findings say the same."""

from collections.abc import Mapping
from dataclasses import replace

from pipeline.checks.compressed import Packed
from pipeline.checks.finding import Severity, judge
from pipeline.checks.kind import Node
from pipeline.checks.medium import misses, starting
from pipeline.formats.fields import budget_of
from pipeline.inspection.answer import WAYS, Answer


def judged(node: Node, answers: Mapping[str, Answer]) -> Node:
    """Return what was taken apart with what the answers to the ways of booting make of its findings.

    Where nothing boots, what decides is an error, or there is another that says why. Where something does,
    it is none: the answers for the other ways say what they lack. Of what is only packed, what is packed is
    judged.
    """
    if isinstance(node.artifact, Packed) and node.children:
        first, *others = node.children
        return replace(node, children=(judged(first, answers), *others))
    ways = [answers[way] for way in WAYS if way in answers and answers[way].verdict != "not applicable"]
    budget = budget_of(node.member.image)
    if not ways or node.artifact is None:
        return node
    if any(answer.verdict != "no" for answer in ways):
        found = judge(starting.rule.of(starting.PICKY), node, budget=budget)
        return replace(node, findings=(*node.findings, *found))
    decided = {answer.finding for answer in ways}
    node, count = _promoted(node, decided)
    if count:
        return node
    nowhere = judge(starting.rule.of(misses.CODE), node, budget=budget)
    return replace(node, findings=(*nowhere, *node.findings))


def _promoted(node: Node, codes: set[str]) -> tuple[Node, int]:
    """Return a node whose findings of these codes are errors, and how many there are in and below it."""
    found = [finding for finding in node.findings if finding.code in codes]
    findings = tuple(
        replace(finding, severity=Severity.ERROR) if finding in found else finding
        for finding in node.findings
    )
    below = [_promoted(child, codes) for child in node.children]
    children = tuple(child for child, _ in below)
    return replace(node, findings=findings, children=children), len(found) + sum(count for _, count in below)
