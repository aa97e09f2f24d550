"""Findings, and how rules over a parsed artifact become them: what any kind of artifact has in common."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pipeline.checks.quoting import sentence
from pipeline.errors import FormatError
from pipeline.formats.budget import ENDLESS, STEPS, Budget, Spent

Artifact = TypeVar("Artifact")

PolicyName = Literal["strict", "reproducible", "appliance", "medium"]
POLICIES: dict[PolicyName, str] = {
    "strict": "what only some machines put up with is an error, not a warning",
    "reproducible": "the same inputs give the same bytes: one time, one owner, one order",
    "appliance": "the image is all of a system for x86-64: its init starts static programs of its own",
    "medium": "one file boots as a CD, a USB stick and a disk, from one small EFI volume",
}
"""What may be asked of an image beyond what any that boots must obey."""

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

Fault = str | tuple[str, str]
"""What is wrong, a sentence; with what to do about it, where that is more than the rule's `fix`."""

Said = TypeVar("Said", bound=Iterable[Fault] | None)
Faults = Callable[[Artifact], Iterable[Fault] | None]


@dataclass(frozen=True, slots=True)
class Rule(Generic[Artifact]):
    """What must hold: `faults` yields what does not, or lets a reader's FormatError say it.

    The docstring of `faults` says why it matters. A rule of a policy counts where that is asked for. What
    breaks a `lenient` one may boot all the same: it is a warning unless the policy is strict.
    """

    code: str
    holds: str
    faults: Faults[Artifact]
    spec: str
    fix: str
    severity: Severity = Severity.ERROR
    policy: PolicyName | None = None
    lenient: bool = False


@dataclass(frozen=True)
class Rules(Generic[Artifact]):
    """Rules in the order of their functions in a module: `@rule(code, what must hold, …)` adds one.

    `spec` names the specification and its section, `fix` what to do, as a clause without a full stop.
    """

    table: list[Rule[Artifact]] = field(default_factory=list)

    def __call__(
        self,
        code: str,
        holds: str,
        *,
        spec: str,
        fix: str,
        also: str = "",
        severity: Severity = Severity.ERROR,
        policy: PolicyName | None = None,
        lenient: bool = False,
    ) -> Callable[[Callable[[Artifact], Said]], Callable[[Artifact], Said]]:
        """Return a decorator for the function that yields a rule's faults.

        `also` is a second code, under which another kind of artifact has the same rule.
        """

        def add(faults: Callable[[Artifact], Said]) -> Callable[[Artifact], Said]:
            self.table.extend(
                Rule(each, holds, faults, spec, fix, severity, policy, lenient)
                for each in (code, also)
                if each
            )
            return faults

        return add

    def of(self, prefix: str) -> tuple[Rule[Artifact], ...]:
        """Return the rules whose codes begin with `prefix`."""
        return tuple(rule for rule in self.table if rule.code.startswith(prefix))


def judge(
    rules: Iterable[Rule[Artifact]],
    artifact: Artifact,
    policies: Collection[PolicyName] = (),
    budget: Budget = ENDLESS,
) -> list[Finding]:
    """Return what is wrong with an artifact that has been read, in the order of the rules.

    Of more than MAX_FAULTS of a rule the last one says that there are more. Where the budget is spent, a rule
    has said what it found until then.
    """
    return [
        Finding.of(
            rule.code,
            Severity.WARNING if rule.lenient and "strict" not in policies else rule.severity,
            message,
            hint,
        )
        for rule in rules
        if rule.policy is None or rule.policy in policies
        for message, hint in _faults(rule, artifact, budget)
    ]


def _faults(rule: Rule[Artifact], artifact: Artifact, budget: Budget) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    try:
        with budget.half():
            for fault in islice(rule.faults(artifact) or (), MAX_FAULTS + 1):
                message, hint = (fault, rule.fix) if isinstance(fault, str) else fault
                budget.spend(STEPS, 1 + len(message) // LETTERS_A_STEP)
                faults.append((sentence(message), sentence(hint)))
    except FormatError as error:
        faults.append((error.message, error.hint))
    except Spent:
        pass
    if len(faults) > MAX_FAULTS:
        faults[MAX_FAULTS:] = [(f"there are more: these are the first {MAX_FAULTS}", "fix these first")]
    return faults
