import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.hwids import Device, read_hwids
from tests.fixtures import patch
from tests.fixtures.devicetree import hwids

ONE, TWO = "da1da34f-f6b1-5b0f-9c4d-6f7a7a0f7f0a", "11111111-f6b1-5b0f-9c4d-6f7a7a0f7f0a"
GOOD = hwids((1, ONE, "Acme Board", "acme,board"), (2, TWO, "Acme Phone", "fw-7"))


def test_entries_are_read() -> None:
    found = read_hwids(GOOD)
    assert found.devices == (
        Device("devicetree", ONE, "Acme Board", "acme,board"),
        Device("uefi-fw", TWO, "Acme Phone", "fw-7"),
    )
    assert found.in_short == "2 for Acme Board, Acme Phone"
    assert read_hwids(hwids()).in_short == "empty"
    assert read_hwids(hwids((3, ONE, "", ""))).devices[0].type == "type 3"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", ".hwids: its list has no end"),
        (GOOD[:56], ".hwids: its list has no end"),
        (GOOD[:40], ".hwids: entry: 28 bytes at offset 0x1c do not lie inside the 40 bytes given"),
        (
            patch(GOOD, 28, struct.pack("<I", 1 << 28 | 32)),
            ".hwids: the entry at offset 0x1c has 32 bytes, not 28",
        ),
    ],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_hwids(image)
    assert caught.value.message == message
