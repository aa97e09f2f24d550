"""Owns what a check says: findings, and how a table of rules over a parsed artifact becomes them.

Must not know any kind of artifact.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from pipeline.checks.quoting import sentence
from pipeline.errors import FormatError
from pipeline.formats.budget import ENDLESS, STEPS, Budget, Spent

Artifact = TypeVar("Artifact")

MAX_FAULTS = 1000  # that one rule finds in one artifact
LETTERS_A_STEP = 1000  # of a message: to quote what is very long takes time, too


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

    @classmethod
    def of(cls, code: str, severity: Severity, message: str, hint: str) -> "Finding":
        """Return a finding whose sentences may quote a stranger."""
        return cls(code, severity, sentence(message), sentence(hint))


Check = Callable[[Path], list[Finding]]

Fault = tuple[str, str]  # message, hint


@dataclass(frozen=True, slots=True)
class Rule(Generic[Artifact]):
    """What must hold: `faults` yields what does not, or lets a reader's FormatError say it.

    The docstring of `faults` says why it matters; `spec` names the specification and its section, `fix`
    what to do in general. A `house` rule holds of the images that are built here: a stranger's image may do
    otherwise, and boot. What breaks a `lenient` one may boot all the same: of a stranger it is a warning.
    """

    code: str
    holds: str
    faults: Callable[[Artifact], Iterable[Fault]]
    severity: Severity = Severity.ERROR
    house: bool = False
    lenient: bool = False
    spec: str = ""
    fix: str = ""


def judge(
    rules: Iterable[Rule[Artifact]], artifact: Artifact, *, house: bool, budget: Budget = ENDLESS
) -> list[Finding]:
    """Return what is wrong with an artifact that has been read, in the order of the rules.

    Of more than MAX_FAULTS of a rule the last one says that there are more. Where the budget is spent, a rule
    has said what it found until then.
    """
    return [
        Finding.of(rule.code, rule.severity if house or not rule.lenient else Severity.WARNING, message, hint)
        for rule in rules
        if house or not rule.house
        for message, hint in _faults(rule, artifact, budget)
    ]


def _faults(rule: Rule[Artifact], artifact: Artifact, budget: Budget) -> list[Fault]:
    faults: list[Fault] = []
    try:
        with budget.half():
            for message, hint in islice(rule.faults(artifact), MAX_FAULTS + 1):
                budget.spend(STEPS, 1 + len(message) // LETTERS_A_STEP)
                faults.append((sentence(message), sentence(hint)))
    except FormatError as error:
        faults.append((error.message, error.hint))
    except Spent:
        pass
    if len(faults) > MAX_FAULTS:
        faults[MAX_FAULTS:] = [(f"there are more: these are the first {MAX_FAULTS}", "mend these first")]
    return faults
