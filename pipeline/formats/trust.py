"""The entries of firmware's db that each start an image alone: the certificates that vouch for its signer,
and its digest; and whether a key made a signature.

`certificate` is followed by the SHA-256 of a certificate that the image brings, `issuer` by the name (RFC
4514) of one that it does not, and an algorithm such as `sha256` by the image's digest.

Specifications: UEFI 2.10, §32.4.1 "Signature Database"; RFC 5280, §4.2.1.9 and §6.1. EDK II asks of a chain
what OpenSSL does, but for dates and for what a key is to be used.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it takes long to load, and few images are signed
    from cryptography.x509 import Certificate, Extension, ExtensionType

MAX_PATH = 8  # certificates from the signer's upwards
MAX_NAMESAKES = 4  # certificates with the name of an issuer that are tried
MAX_SIGNATURE = 0xFFFF + 4  # bytes: EDK II wants a length of two bytes, behind tag and size
CRITICAL = frozenset(
    [f"2.5.29.{number}" for number in (15, 17, 19, 30, 31, 32, 33, 36, 37, 54)]
    + ["1.3.6.1.5.5.7.1.14", "2.16.840.1.113730.1.1"]
)
"""Extensions that OpenSSL knows, so that they may be critical."""


def by_digest(algorithm: str, digest: bytes) -> str:
    """Return the entry that holds an image's digest."""
    return f"{algorithm} {digest.hex()}"


def by_certificates(signer: "Certificate", others: "Sequence[Certificate]") -> Iterator[str]:
    """Yield the entries that hold a certificate: the signer's, and those above, as far as they came along."""
    from cryptography.hazmat.primitives.hashes import SHA256

    one = signer
    for below in range(MAX_PATH):
        yield f"certificate {one.fingerprint(SHA256()).hex()}"
        if one.issuer == one.subject:
            return
        namesakes = list(islice((each for each in others if each.subject == one.issuer), MAX_NAMESAKES))
        above = next((each for each in namesakes if _issued(each, one)), None)
        if above is None:
            yield f"issuer {one.issuer.rfc4514_string()}"
        if above is None or unknown_extension(above) or not _may_issue(above, below):
            return
        one = above


def vouches(known: "Certificate", chain: "Sequence[Certificate]") -> bool:
    """Tell whether a certificate that firmware knows vouches for the first of a chain that came along.

    It need not have come along itself.
    """
    from cryptography.hazmat.primitives.hashes import SHA256

    own = f"certificate {known.fingerprint(SHA256()).hex()}"
    return own in by_certificates(chain[0], [known, *chain[1:]])


def not_taken(signer: "Certificate", size: int, digest: str, announced: Sequence[str], made: str) -> str:
    """Return why EDK II does not take a signature of `size` bytes that is right, a clause; "" where it does.

    `digest` is that of the image, `made` the one with which the signature is made.
    """
    odd = unknown_extension(signer)
    if size > MAX_SIGNATURE:
        return f"it has {size} bytes, and firmware reads none of more than {MAX_SIGNATURE}"
    if announced[0] != digest:
        return f"its digest is {digest}, and firmware makes {announced[0]}, which is announced first"
    if made not in announced:
        return f"it is made with {made}, which is not announced"
    return f"the certificate has the critical extension {odd}, which firmware does not know" if odd else ""


def verifies(key: object, signature: bytes, data: bytes, algorithm: str) -> bool | None:
    """Tell whether a signature of data, hashed as told, is one of a key; None for no RSA or EC key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    hashed: hashes.HashAlgorithm = getattr(hashes, algorithm.upper())()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(hashed))
        else:
            return None
    except InvalidSignature:
        return False
    return True


def unknown_extension(certificate: "Certificate") -> str:
    """Return the first critical extension for which firmware refuses a certificate, in dots, "" for none."""
    found = (each.oid.dotted_string for each in _extensions(certificate) if each.critical)
    return next((oid for oid in found if oid not in CRITICAL), "")


def _extensions(certificate: "Certificate") -> "Sequence[Extension[ExtensionType]]":
    """Return the extensions, none where one cannot be read."""
    from cryptography.x509 import DuplicateExtension, UnsupportedGeneralNameType

    try:
        return list(certificate.extensions)
    except (ValueError, DuplicateExtension, UnsupportedGeneralNameType):
        return []


def _issued(issuer: "Certificate", certificate: "Certificate") -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _may_issue(certificate: "Certificate", below: int) -> bool:
    """Tell whether it is that of a CA, which may have that many CAs between itself and the signer."""
    from cryptography.x509 import BasicConstraints, KeyUsage, Version

    found = {type(each.value): each.value for each in _extensions(certificate)}
    usage, basic = found.get(KeyUsage), found.get(BasicConstraints)
    if isinstance(usage, KeyUsage) and not usage.key_cert_sign:
        return False
    if isinstance(basic, BasicConstraints):
        return basic.ca and (basic.path_length is None or below <= basic.path_length)
    return usage is not None or (
        certificate.version is Version.v1 and certificate.issuer == certificate.subject
    )
