"""Logs that are as predicted, and logs of which the first event that differs is named."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.errors import FormatError
from pipeline.formats.pe import read_pe
from pipeline.formats.tcg_events import AUTHORITY, CONFIG, IPL
from pipeline.formats.tcg_log import Event, read_log, replay
from pipeline.measure.chain import Chain, Program, events
from pipeline.measure.compare import compare
from pipeline.measure.event import Expected
from tests.fixtures.firmware import log_of
from tests.fixtures.tcg_log import GLOBAL, tcg_log, variable_data
from tests.fixtures.uki import uki

EXPECTED = events(Chain(Program("a.efi", read_pe(uki()))), None)
LOG = read_log(log_of(EXPECTED))
OTHER = bytes(range(32))
Edit = Callable[[list[Event]], object]


def at(pcr: int, number: int) -> int:
    """Return where in the log the event of a PCR with this number, counted from 1, is."""
    return [place for place, event in enumerate(LOG) if event.pcr == pcr][number - 1]


def edited(pcr: int, number: int, **changes: object) -> list[Event]:
    found = list(LOG)
    found[at(pcr, number)] = replace(found[at(pcr, number)], **changes)  # type: ignore[arg-type]
    return found


def test_what_is_as_predicted_is_equal() -> None:
    told = compare(EXPECTED, LOG, replay(LOG, "sha256"))
    assert (told.equal, told.difference) == (len(EXPECTED), "")


def test_pcrs_of_the_firmware_and_the_order_between_pcrs_do_not_matter() -> None:
    more = [Event(0, 8, {"sha256": OTHER}, b""), *reversed([e for e in LOG if e.pcr == 12])]
    rest = sorted(LOG, key=lambda event: -event.pcr)
    assert compare(EXPECTED, [*more, *rest]).difference == ""


def test_a_tpm_that_says_something_else_than_the_log() -> None:
    told = compare(EXPECTED, LOG, {11: OTHER}).difference
    assert told.startswith(f"PCR 11 is {OTHER.hex()}, and by the log it would be ")
    assert told.endswith("something was measured that it does not tell")


def test_a_pcr_that_the_log_does_not_tell_of_has_to_be_as_it_was() -> None:
    assert compare(EXPECTED, LOG, {12: bytes(32)}).difference == ""
    assert compare(EXPECTED, LOG, {12: OTHER}).difference.startswith(f"PCR 12 is {OTHER.hex()}")


NEW = {"sha256": OTHER}
PROGRAM = EXPECTED[8]


@pytest.mark.parametrize(
    ("log", "equal", "sentence"),
    [
        (
            edited(4, 3, digests=NEW),
            2,
            "PCR 4, event 3: the program a.efi (8481588d9cb8e5d6…) was expected, something that the log "
            "does not tell (EV_EFI_BOOT_SERVICES_APPLICATION: 32 bytes at offset 0x0 do not lie inside "
            "the 0 bytes given) (0001020304050607…) was measured: another program "
            "was started, or another version of it",
        ),
        (
            edited(7, 1, digests=NEW, data=variable_data("SecureBoot", b"\1", GLOBAL)),
            4,
            "PCR 7, event 1: the variable SecureBoot (ce9ce386b52e099f…) was expected, the variable "
            "SecureBoot (0001020304050607…) was measured: Secure Boot was switched on or off",
        ),
        (
            edited(7, 2, kind=CONFIG, digests=NEW, data=variable_data("Other", b"", GLOBAL)),
            5,
            "PCR 7, event 2: the variable PK (dea7b80ab53a3daa…) was expected, the variable Other "
            "(0001020304050607…) was measured: the firmware trusts somebody else, or another program was "
            "started",
        ),
        (
            edited(7, 2, kind=AUTHORITY, digests=NEW, data=variable_data("SbatLevel", b"", GLOBAL)),
            5,
            "PCR 7, event 2: the variable PK (dea7b80ab53a3daa…) was expected, what SbatLevel holds of who "
            "vouched (0001020304050607…) was measured: shim asks for another level of SBAT: it, or its "
            "revocations, were updated",
        ),
        (
            edited(7, 2, kind=AUTHORITY, digests=NEW, data=variable_data("db", b"", GLOBAL)),
            5,
            "PCR 7, event 2: the variable PK (dea7b80ab53a3daa…) was expected, what db holds of who vouched "
            "(0001020304050607…) was measured: a program was started by another entry of the lists than that",
        ),
        (
            edited(11, 4, digests=NEW, data=b".osrel"),
            13,
            "PCR 11, event 4: the section .osrel (9cbccf4ae7692f67…) was expected, '.osrel' "
            "(0001020304050607…) was measured: another UKI was started",
        ),
        (
            [*LOG, Event(12, IPL, NEW, b"debug\0")],
            24,
            "PCR 12, event 1: nothing more was expected, 'debug' (0001020304050607…) was measured: somebody "
            "gave the UKI a command line, or an addon lay beside it",
        ),
        (
            [*LOG, Event(4, 0x8000_0003, NEW, b"")],
            4,
            "PCR 4, event 5: nothing more was expected, something that the log does not tell "
            "(EV_EFI_BOOT_SERVICES_APPLICATION: 32 bytes at offset 0x0 do not lie inside the 0 bytes given) "
            "(0001020304050607…) was measured: something else was started afterwards",
        ),
        (
            [event for event in LOG if event.pcr != 11],
            10,
            "PCR 11, event 1: the name of the section .linux (0da293e37ad5511c…) was expected, nothing more "
            "was measured: the log ends before that, or the start went another way",
        ),
    ],
)
def test_the_first_event_that_differs_is_named(log: list[Event], equal: int, sentence: str) -> None:
    told = compare(EXPECTED, log)
    assert (told.difference, told.equal) == (sentence, equal)


@pytest.mark.parametrize("number", range(len(LOG)))
def test_no_change_of_a_digest_goes_unnoticed(number: int) -> None:
    found = list(LOG)
    one = found[number]
    digest = bytes([one.digests["sha256"][0] ^ 1]) + one.digests["sha256"][1:]
    found[number] = replace(one, digests={"sha256": digest})
    told = compare(EXPECTED, found).difference
    assert told.startswith(f"PCR {one.pcr}, event ")


def test_a_log_without_the_bank_is_refused() -> None:
    with pytest.raises(FormatError, match="no digest of sha256"):
        compare([Expected(4, 5, "x", OTHER)], read_log(tcg_log((4, 5, b"x"), banks=["sha1"])))
