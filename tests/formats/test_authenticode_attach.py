"""Attached signatures are read again, and the same for everybody; against sbattach: tests/trust."""

import struct

import pefile
import pytest

from pipeline.errors import FormatError
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.authenticode_attach import attached, checksum, padded
from pipeline.formats.pe import read_pe
from tests.fixtures import patch
from tests.fixtures.pe import PE_OFFSET, pe
from tests.fixtures.signed import EC, RSA, SECURITY, UNSIGNED, signed
from tests.fixtures.signer import pkcs7

ODD = UNSIGNED + b"behind the sections"


@pytest.mark.parametrize("image", [UNSIGNED, ODD])
def test_what_is_attached_is_read(image: bytes) -> None:
    made = attached(image, [pkcs7(padded(image), "one"), pkcs7(padded(image), "two")])
    assert [(one.subject, one.fault) for one in read_signatures(read_pe(made))] == [("one", ""), ("two", "")]
    at = read_pe(image).checksum_offset
    assert patch(patch(made[: len(image)], SECURITY, bytes(8)), at, bytes(4)) == image


def test_one_after_the_other_is_the_same_as_both_at_once() -> None:
    at = read_pe(UNSIGNED).checksum_offset
    both = attached(UNSIGNED, [RSA, EC])
    assert both == attached(attached(UNSIGNED, [RSA]), [EC])
    assert patch(both, at, bytes(4)) == signed(RSA, EC)


def test_none_changes_nothing() -> None:
    assert attached(ODD, []) == ODD


@pytest.mark.parametrize("image", [attached(UNSIGNED, [RSA]), padded(ODD), b"MZ" + b"\xff" * 4094])
def test_the_checksum_is_that_of_pefile(image: bytes) -> None:
    made = UNSIGNED[: PE_OFFSET + 248] + image[PE_OFFSET + 248 :]
    at = read_pe(made).checksum_offset
    assert checksum(patch(made, at, bytes(4))) == pefile.PE(data=made).generate_checksum()


def test_the_checksum_of_nothing_is_its_size() -> None:
    assert checksum(bytes(8)) == 8
    assert checksum(b"\xff" * 8) == 0xFFFF + 8


@pytest.mark.parametrize(
    ("image", "signature", "message"),
    [
        (patch(UNSIGNED, 0x400, b"X"), RSA, "Authenticode: the signature is of another file"),
        (ODD, RSA, "Authenticode: the signature is of another file"),
        (UNSIGNED, RSA[:-1], f"DER: a value is cut off: {RSA[:8].hex()}, of {len(RSA) - 1} bytes"),
        (UNSIGNED, b"\x30\x03\x06\x01\x2a", "Authenticode: the certificate holds no signed data"),
        (
            signed(RSA) + bytes(8),
            EC,
            "Authenticode: the certificate table is not at the end of the file",
        ),
        (
            patch(UNSIGNED, PE_OFFSET + 24 + 108, struct.pack("<I", 4)),
            RSA,
            "PE: the headers have no room for the place of a certificate table",
        ),
    ],
)
def test_what_cannot_be_attached_is_told(image: bytes, signature: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        attached(image, [signature])
    assert caught.value.message == message
    assert caught.value.hint


def test_any_changed_byte_of_the_image_is_noticed() -> None:
    free = {*range(SECURITY, SECURITY + 8), *range(0x98, 0x9C)}  # nobody signs these
    for at in range(0, len(UNSIGNED), 7):
        if at not in free and at >= 0x400:
            with pytest.raises(FormatError, match="another file"):
                attached(patch(UNSIGNED, at, bytes([UNSIGNED[at] ^ 1])), [RSA])


def test_what_is_signed_may_be_a_whole_uki() -> None:
    image = pe({".text": b"x" * 5_000, ".linux": b"y" * 70_001})
    assert read_signatures(read_pe(attached(image, [pkcs7(image)])))[0].covers_file
