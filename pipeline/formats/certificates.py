"""Reads the certificate table of PE images: which certificates stand in it, one behind the other.

Specifications: Microsoft, PE Format, "The Attribute Certificate Table"; UEFI 2.10, §32.2.4 WIN_CERTIFICATE
"""

from collections.abc import Iterator
from uuid import UUID

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import budget_of, cut, unpack
from pipeline.formats.pe import Pe

PKCS_SIGNED_DATA = 2  # WIN_CERT_TYPE_PKCS_SIGNED_DATA
UEFI_GUID = 0x0EF1  # WIN_CERT_TYPE_EFI_GUID: a GUID says of what sort the certificate is
UEFI_PKCS7 = UUID("4aafd29d-68df-49ee-8aa9-347d375665a7").bytes_le  # EFI_CERT_TYPE_PKCS7_GUID
HEADER = 8  # bytes before a certificate: length, revision and type
GUID = 16  # bytes
LEAST = {PKCS_SIGNED_DATA: HEADER + 1, UEFI_GUID: HEADER + GUID + 1}  # bytes of a certificate of that type
GRID = 8  # bytes, of which every certificate begins at a multiple
MAX_SIZE = 1 << 20  # bytes, of one certificate
A_CERTIFICATE = 100  # steps
NONE = (0, 0, 0)
SIGN_AGAIN = "sign the program again: sbattach --remove, then sbsign"


def certificates(pe: Pe) -> Iterator[bytes]:
    """Yield the PKCS #7 structures of the certificate table; other sorts are of no use to firmware.

    It has to hold certificates and nothing else, to its last byte: EDK II (DxeImageVerificationLib)
    refuses the program otherwise.
    """
    offset, size = pe.certificates
    cut(pe.image, offset, size, "Authenticode: certificate table")
    end = offset + size
    while offset < end:
        budget_of(pe.image).spend(STEPS, A_CERTIFICATE)
        left = end - offset
        length, _, kind = (
            unpack("<IHH", pe.image, offset, "Authenticode: certificate") if left >= HEADER else NONE
        )
        if not LEAST.get(kind, HEADER) <= length <= min(left, MAX_SIZE) or left == HEADER:
            what = f"the certificate at offset {offset:#x} cannot have {length} bytes"
            if offset != pe.certificates[0]:
                what = (
                    f"behind the last certificate, at offset {offset:#x}, the certificate table has {left} "
                    "more bytes, which are none"
                )
            raise FormatError(f"Authenticode: {what}", SIGN_AGAIN)
        if kind == PKCS_SIGNED_DATA:
            yield bytes(pe.image[offset + HEADER : offset + length])
        elif kind == UEFI_GUID and bytes(pe.image[offset + HEADER :][:GUID]) == UEFI_PKCS7:
            yield bytes(pe.image[offset + HEADER + GUID : offset + length])
        offset += length + -length % GRID
    if offset != end:
        raise FormatError(
            f"Authenticode: the certificate table has {size} bytes, no multiple of {GRID}, so that its last "
            "certificate ends behind it",
            SIGN_AGAIN,
        )
