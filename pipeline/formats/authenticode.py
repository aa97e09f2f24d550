"""Reads the signatures of PE images: who signed, and whether the signature is of these very bytes.

Whom to trust is for the firmware to say, whose db and dbx list the same digests of images.

Specifications: Microsoft, Windows Authenticode Portable Executable Signature Format (2008), also "Calculating
the PE Image Hash", and PE Format, "The Attribute Certificate Table"; RFC 2315 (PKCS #7)
"""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice, pairwise
from typing import TYPE_CHECKING, TypeVar

from pipeline.errors import FormatError
from pipeline.formats.certificates import GRID, SIGN_AGAIN, certificates
from pipeline.formats.der import INTEGER, OCTETS, SEQUENCE, SET, Value, read_value
from pipeline.formats.fields import chunks, cut
from pipeline.formats.pe import Pe
from pipeline.formats.trust import MAX_SIGNATURE, by_certificates, by_digest, not_taken, verifies

if TYPE_CHECKING:  # it takes long to load, and few images are signed
    from cryptography.x509 import Certificate, Name

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
CHANGED = "the signature is of another file: it was changed after it was signed"
NO_PROGRAM = "Authenticode: what is signed is no digest of a program"
TOO_OLD = frozenset({"md5"})  # digests that no firmware takes
Result = TypeVar("Result")
Digest = Callable[[str, int], bytes]  # of the image, given a digest's name and where its input ends
ATTRIBUTES = CERTIFICATES = 0xA0  # the context tag, in a signer and in the signed data

PLACE = 30  # where the object identifier of the digest begins that firmware makes
MAX_CHAIN = 64  # certificates that came along with one signature


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature says, and whether it is right; dates are `2023-11-14`."""

    subject: str = ""  # common name of the signer
    issuer: str = ""  # and of who vouches for it
    digest: str = ""  # `sha256`
    covers_file: bool = False  # the digest is that of this file
    is_valid: bool = False  # the signature is that of the signer's key
    not_before: str = ""
    not_after: str = ""
    chain: tuple[str, ...] = ()  # common names of all certificates that came along
    fault: str = ""  # why firmware does not take it, a clause; "" for one that is right
    is_rsa: bool = True  # not all firmware knows other keys
    trust: tuple[str, ...] = ()  # entries of db of which each starts the image, as in `trust`
    image_digest: str = ""  # the one of them that holds the image's own digest, where firmware looks for that
    bag: "tuple[Certificate, ...]" = field(default=(), repr=False)  # the signer's, and all that came along
    error: FormatError | None = field(default=None, repr=False, compare=False)  # why it could not be read
    wants_signer: bool = False  # it could not, and firmware that has a dbx refuses whatever else is signed


def read_signatures(pe: Pe) -> tuple[Signature, ...]:
    """Read all signatures of the certificate table, and compare each with the image.

    Firmware passes over one whose digest it does not know: where others can be read, all but its fault is
    empty. Raises FormatError where none can be read, for what firmware refuses whatever else is signed, and
    for an image whose sections nobody could hash.
    """
    found = every_signature(pe)
    errors = [each.error for each in found if each.error]
    for each in found:
        if each.error and (each.wants_signer or len(errors) == len(found)):
            raise each.error
    return found


def every_signature(pe: Pe) -> tuple[Signature, ...]:
    """Read all signatures of the certificate table; each of those that cannot be read has an error.

    Of these it tells the image's digest that firmware makes, which looks no further, and `wants_signer`.
    Raises FormatError where the table cannot be read.
    """
    if pe.certificates == (0, 0):
        return ()
    digest = cache(partial(image_digest, pe))
    return tuple(_read_or_not(pe, data, digest) for data in tuple(certificates(pe)))


def _read_or_not(pe: Pe, data: bytes, digest: Digest) -> Signature:
    try:
        return _readable(lambda: _signature(pe, read_value(data), digest))
    except FormatError as error:
        name, bag = _looked_at(data), _bag_of(data) if error.message == NO_PROGRAM else ()
        wants_signer = name != "" and not bag
        try:
            own = by_digest(name, digest(name, len(pe.image) - pe.certificates[1])) if name else ""
        except FormatError:
            own = ""
        return Signature(
            fault=f"cannot be read: {error.message}",
            trust=(own,) if own and not wants_signer else (),
            image_digest=own,
            bag=bag,
            error=error,
            wants_signer=wants_signer,
        )


def _bag_of(data: bytes) -> "tuple[Certificate, ...]":
    """Return the certificates of what signs no program, the signer's first; none where one cannot be read."""
    try:
        return _readable(lambda: _bag(read_value(data).child(1).child(0, SEQUENCE)))
    except FormatError:
        return ()


