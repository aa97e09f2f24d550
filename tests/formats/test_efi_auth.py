from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipeline.errors import FormatError
from pipeline.formats.efi_auth import (
    Authenticated,
    authenticated,
    efi_time,
    read_authenticated,
    signed_content,
)

TIME = datetime(2026, 11, 28, 7, 5, 9, 123456, tzinfo=UTC)
HEX = "ea07 0b 1c 07 05 09 00 00000000 0000 00 00"
SIGNED = authenticated(TIME, b"\x30\0", b"data")


def test_times_are_in_utc_and_nothing_but_seconds() -> None:
    assert efi_time(TIME) == bytes.fromhex(HEX)
    assert efi_time(TIME.astimezone(timezone(timedelta(hours=9)))) == bytes.fromhex(HEX)


def test_the_bytes_are_those_of_the_specification() -> None:
    assert (
        bytes.fromhex(HEX)
        + bytes.fromhex("1a000000 0002 f10e 9dd2af4a df68 ee49 8aa9 347d375665a7")
        + b"\x30\0data"
    ) == SIGNED
    assert read_authenticated(SIGNED) == Authenticated(TIME.replace(microsecond=0), b"\x30\0", b"data")


@pytest.mark.parametrize(
    ("variable", "append", "begins"),
    [
        ("PK", False, "5000 4b00 61dfe48b ca93 d211 aa0d 00e098032b8c 27000000"),
        ("dbx", True, "6400 6200 7800 cbb219d7 3a3d 9645 a3bc dad00e67656f 67000000"),
    ],
)
def test_what_is_signed(variable: str, append: bool, begins: str) -> None:
    content = signed_content(variable, TIME, b"data", append=append)
    assert content == bytes.fromhex(begins) + bytes.fromhex(HEX) + b"data"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (SIGNED[:15], ".auth: time: 16 bytes at offset 0x0 do not lie inside the 15 bytes given"),
        (SIGNED[:41], ".auth: signature: 2 bytes at offset 0x28 do not lie inside the 41 bytes given"),
        (bytes([*SIGNED[:6], 99, *SIGNED[7:]]), ".auth: its time is none: second must be in 0..59"),
        (
            bytes([*SIGNED[:7], 1, *SIGNED[8:]]),
            ".auth: it does not begin with a time and a signature",
        ),
        (
            bytes([*SIGNED[:21], 1, *SIGNED[22:]]),
            ".auth: it does not begin with a time and a signature",
        ),
    ],
)
def test_what_is_none_is_told(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_authenticated(data)
    assert caught.value.message.startswith(message)
