"""Signatures as Secure Boot wants them: of images (Authenticode), and of firmware's variables.

RSA by PKCS #1 v1.5, and no time of signing: the same key makes the same bytes each time.

Specifications: Microsoft, Windows Authenticode Portable Executable Signature Format (2008); RFC 2315
(PKCS #7); UEFI 2.10, §8.2.2
"""

import hashlib
from datetime import datetime
from typing import ClassVar

from asn1crypto import algos, cms, core, x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipeline.errors import PipelineError
from pipeline.formats.authenticode import INDIRECT_DATA, image_digest
from pipeline.formats.authenticode_attach import padded
from pipeline.formats.efi_auth import authenticated, signed_content
from pipeline.formats.pe import read_pe
from pipeline.formats.trust import MAX_SIGNATURE
from pipeline.trust.signer import Signer

PE_IMAGE = "1.3.6.1.4.1.311.2.1.15"  # SPC_PE_IMAGE_DATAOBJ
NO_FILE = bytes.fromhex("3025 030100 a020 a21e 801c") + "<<<Obsolete>>>".encode("utf-16-be")
"""SpcPeImageData without flags, and with the file's name that all signatures have."""

SHA256 = {"algorithm": "sha256", "parameters": core.Null()}


class _Image(core.Sequence):  # type: ignore[misc]
    """SpcAttributeTypeAndOptionalValue."""

    _fields: ClassVar[list[tuple[str, type]]] = [("type", core.ObjectIdentifier), ("value", core.Any)]


class _IndirectData(core.Sequence):  # type: ignore[misc]
    """SpcIndirectDataContent."""

    _fields: ClassVar[list[tuple[str, type]]] = [("data", _Image), ("digest", algos.DigestInfo)]


def authenticode_signature(image: bytes, signer: Signer, timestamp_url: str = "") -> bytes:
    """Return the signature of an image, PKCS #7 in DER, with the signer's certificates in it.

    With the address of a time stamping authority (RFC 3161) it says since when it has been there. Raises
    PipelineError where the signer has no certificate or the authority does not answer, and FormatError for
    what is no image.
    """
    digest = image_digest(read_pe(padded(image)), "sha256")
    content = _IndirectData(
        {
            "data": {"type": PE_IMAGE, "value": core.Any.load(NO_FILE)},
            "digest": {"digest_algorithm": SHA256, "digest": digest},
        },
        explicit=0,
    )
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": [cms.ContentType(INDIRECT_DATA)]},
            {"type": "message_digest", "values": [hashlib.sha256(content.contents or b"").digest()]},
        ]
    )
    by = _signer_info(signer, attributes.dump(), attributes)
    if timestamp_url:
        from pipeline.trust.timestamp import time_stamp

        token = cms.ContentInfo.load(time_stamp(timestamp_url, by["signature"].native))
        by["unsigned_attrs"] = [{"type": "microsoft_time_stamp_token", "values": [token]}]
    signed = _signed_data(signer, {"content_type": INDIRECT_DATA, "content": content}, by)
    made: bytes = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
    if len(made) > MAX_SIGNATURE:
        raise PipelineError(
            f"the signature has {len(made)} bytes, and firmware reads none of more than {MAX_SIGNATURE}",
            "give fewer certificates along with it",
        )
    return made


def signed_variable(
    variable: str, time: datetime, data: bytes, signer: Signer, *, append: bool = False
) -> bytes:
    """Return contents of PK, KEK, db or dbx as firmware takes them; with `append` they are added to it.

    `signer` has to be in the PK for PK and KEK, and in the KEK for db and dbx; firmware takes no contents
    that are older than those it has.
    """
    content = signed_content(variable, time, data, append=append)
    signed = _signed_data(signer, {"content_type": "data"}, _signer_info(signer, content))
    return authenticated(time, signed.dump(), data)


def _signer_info(
    signer: Signer, signed: bytes, attributes: cms.CMSAttributes | None = None
) -> cms.SignerInfo:
    """Return who signs, with the signature of these bytes."""
    if not signer.certificates:
        raise PipelineError(
            "Secure Boot knows signers by certificates, and there is none", "name it: --certificate FILE"
        )
    own = _certificates(signer)[0]
    said = {
        "version": "v1",
        "sid": cms.IssuerAndSerialNumber({"issuer": own.issuer, "serial_number": own.serial_number}),
        "digest_algorithm": SHA256,
        "signature_algorithm": {"algorithm": "rsassa_pkcs1v15", "parameters": core.Null()}
        if isinstance(signer.public, rsa.RSAPublicKey)
        else {"algorithm": "sha256_ecdsa"},
        "signature": signer.sign(signed),
    }
    return cms.SignerInfo(said | ({"signed_attrs": attributes} if attributes is not None else {}))


def _signed_data(signer: Signer, content: dict[str, object], by: cms.SignerInfo) -> cms.SignedData:
    return cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [SHA256],
            "encap_content_info": content,
            "certificates": _certificates(signer),
            "signer_infos": [by],
        }
    )


def _certificates(signer: Signer) -> list[x509.Certificate]:
    encoding = serialization.Encoding.DER
    return [x509.Certificate.load(one.public_bytes(encoding)) for one in signer.certificates]
