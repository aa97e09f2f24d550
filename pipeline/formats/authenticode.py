"""Owns reading the signatures of PE images: who signed, and whether the signature is of these very bytes.

Must not say whom to trust: that is the firmware's to know.

Specifications: Microsoft, Windows Authenticode Portable Executable Signature Format (2008), and PE Format,
"The Attribute Certificate Table"; RFC 2315 (PKCS #7)
"""

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from pipeline.errors import FormatError
from pipeline.formats.der import INTEGER, OCTETS, SEQUENCE, Value, read_value
from pipeline.formats.fields import chunks, cut, unpack
from pipeline.formats.pe import Pe

if TYPE_CHECKING:  # it takes long to load, and few images are signed
    from cryptography.x509 import Certificate, Name

PKCS_SIGNED_DATA = 2  # WIN_CERT_TYPE_PKCS_SIGNED_DATA, the only sort for programs
SIGNED_DATA = "1.2.840.113549.1.7.2"
INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
DIGESTS = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
ATTRIBUTES = CERTIFICATES = 0xA0  # the context tag, in a signer and in the signed data

MAX_SIGNATURES = 16
MAX_SIZE = 1 << 20  # bytes, of one signature
MAX_CHAIN = 64  # certificates that came along with one signature


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature says, and whether it is right; dates are `2023-11-14`."""

    subject: str  # common name of the signer
    issuer: str  # and of who vouches for it
    digest: str  # `sha256`
    covers_file: bool  # the digest is that of this file
    is_valid: bool  # the signature is that of the signer's key
    not_before: str
    not_after: str
    chain: tuple[str, ...]  # common names of all certificates that came along


def read_signatures(pe: Pe) -> tuple[Signature, ...]:
    """Read all signatures of the certificate table, and compare each with the image.

    Raises FormatError for a table that is damaged, and for an image whose sections nobody could hash.
    """
    if pe.certificates == (0, 0):
        return ()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import InvalidVersion

    digests: dict[str, bytes] = {}
    try:
        # cryptography warns of certificates that it takes, but that are not as they should be
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tuple(_read_signature(pe, data, digests) for data in _certificates(pe))
    except (ValueError, TypeError, InvalidVersion, UnsupportedAlgorithm) as error:
        raise FormatError(
            f"Authenticode: a certificate cannot be read: {error}", "sign the program again"
        ) from error


def _certificates(pe: Pe) -> Iterator[bytes]:
    """Yield the PKCS #7 structures of the certificate table; other sorts are of no use to firmware."""
    offset, size = pe.certificates
    cut(pe.image, offset, size, "Authenticode: certificate table")
    end = offset + size
    for _ in range(MAX_SIGNATURES):
        if end - offset < 8:
            return
        length, _, kind = unpack("<IHH", pe.image, offset, "Authenticode: certificate")
        if not 8 < length <= min(end - offset, MAX_SIZE):
            raise FormatError(
                f"Authenticode: the certificate at offset {offset:#x} cannot have {length} bytes",
                "sign the program again",
            )
        if kind == PKCS_SIGNED_DATA:
            yield bytes(pe.image[offset + 8 : offset + length])
        offset += length + -length % 8


def _read_signature(pe: Pe, data: bytes, digests: dict[str, bytes]) -> Signature:
    content = read_value(data)
    if content.child(0).oid() != SIGNED_DATA:
        raise FormatError("Authenticode: the certificate holds no signed data", "sign the program again")
    signed = content.child(1).child(0, SEQUENCE)
    indirect = signed.child(2, SEQUENCE)
    if indirect.child(0).oid() != INDIRECT_DATA:
        raise FormatError("Authenticode: what is signed is no digest of a program", "sign the program again")
    spc = indirect.child(1).child(0, SEQUENCE)
    info = spc.child(1, SEQUENCE)
    digest = _digest_name(info.child(0))
    if digest not in digests:
        digests[digest] = image_digest(pe, digest)
    *_, signers = signed.inside()
    signer = signers.child(0, SEQUENCE)
    chain = _read_chain(signed)
    certificate = next((one for one in chain if _is_of(signer, one)), None)
    if certificate is None:
        raise FormatError("Authenticode: the signer's certificate is not there", "sign the program again")
    return Signature(
        subject=_common_name(certificate.subject),
        issuer=_common_name(certificate.issuer),
        digest=digest,
        covers_file=info.child(1, OCTETS).body == digests[digest],
        is_valid=_verifies(signer, spc, certificate),
        not_before=f"{certificate.not_valid_before_utc:%Y-%m-%d}",
        not_after=f"{certificate.not_valid_after_utc:%Y-%m-%d}",
        chain=tuple(_common_name(one.subject) for one in chain),
    )


