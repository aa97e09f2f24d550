import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.iso9660 import Member, is_iso9660, read_iso9660
from tests.fixtures import patch
from tests.fixtures.iso import iso

GOOD = iso()
TIME = "2023-11-14 22:13:20"


def test_the_file_system_is_read() -> None:
    found = read_iso9660(GOOD)
    assert (found.has_rock_ridge, found.has_joliet) == (True, True)
    assert (found.created, found.modified) == (TIME, TIME)
    assert found.size == struct.unpack_from("<I", GOOD, 16 * 2048 + 80)[0] * 2048
    assert found.members == (
        Member("/", TIME, (0, 0)),
        Member("/boot.cat", TIME, (0, 0)),
        Member("/efi.img", TIME, (0, 0)),
    )


def test_without_rock_ridge_there_are_no_owners() -> None:
    found = read_iso9660(iso(rock_ridge=False, joliet=False))
    assert (found.has_rock_ridge, found.has_joliet) == (False, False)
    assert found.members == (
        Member("/", TIME, None),
        Member("/BOOT.CAT;1", TIME, None),
        Member("/EFI.IMG;1", TIME, None),
    )


def test_an_iso_is_known_by_its_descriptor() -> None:
    assert is_iso9660(GOOD)
    assert not is_iso9660(GOOD[: 16 * 2048 + 5])


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "ISO 9660: the file system cannot be read: Failed to read entire volume descriptor"),
        (
            patch(GOOD, 16 * 2048 + 156, bytes(10)),
            "ISO 9660: the file system cannot be read: Invalid padding on ISO",
        ),
    ],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_iso9660(image)
    assert caught.value.message == message
