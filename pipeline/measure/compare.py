"""Compares what was measured with what was predicted: equal, or the first event that differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pipeline.errors import FormatError
from pipeline.formats.pcr import initial
from pipeline.formats.tcg_events import AUTHORITY, CONFIG, said, variable
from pipeline.formats.tcg_log import NO_ACTION, Event, replay
from pipeline.measure.event import BANK, PREDICTED, Expected

SHOWN = 16  # hex digits of a digest


@dataclass(frozen=True, slots=True)
class Compared:
    """How a log compares: `equal` counts the events that were predicted and came so.

    `difference` is one sentence on the first event that differs, "" where none does.
    """

    equal: int
    difference: str = ""


def compare(
    expected: Sequence[Expected], log: Sequence[Event], pcrs: Mapping[int, bytes] | None = None
) -> Compared:
    """Compare the PCRs that are predicted with a log, and the log with the values that the TPM told.

    Raises FormatError for a log that has no digests of `event.BANK`.
    """
    by_log = dict.fromkeys(PREDICTED, initial(BANK)) | replay(log, BANK)
    for pcr, value in sorted(by_log.items()):
        told = (pcrs or {}).get(pcr)
        if told is not None and told != value:
            return Compared(
                0,
                f"PCR {pcr} is {told.hex()}, and by the log it would be {value.hex()}: the log is not of "
                "this start, somebody changed it, or something was measured that it does not tell",
            )
    count = 0
    for pcr in sorted({*PREDICTED, *(event.pcr for event in expected)}):
        mine = [event for event in expected if event.pcr == pcr]
        theirs = [event for event in log if event.pcr == pcr and event.kind != NO_ACTION]
        for number, (right, found) in enumerate(zip_longest(mine, theirs), start=1):
            if not (right and found and found.digests[BANK] == right.digest):
                return Compared(count, _sentence(pcr, number, right, found))
            count += 1
    return Compared(count)


def _sentence(pcr: int, number: int, right: Expected | None, found: Event | None) -> str:
    """Name the event that differs, what was expected there, and what it may mean."""
    expected = f"{right.what} ({right.digest.hex()[:SHOWN]}…)" if right else "nothing more"
    measured = f"{said(found)} ({found.digests[BANK].hex()[:SHOWN]}…)" if found else "nothing more"
    return (
        f"PCR {pcr}, event {number}: {expected} was expected, {measured} was measured: "
        f"{_meaning(pcr, right, found)}"
    )


MEANINGS = {
    4: "another program was started, or another version of it",
    7: "the firmware trusts somebody else, or another program was started",
    11: "another UKI was started",
    12: "somebody gave the UKI a command line, or an addon lay beside it",
}
"""What it may mean that a PCR differs, where its event does not tell more."""

BY_VARIABLE = {
    "SecureBoot": "Secure Boot was switched on or off",
    "PK": "the firmware has another owner",
    "KEK": "somebody else may change whom the firmware trusts",
    "db": "the firmware trusts somebody else",
    "dbx": "the list of what the firmware refuses was updated",
    "dbt": "the firmware trusts other time stamps",
    "dbr": "the firmware has other keys to recover with",
    "SbatLevel": "shim asks for another level of SBAT: it, or its revocations, were updated",
}


def _meaning(pcr: int, right: Expected | None, found: Event | None) -> str:
    """Return what a difference may mean, a clause."""
    if found is None:
        return "the log ends before that, or the start went another way"
    if found.kind == CONFIG and pcr == 7:
        return BY_VARIABLE.get(_name(found), MEANINGS[7])
    if found.kind == AUTHORITY:
        return BY_VARIABLE.get("SbatLevel", "") if _name(found) == "SbatLevel" else AUTHORITIES
    if pcr == 4 and right is None:
        return "something else was started afterwards"
    return MEANINGS.get(pcr, "it depends on this machine")


AUTHORITIES = "a program was started by another entry of the lists than that"


def _name(event: Event) -> str:
    try:
        return variable(event).name
    except FormatError:
        return ""