def _read_chain(signed: Value) -> "list[Certificate]":
    """Return all certificates that came along."""
    from cryptography.x509 import load_der_x509_certificate

    bag = signed.tagged(CERTIFICATES)
    return [load_der_x509_certificate(one.whole) for one in islice(bag.inside(), MAX_CHAIN)] if bag else []


def image_digest(pe: Pe, algorithm: str) -> bytes:
    """Return the Authenticode digest of an image: of all but its checksum and its signatures.

    Raises FormatError when a section runs past the end or two of them overlap.
    """
    total, (_, table_size) = len(pe.image), pe.certificates
    holes = [(pe.checksum_offset, 4), *([(pe.certificates_entry, 8)] if pe.certificates_entry else [])]
    ranges, at = list[tuple[int, int]](), 0
    for offset, size in holes:
        ranges.append((at, offset))
        at = offset + size
    ranges.append((at, max(pe.headers_size, at)))
    sections = sorted(
        (section.raw_offset, section.raw_offset + section.raw_size)
        for section in pe.sections
        if section.raw_size
    )
    for (_, end), (start, _) in pairwise(sections):
        if start < end:
            raise FormatError(
                f"Authenticode: sections overlap at offset {start:#x}: no digest can be made",
                "make the program again",
            )
    hashed = pe.headers_size + sum(end - start for start, end in sections)
    ranges += [*sections, (hashed, max(total - table_size, hashed))]
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for start, end in ranges:
        if start < end:
            for part in chunks(cut(pe.image, start, end - start, "Authenticode: the image")):
                digest.update(part)
    return digest.digest()


def _digest_name(algorithm: Value) -> str:
    """Return the name of a digest, given its AlgorithmIdentifier."""
    oid = algorithm.child(0).oid()
    if oid not in DIGESTS:
        raise FormatError(f"Authenticode: the digest {oid} is not known", "sign the program with sha256")
    return DIGESTS[oid]


def _is_of(signer: Value, certificate: "Certificate") -> bool:
    """Say whether a certificate is the one that the signer names, by its issuer and serial number."""
    named = signer.child(1, SEQUENCE)
    serial = int.from_bytes(named.child(1, INTEGER).body, "big", signed=True)
    return serial == certificate.serial_number and named.child(0).whole == certificate.issuer.public_bytes()


def _common_name(name: "Name") -> str:
    """Return the common name, or all of it where there is none."""
    from cryptography.x509 import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _verifies(signer: Value, spc: Value, certificate: "Certificate") -> bool:
    """Say whether the signature is one of the signer's key, over what says the digest of the program."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    name = _digest_name(signer.child(2, SEQUENCE))
    attributes, signature = signer.tagged(ATTRIBUTES), signer.tagged(OCTETS)
    if signature is None:
        raise FormatError("Authenticode: the signer has no signature", "sign the program again")
    data = spc.body
    if attributes is not None:
        told = [one.child(1).child(0) for one in attributes.inside() if one.child(0).oid() == MESSAGE_DIGEST]
        if [one.body for one in told] != [hashlib.new(name, data, usedforsecurity=False).digest()]:
            return False
        # what is signed has the tag of a set, not the one that stands in the signer
        data = b"\x31" + attributes.whole[1:]
    algorithm: hashes.HashAlgorithm = getattr(hashes, name.upper())()
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature.body, data, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature.body, data, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True
