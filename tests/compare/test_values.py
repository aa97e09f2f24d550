"""How values are written."""

import pytest

from pipeline.compare import values
from pipeline.compare.span import Show


@pytest.mark.parametrize(
    ("show", "data", "expected"),
    [
        (values.raw, b"\x01\xff", "01ff"),
        (values.raw, bytes(17), "17 bytes"),
        (values.little, b"\x01\x02", "513"),
        (values.little_hex, b"\x01\x02", "0x201"),
        (values.big, b"\x01\x02", "258"),
        (values.text, b"EFI     ", "'EFI'"),
        (values.text, b"a\0b", "610062"),
        (values.text, b"\xff", "'\\\\xff'"),
        (values.utf16, b"E\0F\0\0\0", "'EF'"),
        (values.utf16_big, b"\0E\0F", "'EF'"),
        (values.guid, bytes(15) + b"\1", "00000000-0000-0000-0000-000000000001"),
        (values.guid, b"\1", "01"),
        (values.hex_digits, b"0000000a", "10"),
        (values.hex_digits, b"0000000x", "'0000000x'"),
        (values.hex_digits_octal, b"000081a4", "0o100644"),
        (values.hex_digits_octal, b"000081ax", "'000081ax'"),
        (values.octal_digits, b"0000644\0", "420"),
        (values.decimal_digits, b"12    ", "12"),
        (values.dos_date, b"\x6e\x57", "2023-11-14"),
        (values.dos_time, b"\xaa\xb1", "22:13:20"),
        (values.record_time, bytes([123, 11, 14, 22, 13, 20, 0]), "2023-11-14 22:13:20+0min"),
        (values.record_time, bytes([123, 11, 14, 22, 13, 20, 0xFC]), "2023-11-14 22:13:20-60min"),
        (values.record_time, b"\1", "01"),
    ],
)
def test_values(show: Show, data: bytes, expected: str) -> None:
    assert show(data) == expected
