import re
import struct
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.formats.authenticode import Signature, every_signature, image_digest, read_signatures
from pipeline.formats.pe import read_pe
from tests.fixtures import keys, patch
from tests.fixtures.pe import pe, section_field
from tests.fixtures.signed import EC, RSA, SECURITY, UNSIGNED, signed
from tests.fixtures.signer import pkcs7, signed_data
from tests.fixtures.sparse import counted, sparse

GOOD = signed(RSA, EC)


def read(image: bytes) -> tuple[Signature, ...]:
    return read_signatures(read_pe(image))


def test_signatures_are_read() -> None:
    first, second = read(GOOD)
    assert (first.subject, first.issuer, first.digest) == ("Test signer", "Test signer", "sha256")
    assert (first.covers_file, first.is_valid) == (True, True)
    assert (first.not_before, first.not_after) == ("2026-11-21", "2036-11-18")
    assert (second.subject, second.digest, second.chain) == ("Second signer", "sha384", ("Second signer",))
    assert (second.covers_file, second.is_valid) == (True, True)


def test_an_image_may_have_none() -> None:
    assert read(UNSIGNED) == ()


def test_other_sorts_of_certificates_are_passed_over() -> None:
    assert read(signed(RSA, kind=1)) == ()


def test_the_checksum_is_not_covered() -> None:
    pe_file = read_pe(GOOD)
    (first, _) = read(patch(GOOD, pe_file.checksum_offset, b"\1\2\3\4"))
    assert first.covers_file


@pytest.mark.parametrize("offset", [2, SECURITY - 8, 0x400, 0x5FF, len(UNSIGNED) - 1])
def test_a_change_anywhere_is_seen(offset: int) -> None:
    (signature,) = read(signed(RSA, image=patch(UNSIGNED, offset, bytes([UNSIGNED[offset] ^ 0xFF]))))
    assert (signature.covers_file, signature.is_valid) == (False, True)


def test_what_is_appended_is_covered() -> None:
    (signature,) = read(signed(RSA, image=UNSIGNED + bytes(8)))
    assert not signature.covers_file


@pytest.mark.parametrize("blob", [RSA, EC], ids=["RSA", "EC"])
def test_a_change_of_the_signature_is_seen(blob: bytes) -> None:
    at = blob.rindex(b"\x04", 0, len(blob) - 60) + 60
    (signature,) = read(signed(patch(blob, at, bytes([blob[at] ^ 1]))))
    assert (signature.covers_file, signature.is_valid) == (True, False)


def test_a_change_of_the_signed_digest_is_seen() -> None:
    digest = image_digest(read_pe(GOOD), "sha256")
    at = RSA.index(digest)
    (signature,) = read(signed(patch(RSA, at, bytes(32))))
    assert (signature.covers_file, signature.is_valid) == (False, False)


