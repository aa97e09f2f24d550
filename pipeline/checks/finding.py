"""Owns what a check says: findings, and how a table of rules over a parsed artifact becomes them.

Must not know any kind of artifact.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Generic, TypeVar

from pipeline.errors import FormatError
from pipeline.formats.fields import Image

Artifact = TypeVar("Artifact")


class Severity(Enum):
    """Whether an artifact may still be used."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake: a code that stays the same for ever, what is wrong, what to do."""

    code: str
    severity: Severity
    message: str
    hint: str


Check = Callable[[Path], list[Finding]]

Fault = tuple[str, str]  # message, hint


@dataclass(frozen=True, slots=True)
class Rule(Generic[Artifact]):
    """What must hold: `faults` yields what does not, or lets a reader's FormatError say it."""

    code: str
    holds: str
    faults: Callable[[Artifact], Iterable[Fault]]
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Part(Generic[Artifact]):
    """Something inside an artifact that has rules of its own; no findings when it is not there."""

    name: str
    findings: Callable[[Artifact], list[Finding]]


@dataclass(frozen=True, slots=True)
class Kind(Generic[Artifact]):
    """A kind of artifact: the code for one that cannot be read, how it is read, its rules and parts."""

    unreadable: str
    read: Callable[[Image], Artifact]
    rules: tuple[Rule[Artifact], ...]
    parts: tuple[Part[Artifact], ...] = ()

    def findings(self, image: Image) -> list[Finding]:
        """Return what is wrong with `image`, in the order of the tables."""
        try:
            artifact = self.read(image)
        except FormatError as error:
            return [Finding(self.unreadable, Severity.ERROR, error.message, error.hint)]
        found = judge(self.rules, artifact)
        for part in self.parts:
            for finding in part.findings(artifact):
                found.append(replace(finding, message=f"{part.name}: {finding.message}"))
        return found


def judge(rules: Iterable[Rule[Artifact]], artifact: Artifact) -> list[Finding]:
    """Return what is wrong with an artifact that has been read, in the order of the rules."""
    return [
        Finding(rule.code, rule.severity, message, hint)
        for rule in rules
        for message, hint in _faults(rule, artifact)
    ]


def _faults(rule: Rule[Artifact], artifact: Artifact) -> list[Fault]:
    faults: list[Fault] = []
    try:
        faults.extend(rule.faults(artifact))
    except FormatError as error:
        faults.append((error.message, error.hint))
    return faults
