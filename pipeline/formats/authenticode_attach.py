"""Attaches signatures to PE images: whoever attaches the same ones gets the same bytes, and needs no key.

Specifications: Microsoft, PE Format, "The Attribute Certificate Table" and "CheckSum"; UEFI 2.10, §32.2.4
WIN_CERTIFICATE
"""

import struct
from collections.abc import Sequence

from pipeline.errors import FormatError
from pipeline.formats.authenticode import image_digest, signed_digest
from pipeline.formats.certificates import GRID, HEADER, PKCS_SIGNED_DATA, SIGN_AGAIN
from pipeline.formats.pe import Pe, read_pe

REVISION = 0x0200  # WIN_CERT_REVISION_2_0
SIGN = "sign this one: `./doit sign --secure-boot`"


def padded(image: bytes) -> bytes:
    """Return an image as it is signed: with zeros up to where its certificate table begins."""
    return image + bytes(-len(image) % GRID)


def attached(image: bytes, signatures: Sequence[bytes]) -> bytes:
    """Return an image with signatures behind those that it has: PKCS #7 structures in DER.

    Its checksum becomes right, too. Raises FormatError for a signature of another file, for an image that has
    no room to say where its signatures are, and for one with anything behind them.
    """
    if not signatures:
        return image
    made = bytearray(padded(image))
    pe = read_pe(bytes(made))
    offset, size = pe.certificates
    if pe.certificates_entry is None:
        raise FormatError(
            "PE: the headers have no room for the place of a certificate table", "link the program again"
        )
    if size and offset + size != len(image):
        raise FormatError("Authenticode: the certificate table is not at the end of the file", SIGN_AGAIN)
    for signature in signatures:
        _judge(pe, signature)
    table = b"".join(
        struct.pack("<IHH", HEADER + len(one), REVISION, PKCS_SIGNED_DATA) + one + bytes(-len(one) % GRID)
        for one in signatures
    )
    struct.pack_into("<II", made, pe.certificates_entry, offset or len(made), size + len(table))
    made += table
    struct.pack_into("<I", made, pe.checksum_offset, 0)
    struct.pack_into("<I", made, pe.checksum_offset, checksum(made))
    return bytes(made)


def _judge(pe: Pe, signature: bytes) -> None:
    algorithm, digest = signed_digest(signature)
    if digest != image_digest(pe, algorithm):
        raise FormatError("Authenticode: the signature is of another file", SIGN)


def checksum(image: bytes | bytearray) -> int:
    """Return the CheckSum of an image, in which that field is zero: its 16-bit words added with the carry
    put back in at the low end, and its size.
    """
    total = int.from_bytes(image, "little")  # adding with that carry is counting modulo 0xFFFF
    return (total % 0xFFFF or (0xFFFF if total else 0)) + len(image)