def _looked_at(data: bytes) -> str:
    """Return the digest that EDK II finds where it looks (HashPeImageByType): then it wants a signer, too."""
    try:
        name = DIGESTS.get(read_value(data, PLACE).oid(), "") if data[1] & 0x82 == 0x82 else ""
    except (FormatError, IndexError):
        return ""
    return "" if name in TOO_OLD else name


def _readable(read: Callable[[], Result]) -> Result:
    """Return what is read. Raises FormatError for a certificate that firmware could not read either."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import InvalidVersion

    try:
        # cryptography warns of certificates that it takes, but that are not as they should be
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read()
    except (ValueError, TypeError, InvalidVersion, UnsupportedAlgorithm) as error:
        raise FormatError(f"Authenticode: a certificate cannot be read: {error}", SIGN_AGAIN) from error


def _signature(pe: Pe, content: Value, make_digest: Digest) -> Signature:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    signed, spc = _contents(content)
    digest, told = _digest_in(spc)
    end = len(pe.image) - pe.certificates[1]
    announced = [_digest_name(one) for one in signed.child(1, SET).inside()]
    if not announced:
        raise FormatError("Authenticode: the signature announces no digest", SIGN_AGAIN)
    covers = told == make_digest(digest, end)
    signer = _signer(signed)
    certificate, *chain = _bag(signed)
    valid = _verifies(signer, spc, certificate)
    if not covers:
        fault = _why_not(pe, told, partial(make_digest, digest))
    elif not valid:
        fault = "the signature was not made with the signer's key"
    elif digest in TOO_OLD:
        fault = f"its digest is {digest}, which firmware does not take"
    else:
        made = _digest_name(signer.child(2, SEQUENCE))
        fault = not_taken(certificate, len(content.whole), digest, announced, made)
    own = by_digest(announced[0], make_digest(announced[0], end))
    looked_at = len(content.whole) <= MAX_SIGNATURE and announced[0] not in TOO_OLD
    return Signature(
        subject=common_name(certificate.subject),
        issuer=common_name(certificate.issuer),
        digest=digest,
        covers_file=covers,
        is_valid=valid,
        not_before=f"{certificate.not_valid_before_utc:%Y-%m-%d}",
        not_after=f"{certificate.not_valid_after_utc:%Y-%m-%d}",
        chain=tuple(common_name(one.subject) for one in chain),
        fault=fault,
        is_rsa=isinstance(certificate.public_key(), RSAPublicKey),
        trust=(*([] if fault else by_certificates(certificate, chain)), *([own] if looked_at else [])),
        image_digest=own if looked_at else "",
        bag=(certificate, *chain),
    )


def _signer(signed: Value) -> Value:
    *_, signers = signed.inside()
    return signers.child(0, SEQUENCE)


def _bag(signed: Value) -> "tuple[Certificate, ...]":
    """Return the signer's certificate, and all that came along. Raises FormatError where it is not there."""
    from cryptography.x509 import load_der_x509_certificate

    signer, bag = _signer(signed), signed.tagged(CERTIFICATES)
    chain = [load_der_x509_certificate(one.whole) for one in islice(bag.inside(), MAX_CHAIN)] if bag else []
    certificate = next((one for one in chain if _is_of(signer, one)), None)
    if certificate is None:
        raise FormatError("Authenticode: the signer's certificate is not there", SIGN_AGAIN)
    return certificate, *chain


def signed_digest(signature: bytes) -> tuple[str, bytes]:
    """Return what a PKCS #7 structure says of its program: the name of a digest, and the digest.

    Raises FormatError where it says nothing of a program.
    """
    return _digest_in(_contents(read_value(signature))[1])


