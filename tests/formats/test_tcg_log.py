"""Logs of measurements, and what a TPM's PCRs are by them."""

import hashlib
import struct
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.formats import tcg_log
from pipeline.formats.pcr import extended, initial
from pipeline.formats.tcg_events import said
from pipeline.formats.tcg_log import NO_ACTION, Event, read_log, replay
from tests.fixtures.tcg_log import event2, spec_id
from tests.fixtures.tcg_log import tcg_log as make_log

SHA1, SHA256, SM3 = 0x04, 0x0B, 0x12
ONE = spec_id({SHA256: 32})


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_events_are_read_in_their_order() -> None:
    events = read_log(make_log((4, 0x8000_0007, b"Calling"), (7, 0x04, bytes(4))))
    sha1 = hashlib.sha1(b"Calling", usedforsecurity=False).digest()
    assert events == (
        Event(4, 0x8000_0007, {"sha1": sha1, "sha256": sha256(b"Calling")}, b"Calling"),
        Event(
            7,
            0x04,
            {"sha1": hashlib.sha1(bytes(4), usedforsecurity=False).digest(), "sha256": sha256(bytes(4))},
            bytes(4),
        ),
    )
    assert [event.kind_name for event in events] == ["EV_EFI_ACTION", "EV_SEPARATOR"]
    assert Event(0, 0xABCD, {}, b"").kind_name == "the kind 0x0000abcd"


def test_a_bank_that_nobody_here_knows_is_passed_over() -> None:
    log = spec_id({SM3: 32, SHA256: 32}) + event2(1, 4, [(SM3, bytes(32)), (SHA256, b"d" * 32)], b"x")
    assert read_log(log) == (Event(1, 4, {"sha256": b"d" * 32}, b"x"),)


@pytest.mark.parametrize("room", [b"", bytes(100), b"\xff" * 100, b"\0"])
def test_room_behind_the_last_event_is_none(room: bytes) -> None:
    assert len(read_log(make_log((0, 1, b"x")) + room)) == 1


def test_pcrs_are_reckoned() -> None:
    events = read_log(make_log((4, 5, b"a"), (0, 8, b"v"), (4, 5, b"b"), (4, NO_ACTION, b"told alone")))
    assert replay(events, "sha256") == {
        0: sha256(bytes(32) + sha256(b"v")),
        4: extended("sha256", initial("sha256"), [sha256(b"a"), sha256(b"b")]),
    }
    assert len(replay(events, "sha1")[4]) == 20


def test_pcr_0_begins_with_the_locality_that_measured_first() -> None:
    events = read_log(make_log((0, NO_ACTION, b"StartupLocality\0\x03"), (0, 8, b"v")))
    assert replay(events, "sha256") == {0: sha256(bytes(31) + b"\x03" + sha256(b"v"))}


def test_a_bank_that_the_log_lacks_is_told() -> None:
    events = read_log(make_log((0, 8, b"v"), banks=["sha256"]))
    with pytest.raises(FormatError) as caught:
        replay(events, "sha384")
    assert caught.value.message == "event log: event 1 has no digest of sha384"


NO_LOG = "event log: its first event does not say 'Spec ID Event03'"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"",
            "event log: its first event: 32 bytes at offset 0x0 do not lie inside the 0 bytes given",
        ),
        (bytes(32), NO_LOG),
        (struct.pack("<II20sI", 0, 8, bytes(20), 2) + b"v\0", NO_LOG),  # as TPM 1.2 has it
        (ONE.replace(b"Event03", b"Event02"), NO_LOG),
        (b"\1" + ONE[1:], NO_LOG),
        (
            ONE[:60],
            "event log: its first event: 33 bytes at offset 0x20 do not lie inside the 60 bytes given",
        ),
        (spec_id({}), "event log: it says that the TPM has 0 banks of PCRs"),
        (spec_id(dict.fromkeys(range(17), 1)), "event log: it says that the TPM has 17 banks of PCRs"),
        (spec_id({SHA256: 20}), "event log: it says that digests of sha256 have 20 bytes"),
        (spec_id({SM3: 0}), "event log: it says that digests of 0x0012 have 0 bytes"),
        (
            ONE + struct.pack("<II", 0, 8),
            "event log: event 1: 12 bytes at offset 0x41 do not lie inside the 73 bytes given",
        ),
        (ONE + event2(24, 8, [], b""), "event log: event 1 was measured into PCR 24: a TPM has 24"),
        (
            ONE + event2(0, 8, [(SHA256, bytes(32)), (SHA1, bytes(20))], b""),
            "event log: event 1 has 2 digests: the TPM has 1 banks",
        ),
        (
            ONE + event2(0, 8, [(SHA1, bytes(20))], b""),
            "event log: event 1 has a digest of 0x0004, which is not to be there",
        ),
        (
            spec_id({SHA256: 32, SHA1: 20}) + event2(0, 8, [(SHA256, bytes(32)), (SHA256, bytes(32))], b""),
            "event log: event 1 has a digest of 0x000b, which is not to be there",
        ),
        (
            ONE + event2(0, 8, [(SHA256, bytes(32))], b"abc")[:-1],
            "event log: event 1: 3 bytes at offset 0x73 do not lie inside the 117 bytes given",
        ),
        (bytes((1 << 22) + 1), "event log: 4194305 bytes are too many"),
    ],
)
def test_damage_is_told(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_log(data)
    assert caught.value.message == message
    assert caught.value.hint


def test_events_without_an_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcg_log, "MAX_EVENTS", 2)
    assert len(read_log(ONE + 2 * event2(1, 4, [], b""))) == 2
    with pytest.raises(FormatError, match="it has more than 2 events"):
        read_log(ONE + 3 * event2(1, 4, [], b""))


def test_what_is_told_alone_may_name_a_pcr_that_is_none() -> None:
    (event,) = read_log(ONE + event2(0xFFFF_FFFF, NO_ACTION, [], b"note"))
    assert (event.pcr, event.data) == (0xFFFF_FFFF, b"note")
    assert replay([event], "sha256") == {}


def test_what_ovmf_wrote_is_read() -> None:
    """The log of OVMF 2025.02 without Secure Boot, up to where it began to load an ISO's first program."""
    events = read_log((Path(__file__).parent.parent / "fixtures/ovmf-event-log.bin").read_bytes())
    assert [said(event) for event in events if event.pcr in (4, 7)] == [
        *(f"the variable {name}" for name in ("SecureBoot", "PK", "KEK", "db", "dbx")),
        END,
        "'Calling EFI Application from Boot Option'",
        END,
    ]
    assert set(events[0].digests) == {"sha1", "sha256", "sha384", "sha512"}
    assert replay(events, "sha256")[7].hex() == NO_SECURE_BOOT


END = "the end of what firmware measures before it starts anything (EV_SEPARATOR)"
NO_SECURE_BOOT = "b5710bf57d25623e4019027da116821fa99f5c81e9e38b87671cc574f9281439"
