"""Reads what a TPM signed of its PCRs, and the key that it did it with.

Specification: TCG, TPM 2.0 Library, part 2, §10.12 (TPMS_ATTEST), §11.3 (TPMT_SIGNATURE),
§12.2.4 (TPMT_PUBLIC)
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import FormatError
from pipeline.formats.fields import cut, unpack
from pipeline.formats.pcr import BANKS
from pipeline.formats.trust import verifies

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

GENERATED, QUOTE = 0xFF54_4347, 0x8018  # TPM_GENERATED_VALUE, TPM_ST_ATTEST_QUOTE
ECC, ECDSA, SHA256, P256, NOTHING = 0x0023, 0x0018, 0x000B, 0x0003, 0x0010
FIXED_TPM, ORIGIN, RESTRICTED, DECRYPT, SIGN = 1 << 1, 1 << 5, 1 << 16, 1 << 17, 1 << 18
MAX_SIZE = 1 << 12  # bytes of any of the three
HINT = "ask again; the machine's `appliance attest` makes it"


@dataclass(frozen=True, slots=True)
class Quote:
    """What a TPM says: that `pcrs` of a bank have the digest `digest`, when it was asked with `extra`."""

    extra: bytes
    bank: str
    pcrs: tuple[int, ...]
    digest: bytes


class _Fields:
    """Reads one field after the other; FormatError for what is cut off."""

    def __init__(self, data: bytes, what: str) -> None:
        if len(data) > MAX_SIZE:
            raise FormatError(f"{what}: {len(data)} bytes are too many", HINT)
        self.data, self.at, self.what = data, 0, what

    def number(self, layout: str) -> int:
        (found,) = unpack(f">{layout}", self.data, self.at, self.what)
        self.at += {"B": 1, "H": 2, "I": 4, "Q": 8}[layout]
        return int(found)

    def sized(self) -> bytes:
        return self.taken(self.number("H"))

    def taken(self, size: int) -> bytes:
        self.at += size
        return bytes(cut(self.data, self.at - size, size, self.what))

    def end(self) -> None:
        if self.at != len(self.data):
            raise FormatError(f"{self.what}: {len(self.data) - self.at} bytes are behind its end", HINT)


def name_of(key: bytes) -> str:
    """Return the name of a key that is read by `read_key`: a digest of all that it is, in hex."""
    return f"000b{hashlib.sha256(key).hexdigest()}"


def read_key(data: bytes) -> "EllipticCurvePublicKey":
    """Return the public half of a key that signs nothing but what a TPM says itself.

    Raises FormatError for any other key: somebody could sign with it what no TPM has said.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    fields = _Fields(data, "the TPM's key")
    kind, name = fields.number("H"), fields.number("H")
    attributes = fields.number("I")
    fields.sized()  # its policy
    wanted = FIXED_TPM | ORIGIN | RESTRICTED | SIGN
    if (kind, name) != (ECC, SHA256) or attributes & (wanted | DECRYPT) != wanted:
        raise FormatError("the TPM's key is none that signs only what the TPM says itself", HINT)
    scheme = tuple(fields.number("H") for _ in range(5))
    if scheme != (NOTHING, ECDSA, SHA256, P256, NOTHING):
        raise FormatError("the TPM's key is none for ECDSA with P-256 and SHA-256", HINT)
    x, y = (int.from_bytes(fields.sized()) for _ in range(2))
    fields.end()
    try:
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError as error:
        raise FormatError("the TPM's key is no point of P-256", HINT) from error


def read_quote(data: bytes) -> Quote:
    """Return what was signed. Raises FormatError for what no TPM has said, and for anything but a quote."""
    fields = _Fields(data, "the quote")
    if (fields.number("I"), fields.number("H")) != (GENERATED, QUOTE):
        raise FormatError("the quote is none: a TPM begins one with its own mark", HINT)
    fields.sized()  # whose key it is
    extra = fields.sized()
    fields.taken(8 + 4 + 4 + 1 + 8)  # clock, counts of starts, whether the clock may be trusted, firmware
    if fields.number("I") != 1:
        raise FormatError("the quote is of several banks, or of none", HINT)
    algorithm = fields.number("H")
    banks = [name for name, number in BANKS.items() if number == algorithm]
    if not banks:
        raise FormatError(f"the quote is of the unknown bank {algorithm:#06x}", HINT)
    bits = int.from_bytes(fields.taken(fields.number("B")), "little")
    digest = fields.sized()
    fields.end()
    return Quote(
        extra, banks[0], tuple(number for number in range(bits.bit_length()) if bits >> number & 1), digest
    )


def is_signed(key: bytes, quoted: bytes, signature: bytes) -> bool:
    """Tell whether a quote was signed by a key. Raises FormatError for what is no key, and no signature."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    fields = _Fields(signature, "the quote's signature")
    if (fields.number("H"), fields.number("H")) != (ECDSA, SHA256):
        raise FormatError("the quote's signature is not ECDSA with SHA-256", HINT)
    r, s = (int.from_bytes(fields.sized()) for _ in range(2))
    fields.end()
    return bool(verifies(read_key(key), encode_dss_signature(r, s), quoted, "sha256"))