def _contents(content: Value) -> tuple[Value, Value]:
    """Return the signed data, and what is signed: SpcIndirectDataContent."""
    if content.child(0).oid() != SIGNED_DATA:
        raise FormatError("Authenticode: the certificate holds no signed data", SIGN_AGAIN)
    signed = content.child(1).child(0, SEQUENCE)
    indirect = signed.child(2, SEQUENCE)
    if indirect.child(0).oid() != INDIRECT_DATA:
        raise FormatError(NO_PROGRAM, SIGN_AGAIN)
    return signed, indirect.child(1).child(0, SEQUENCE)


def _digest_in(spc: Value) -> tuple[str, bytes]:
    info = spc.child(1, SEQUENCE)
    return _digest_name(info.child(0)), info.child(1, OCTETS).body


def _why_not(pe: Pe, told: bytes, digest_of: Callable[[int], bytes]) -> str:
    """Return why a signed digest is not that of the file, a clause.

    Bytes around the certificate table that were not there when it was signed leave all else as it was:
    the digest of what lies before them tells.
    """
    offset, size = pe.certificates
    behind = len(pe.image) - offset - size
    for end in sorted({offset, offset - offset % GRID, _hashed(pe)}, reverse=True):
        if end < _hashed(pe) or told != digest_of(end):
            continue
        between = offset - end
        why = []
        if between:
            grid = f", and so it begins at {offset:#x}, no multiple of {GRID}" if offset % GRID else ""
            why.append(f"{between} bytes lie between what was signed and its certificate table{grid}")
        if behind:
            why.append(f"{behind} bytes were appended behind its certificate table")
        if why:
            return f"{' and '.join(why)}: firmware reads them as part of the program, and nobody signed them"
    return CHANGED


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


def common_name(name: "Name") -> str:
    """Return the common name, or all of it where there is none."""
    from cryptography.x509 import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _verifies(signer: Value, spc: Value, certificate: "Certificate") -> bool:
    """Say whether the signature is one of the signer's key, over what says the digest of the program."""
    name = _digest_name(signer.child(2, SEQUENCE))
    attributes, signature = signer.tagged(ATTRIBUTES), signer.tagged(OCTETS)
    if signature is None:
        raise FormatError("Authenticode: the signer has no signature", SIGN_AGAIN)
    data = spc.body
    if attributes is not None:
        told = [one.child(1).child(0) for one in attributes.inside() if one.child(0).oid() == MESSAGE_DIGEST]
        if [one.body for one in told] != [hashlib.new(name, data, usedforsecurity=False).digest()]:
            return False
        # what is signed has the tag of a set, not the one that stands in the signer
        data = b"\x31" + attributes.whole[1:]
    return bool(verifies(certificate.public_key(), signature.body, data, name))


def _sections(pe: Pe) -> list[tuple[int, int]]:
    """Return where sections begin and end in the file, in that order."""
    return sorted(
        (section.raw_offset, section.raw_offset + section.raw_size)
        for section in pe.sections
        if section.raw_size
    )


def _hashed(pe: Pe) -> int:
    """Return how many bytes headers and sections have: what lies behind is hashed as it stands."""
    return pe.headers_size + sum(end - start for start, end in _sections(pe))


def image_digest(pe: Pe, algorithm: str, total: int | None = None) -> bytes:
    """Return the Authenticode digest of an image: of all but its checksum and its signatures.

    That is headers, sections, and what follows them up to the byte `total`. Raises FormatError when a section
    runs past the end or two of them overlap.
    """
    total = len(pe.image) - pe.certificates[1] if total is None else total
    holes = [(pe.checksum_offset, 4), *([(pe.certificates_entry, 8)] if pe.certificates_entry else [])]
    ranges, at = list[tuple[int, int]](), 0
    for offset, size in holes:
        ranges.append((at, offset))
        at = offset + size
    ranges.append((at, max(pe.headers_size, at)))
    sections = _sections(pe)
    for (_, end), (start, _) in pairwise(sections):
        if start < end:
            raise FormatError(
                f"Authenticode: sections overlap at offset {start:#x}: no digest can be made",
                "make the program again",
            )
    behind = _hashed(pe)
    ranges += [*sections, (behind, max(total, behind))]
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for start, end in ranges:
        if start < end:
            for part in chunks(cut(pe.image, start, end - start, "Authenticode: the image")):
                digest.update(part)
    if total < behind:
        raise FormatError("Authenticode: the certificate table lies in what is signed", SIGN_AGAIN)
    return digest.digest()
