"""Certificate tables as EDK II walks them: a program whose table it cannot walk to the end is refused."""

import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.certificates import UEFI_PKCS7, certificates
from pipeline.formats.pe import read_pe
from tests.fixtures import patch
from tests.fixtures.signed import SECURITY, UNSIGNED, signed

START = len(UNSIGNED)


def read(image: bytes) -> list[bytes]:
    return list(certificates(read_pe(image)))


def table(data: bytes) -> bytes:
    """An image with this table."""
    return patch(UNSIGNED, SECURITY, struct.pack("<II", START, len(data))) + data


def entry(data: bytes, kind: int = 2) -> bytes:
    return struct.pack("<IHH", len(data) + 8, 0x200, kind) + data + bytes(-len(data) % 8)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (UNSIGNED, []),
        (table(entry(b"a") + entry(b"bb" * 9)), [b"a", b"bb" * 9]),
        (table(entry(b"x", kind=1) + entry(b"other", kind=0x0EF0) + entry(b"b")), [b"b"]),
        (table(entry(UEFI_PKCS7 + b"a", kind=0x0EF1) + entry(bytes(16) + b"b", kind=0x0EF1)), [b"a"]),
        (table(entry(b"", kind=1) + entry(b"b")), [b"b"]),
        # lengths are rounded up by some signers
        (patch(table(entry(b"a")), START, struct.pack("<I", 16)), [b"a" + bytes(7)]),
    ],
)
def test_certificates_are_read(image: bytes, found: list[bytes]) -> None:
    assert read(image) == found


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (
            table(entry(b"a"))[:-8],
            "certificate table: 16 bytes at offset 0x800 do not lie inside the 2056 bytes given",
        ),
        (
            table(entry(bytes(16), kind=0x0EF1) + entry(b"b")),
            "the certificate at offset 0x800 cannot have 24 bytes",
        ),
        (table(entry(b"")), "the certificate at offset 0x800 cannot have 8 bytes"),
        (
            table(struct.pack("<IHH", 17, 0x200, 2) + b"a"),
            "the certificate at offset 0x800 cannot have 17 bytes",
        ),
        (
            table(entry(b"a") + b"SMUGGLED" * 4),
            "behind the last certificate, at offset 0x810, "
            "the certificate table has 32 more bytes, which are none",
        ),
        (
            table(entry(b"a") + bytes(4)),
            "behind the last certificate, at offset 0x810, "
            "the certificate table has 4 more bytes, which are none",
        ),
        (
            table(entry(b"a")[:9]),
            "the certificate table has 9 bytes, no multiple of 8, "
            "so that its last certificate ends behind it",
        ),
    ],
)
def test_what_else_is_in_a_table_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(image)
    assert caught.value.message == f"Authenticode: {message}"


def test_an_image_without_room_for_the_entry_has_none() -> None:
    assert read(signed()) == []
