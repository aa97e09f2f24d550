import struct
from uuid import UUID

import pytest

from pipeline.errors import FormatError
from pipeline.formats.efi_signature_list import (
    SHA256,
    X509,
    Entry,
    read_signature_lists,
    signature_lists,
)

OWNER = UUID("11111111-2222-3333-4444-555555555555")
ONE, TWO = Entry(X509, OWNER, b"certificate"), Entry(X509, OWNER, b"another one")
DIGESTS = [Entry(SHA256, OWNER, bytes([number]) * 32) for number in range(3)]


def test_the_bytes_are_those_of_the_specification() -> None:
    assert signature_lists([ONE]) == (
        bytes.fromhex("a159c0a5 e494 a74a 87b5 ab155c2bf072")
        + struct.pack("<III", 28 + 16 + 11, 0, 16 + 11)
        + bytes.fromhex("11111111 2222 3333 4444 555555555555")
        + b"certificate"
    )


@pytest.mark.parametrize(
    ("entries", "size"),
    [
        ([], 0),
        ([ONE], 55),
        ([ONE, TWO], 110),
        (DIGESTS, 28 + 3 * 48),
        ([ONE, *DIGESTS, TWO, *DIGESTS], 110 + 2 * (28 + 3 * 48)),
    ],
)
def test_what_is_written_is_read(entries: list[Entry], size: int) -> None:
    data = signature_lists(entries)
    assert len(data) == size
    assert list(read_signature_lists(data)) == entries


GOOD = signature_lists(DIGESTS)


@pytest.mark.parametrize(
    ("data", "at", "size", "header", "entry"),
    [
        (GOOD[:-1], 0, 172, 0, 48),
        (GOOD + SHA256.bytes_le + struct.pack("<III", 28, 4, 48), 172, 28, 4, 48),
        (SHA256.bytes_le + struct.pack("<III", 29, 0, 0) + b"x", 0, 29, 0, 0),
        (SHA256.bytes_le + struct.pack("<III", 0, 0, 48), 0, 0, 0, 48),
    ],
)
def test_what_is_none_is_told(data: bytes, at: int, size: int, header: int, entry: int) -> None:
    with pytest.raises(FormatError) as caught:
        list(read_signature_lists(data))
    assert caught.value.message == (
        f"EFI signature list: the one at offset {at:#x} cannot have {size} bytes with a header of {header} "
        f"and entries of {entry}"
    )


def test_what_is_cut_off_is_told() -> None:
    with pytest.raises(FormatError, match="28 bytes at offset 0x0 do not lie inside the 20 bytes given"):
        list(read_signature_lists(GOOD[:20]))


def test_an_own_header_of_a_list_is_passed_over() -> None:
    data = SHA256.bytes_le + struct.pack("<III", 28 + 4 + 48, 4, 48) + b"head" + OWNER.bytes_le + bytes(32)
    assert list(read_signature_lists(data)) == [Entry(SHA256, OWNER, bytes(32))]
