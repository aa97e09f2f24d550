"""What an answer of `inspect` says of a machine, and whether that is what was seen."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.world.jury import trust
from tests.world.jury.row import WAYS, Row

Agreement = Literal["agreed", "not said", "known", "disagreed"]

MACHINES: Mapping[str, Mapping[str, str]] = {
    way: {
        "firmware": "EDK II",
        "firmware_bits": "64",
        "block_size": "4096" if way == "uefi_4096" else "512",
        "sbat_level": "",
        "dbx": "",
        "kernel": "x86-64",
        "rdinit": "/init",
        "signature": "RSA",
    }
    for way in WAYS
}
"""What a condition may ask of the machine that a way has; where a list of revocations is "", it has none."""

ARCHITECTURE = "x86-64"

Answers = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Trial:
    """One way in which a row was tried: what `inspect` says in words, what that means here, what was seen.

    `measured` is what a TPM said, if the machine had one; `stopped`, what firmware says it was that
    stopped it, one of `loads.STOPPED`, or "", where it was asked that.
    """

    name: str
    way: str
    said: str
    expected: bool | None
    started: bool
    agreement: Agreement
    measured: tuple[str, ...] = ()
    stopped: str | None = None


NOTHING: Mapping[str, Any] = {"verdict": "no", "because": "nothing that boots", "conditions": ()}
"""What is said of a file that is none of the kinds that `inspect` knows."""


def claims(answers: Answers, way: str) -> bool | None:
    """Return whether the answers say that a machine of this way starts it; None where they do not say."""
    found = [_claim(answers.get(question, NOTHING), way) for question in WAYS[way]]
    if "uefi" in WAYS[way]:
        found.append(answers.get("architecture", NOTHING).get("value") == ARCHITECTURE)
    if False in found:
        return False
    return None if None in found else True


def _claim(answer: Mapping[str, Any], way: str) -> bool | None:
    holds = [_holds(each, way) for each in answer["conditions"]]
    if answer["verdict"] == "unknown":
        return None
    return all(holds) and (answer["verdict"] == "yes" or bool(holds))


def _holds(condition: Mapping[str, Any], way: str) -> bool:
    """Tell whether a condition holds; a machine without a list of revocations has the oldest."""
    if condition["what"] == "db":
        return trust.starts(condition["one_of"])
    return MACHINES[way][condition["what"]] in ("", condition["value"])


def words(answers: Answers, way: str) -> str:
    """Return the answers' verdicts, with their conditions."""
    said = []
    for question in WAYS[way]:
        answer = answers.get(question, NOTHING)
        conditions = "".join(f", {each['what']} {each['value']}" for each in answer["conditions"])
        said.append(f"{question}: {answer['verdict']}{conditions}")
    return "; ".join(said)


def compare(
    name: str, row: Row, way: str, answers: Answers, *, started: bool, stopped: str | None = None
) -> Trial:
    """Judge one trial; what `stopped` a program has to be what is said to stop it, too."""
    expected = claims(answers, way)
    found = judged(expected, started, known=way in row.differs)
    if stopped is not None and found == "agreed" and stopped not in _stops(answers, way, started=started):
        found = "disagreed"
    return Trial(name, way, words(answers, way), expected, started, found, stopped=stopped)


def _stops(answers: Answers, way: str, *, started: bool) -> tuple[str, ...]:
    """Return the words of which firmware has to say one. EDK II gives no reason for what is not signed."""
    if started:
        return ("",)
    if "secure_boot" not in answers:
        return ("no", "denied")
    if _claim(answers["secure_boot"], way):
        return ("no",)
    because = answers["secure_boot"]["because"]
    if re.search(r"the digest of it .* is in dbx", because):
        return ("digest in dbx", "denied")
    if "cannot be read" in because and "dbx" not in because:  # firmware may ask dbx before it comes to that
        return ("denied", "signer in dbx", "digest in dbx")
    in_dbx = re.search(r"which is in dbx|whose certificate is in dbx|asked about its signer", because)
    return ("signer in dbx",) if in_dbx else ("denied",)


def judged(expected: bool | None, seen: bool, *, known: bool) -> Agreement:
    """Return whether both are the same. What the row writes down as a `known` difference has to be one."""
    if expected is None:
        return "not said"
    if known:
        return "known" if expected is not seen else "disagreed"
    return "agreed" if expected is seen else "disagreed"


def report(trial: Trial, answers: Answers, findings: Sequence[Mapping[str, Any]]) -> str:
    """Return what somebody needs to know who mends a disagreement."""
    seen = f"{'starts' if trial.started else 'does not start'} {trial.stopped or ''}".rstrip()
    lines = [f"{trial.name} by {trial.way}: {seen}; {trial.said}"]
    lines += [f"  because: {answers.get(question, NOTHING)['because']}" for question in WAYS[trial.way]]
    lines += [f"  {each['severity']} {each['code']}: {each['message']}" for each in findings]
    return "\n".join(lines)