@pytest.mark.parametrize("blob", [RSA, EC], ids=["RSA", "EC"])
def test_any_other_byte_makes_no_other_signature(blob: bytes) -> None:
    parsed = read_pe(signed(blob))
    for at in range(len(blob)):
        image = signed(patch(blob, at, bytes([blob[at] ^ 0x55])))
        try:
            found = read_signatures(read_pe(image))
        except FormatError:
            continue
        assert len(found) == 1
    assert read_signatures(parsed)[0].is_valid


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (
            GOOD[:-8],
            f"Authenticode: certificate table: {len(GOOD) - len(UNSIGNED)} bytes at offset 0x800 do not lie "
            f"inside the {len(GOOD) - 8} bytes given",
        ),
        (
            patch(GOOD, len(UNSIGNED), struct.pack("<I", 8)),
            "Authenticode: the certificate at offset 0x800 cannot have 8 bytes",
        ),
        (
            patch(GOOD, len(UNSIGNED), struct.pack("<I", 1 << 30)),
            "Authenticode: the certificate at offset 0x800 cannot have 1073741824 bytes",
        ),
        (signed(b"\x30\x03\x06\x01\x2a"), "Authenticode: the certificate holds no signed data"),
        (signed(RSA[:-1]), f"DER: a value is cut off: {RSA[:8].hex()}, of {len(RSA) - 1} bytes"),
        (
            signed(
                RSA.replace(bytes.fromhex("2b060104018237020104"), bytes.fromhex("2b060104018237020105"), 1)
            ),
            "Authenticode: what is signed is no digest of a program",
        ),
        (
            signed(RSA.replace(bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040209"))),
            "Authenticode: the digest 2.16.840.1.101.3.4.2.9 is not known",
        ),
        (
            patch(GOOD, section_field(GOOD, ".data", 20), struct.pack("<I", 0x400)),
            "Authenticode: sections overlap at offset 0x400: no digest can be made",
        ),
        (
            patch(GOOD, section_field(GOOD, ".data", 16), struct.pack("<I", 0x10000)),
            "Authenticode: the image: 65536 bytes at offset 0x600 do not lie inside "
            f"the {len(GOOD)} bytes given",
        ),
    ],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(image)
    assert caught.value.message == message


BEHIND = ": firmware reads them as part of the program, and nobody signed them"
CHANGED = "the signature is of another file: it was changed after it was signed"
ONE = signed(RSA)


def shifted(image: bytes, count: int, *, table: int = len(UNSIGNED)) -> bytes:
    """The image with bytes put in between what was signed and its certificate table."""
    size = len(image) - table
    return (
        patch(image, SECURITY, struct.pack("<II", table + count, size))[:table] + bytes(count) + image[table:]
    )


@pytest.mark.parametrize(
    ("image", "fault"),
    [
        (ONE, ""),
        (
            shifted(ONE, 4),
            "4 bytes lie between what was signed and its certificate table, and so it begins at 0x804, "
            "no multiple of 8" + BEHIND,
        ),
        (shifted(ONE, 16), "16 bytes lie between what was signed and its certificate table" + BEHIND),
        (ONE + b"APPENDED", "8 bytes were appended behind its certificate table" + BEHIND),
        (
            shifted(ONE, 4) + b"APPENDED",
            "4 bytes lie between what was signed and its certificate table, and so it begins at 0x804, "
            "no multiple of 8 and 8 bytes were appended behind its certificate table" + BEHIND,
        ),
        (patch(ONE, 0x400, b"X"), CHANGED),
        (patch(ONE, 0x400, b"X") + b"APPENDED", CHANGED),
        (
            signed(patch(RSA, len(RSA) - 1, bytes([RSA[-1] ^ 1]))),
            "the signature was not made with the signer's key",
        ),
        (signed(pkcs7(UNSIGNED, digest="md5")), "its digest is md5, which firmware does not take"),
    ],
)
def test_why_a_signature_is_not_taken(image: bytes, fault: str) -> None:
    (signature,) = read(image)
    assert signature.fault == fault


def test_firmware_passes_over_a_signature_that_it_cannot_read() -> None:
    first, second = read(signed(b"no DER at all", RSA))
    assert (first.subject, second.subject, second.fault) == ("", "Test signer", "")
    assert first.fault.startswith("cannot be read: DER: a value is cut off: ")


def made(
    *names: str, bring: tuple[str, ...] = ("vendor",), announced: tuple[str, ...] = (), by: str = ""
) -> bytes:
    """A signature of the image, by a key that `names` begins with."""
    bag = [keys.certificate(name) for name in names or bring]
    own = (names or ("vendor",))[0]
    return signed_data(UNSIGNED, keys.key(own), keys.certificate(own), bag, "sha256", announced, by)


SHA256_OF_IT = f"sha256 {image_digest(read_pe(UNSIGNED), 'sha256').hex()}"
SHA384_OF_IT = f"sha384 {image_digest(read_pe(UNSIGNED), 'sha384').hex()}"


@pytest.mark.parametrize(
    ("blob", "fault", "trust"),
    [
        (made("signer"), "", ["certificate", "issuer CN=Jury root", SHA256_OF_IT]),
        (made(announced=("sha256", "sha512"), by="sha512"), "", ["certificate", SHA256_OF_IT]),
        (made(by="sha512"), "it is made with sha512, which is not announced", [SHA256_OF_IT]),
        (
            made(announced=("sha384",)),
            "its digest is sha256, and firmware makes sha384, which is announced first",
            [SHA384_OF_IT],
        ),
        (
            made(bring=("vendor",) * 100),
            "it has 71310 bytes, and firmware reads none of more than 65539",
            [],
        ),
    ],
)
def test_what_starts_an_image_for_a_signature(blob: bytes, fault: str, trust: list[str]) -> None:
    (signature,) = read(signed(blob))
    assert (signature.fault, signature.is_rsa) == (fault, True)
    assert [re.sub("^certificate .*", "certificate", each) for each in signature.trust] == trust
    assert [one.is_rsa for one in read(GOOD)] == [True, False]


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (made(bring=()), "Authenticode: the signer's certificate is not there"),
        (made()[:-100], f"DER: a value is cut off: {made()[:8].hex()}, of {len(made()) - 100} bytes"),
    ],
)
def test_firmware_refuses_an_image_for_a_signature_without_a_signer(blob: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(signed(blob, RSA))
    assert caught.value.message == message


def test_firmware_passes_over_what_signs_no_program() -> None:
    other, nobody_s = (
        one.replace(bytes.fromhex("2b060104018237020104"), bytes.fromhex("2b060104018237020105"))
        for one in (made(), made(bring=()))
    )
    assert [one.fault for one in read(signed(other, RSA))] == [
        "cannot be read: Authenticode: what is signed is no digest of a program",
        "",
    ]
    vendor_s, without = every_signature(read_pe(signed(other, nobody_s)))
    assert (vendor_s.trust, vendor_s.wants_signer) == ((SHA256_OF_IT,), False)
    assert vendor_s.bag == (keys.certificate("vendor"), keys.certificate("vendor"))
    assert (without.bag, without.trust, without.wants_signer) == ((), (), True)


def test_of_what_cannot_be_read_the_digest_is_told_that_firmware_makes() -> None:
    cut_off, garbage = every_signature(read_pe(signed(made()[:-100], b"no DER at all")))
    assert (cut_off.image_digest, cut_off.trust, cut_off.wants_signer) == (SHA256_OF_IT, (), True)
    assert (garbage.image_digest, garbage.trust, garbage.wants_signer) == ("", (), False)


def test_a_table_inside_what_is_signed_is_told() -> None:
    image = patch(UNSIGNED, SECURITY, struct.pack("<II", len(UNSIGNED) - 0x200, 0x200))
    with pytest.raises(FormatError, match="lies in what is signed"):
        image_digest(read_pe(image), "sha256")


def test_a_large_image_is_hashed_in_parts(tmp_path: Path) -> None:
    image = pe({".text": bytes(70 << 20)})
    with counted() as count:
        read_pe(sparse(tmp_path / "it", len(image), {0: image[:4096]}))
        assert count() < 200_000
    parsed = read_pe(sparse(tmp_path / "it", len(image), {0: image[:4096]}))
    assert image_digest(parsed, "sha256") == image_digest(read_pe(image), "sha256")
