"""What `inspect` says of a UKI's PCR 11 and of its .pcrsig, and whether a TPM says the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.world.jury.row import Row
from tests.world.jury.verdict import Trial, judged

PROFILES = {"pcr": 0, "pcr_1": 1}
"""By way of starting a machine that has a TPM: the profile that is chosen, where a UKI has any."""

BANK = "sha256"
WRONG_KEY = "no policy in the UKI's .pcrsig was signed with"  # of UKI020, which says another thing, too


@dataclass(frozen=True)
class Claim:
    """PCR 11 once the stub has measured, in hex, "" where it is not said; policies, and whether one fits."""

    value: str
    policies: tuple[str, ...]
    fits: bool


def claim(tree: Mapping[str, Any], findings: Sequence[Mapping[str, Any]], number: int) -> Claim:
    """Return what is said of a UKI's profile."""
    profiles = tree["facts"]["profiles"]
    profile = profiles[number if len(profiles) > 1 else 0]
    label = f"profile @{number}" if len(profiles) > 1 else ""
    parts = {part["name"]: part for part in tree["parts"]}
    policies = [
        policy["digest"]
        for name in profile["sections"].get(".pcrsig", [])
        for policy in parts[name]["facts"]["policies"]
        if policy["bank"] == BANK
    ]
    stale = any(
        each["code"] == "UKI020" and each["message"].startswith(label) and WRONG_KEY not in each["message"]
        for each in findings
    )
    return Claim(profile["pcr11"].get(BANK, {}).get("", ""), tuple(policies), not stale)


def compare(trial: Trial, row: Row, said: Claim, measured: Sequence[str]) -> Trial:
    """Judge a trial by what a TPM said: PCR 11, and which policies hold then and after each phase."""
    value, *policies = measured or [""]
    unlocks = any(policy in policies for policy in said.policies)
    text = f"PCR 11 is {said.value or 'not said'}, and {value or 'nothing'} in the TPM"
    if said.policies:
        text += f"; .pcrsig {'fits' if said.fits else 'is for another'}: "
        text += f"the TPM has {'a policy' if unlocks else 'no policy'} that it signs"
    same = said.value == value and (not said.policies or said.fits is unlocks)
    expected = True if said.value else None
    return replace(
        trial,
        said=text,
        expected=expected,
        agreement=judged(expected, trial.started and same, known=trial.way in row.differs),
        measured=tuple(measured),
    )
