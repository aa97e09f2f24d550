"""Signatures are right by our own reader, and the same each time; what others say of them: test_judges."""

import hashlib
from datetime import UTC, datetime

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pipeline.errors import FormatError, PipelineError
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.authenticode_attach import attached
from pipeline.formats.efi_auth import read_authenticated, signed_content
from pipeline.formats.pe import read_pe
from pipeline.formats.trust import verifies
from pipeline.trust.cms import authenticode_signature, signed_variable
from pipeline.trust.signer import Signer
from tests.fixtures import keys
from tests.fixtures.signed import UNSIGNED
from tests.fixtures.uki import uki

TIME = datetime(2026, 11, 28, 7, 0, tzinfo=UTC)


def signer(*names: str) -> Signer:
    """The first key, with the certificates of all."""
    key = keys.key(names[0])

    def sign(data: bytes) -> bytes:
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return key.sign(data, ec.ECDSA(hashes.SHA256()))

    return Signer(key.public_key(), tuple(map(keys.certificate, names)), sign)


@pytest.mark.parametrize("image", [UNSIGNED, UNSIGNED + b"odd", uki()])
@pytest.mark.parametrize("names", [("vendor",), ("ec",), ("below", "intermediate", "root")])
def test_a_signature_is_of_its_image(image: bytes, names: tuple[str, ...]) -> None:
    made = attached(image, [authenticode_signature(image, signer(*names))])
    (found,) = read_signatures(read_pe(made))
    assert (found.fault, found.digest, found.covers_file, found.is_valid) == ("", "sha256", True, True)
    assert (found.subject, len(found.chain)) == (f"Jury {names[0]}", len(names))


def test_the_same_key_makes_the_same_bytes() -> None:
    one = authenticode_signature(UNSIGNED, signer("vendor"))
    assert one == authenticode_signature(UNSIGNED, signer("vendor"))
    assert hashlib.sha256(one).hexdigest() == (
        "7c05fff0bad32aa81fbd0df7cc5700dcbf0e0d6376769f08c05a2ca08eedff64"
    )


def test_a_second_one_is_of_the_same_bytes() -> None:
    first = attached(UNSIGNED, [authenticode_signature(UNSIGNED, signer("vendor"))])
    second = authenticode_signature(first, signer("stranger"))
    assert second == authenticode_signature(UNSIGNED, signer("stranger"))
    assert [one.subject for one in read_signatures(read_pe(attached(first, [second])))] == [
        "Jury vendor",
        "Jury stranger",
    ]


@pytest.mark.parametrize(
    ("variable", "append"), [("PK", False), ("KEK", False), ("db", True), ("dbx", False)]
)
def test_a_variable_is_signed(variable: str, append: bool) -> None:
    by = signer("owner")
    made = read_authenticated(signed_variable(variable, TIME, b"contents", by, append=append))
    assert (made.time, made.data) == (TIME, b"contents")
    signed = cms.SignedData.load(made.signature, strict=True)
    assert made.signature[13:22] == bytes.fromhex("608648016503040201")  # where EDK II looks for SHA-256
    (info,) = signed["signer_infos"]
    assert signed["encap_content_info"]["content"].native is None
    content = signed_content(variable, TIME, b"contents", append=append)
    assert verifies(by.public, info["signature"].native, content, "sha256")
    assert not verifies(
        by.public, info["signature"].native, signed_content(variable, TIME, b"", append=append), "sha256"
    )


def test_who_has_no_certificate_cannot_sign() -> None:
    bare = Signer(signer("vendor").public, (), lambda _: b"")
    with pytest.raises(PipelineError, match="knows signers by certificates, and there is none"):
        authenticode_signature(UNSIGNED, bare)


def test_what_firmware_would_not_read_is_not_made() -> None:
    many = signer("vendor", *["root"] * 100)
    with pytest.raises(PipelineError, match="firmware reads none of more than 65539"):
        authenticode_signature(UNSIGNED, many)


def test_what_is_no_image_is_told() -> None:
    with pytest.raises(FormatError):
        authenticode_signature(b"text", signer("vendor"))
