"""Reads and writes what firmware takes for its PK, KEK, db and dbx: their new contents, signed (`.auth`).

Specification: UEFI 2.10, §8.2.2 "Using the EFI_VARIABLE_AUTHENTICATION_2 descriptor", §8.3 EFI_TIME, §3.3
(EFI_GLOBAL_VARIABLE) and §32.6.1 (EFI_IMAGE_SECURITY_DATABASE_GUID)
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pipeline.errors import FormatError
from pipeline.formats.certificates import UEFI_GUID, UEFI_PKCS7
from pipeline.formats.fields import Image, cut, unpack

GLOBAL = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
SECURITY_DATABASE = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
VENDORS: Mapping[str, UUID] = {
    "PK": GLOBAL,
    "KEK": GLOBAL,
    "db": SECURITY_DATABASE,
    "dbx": SECURITY_DATABASE,
}
"""The GUID that goes with each variable's name."""

ATTRIBUTES = 0x27  # non-volatile, for boot services and at run time, authenticated by time
APPEND = 0x40  # EFI_VARIABLE_APPEND_WRITE
TIME = struct.Struct("<HBBBBBBIhBB")  # EFI_TIME
REVISION = 0x0200
HEADER = 24  # bytes of WIN_CERTIFICATE_UEFI_GUID before its data


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Contents of a variable, and who says so when: `signature` is PKCS #7 signed data in DER."""

    time: datetime
    signature: bytes
    data: bytes


def efi_time(time: datetime) -> bytes:
    """Return a time as firmware compares it, to the second: what it does not compare has to be zero."""
    utc = time.astimezone(UTC)
    return TIME.pack(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, 0, 0, 0, 0, 0)


def signed_content(variable: str, time: datetime, data: bytes, *, append: bool = False) -> bytes:
    """Return the bytes that are signed to have a variable written, or data appended to it."""
    attributes = ATTRIBUTES | (APPEND if append else 0)
    return (
        variable.encode("utf-16-le")
        + VENDORS[variable].bytes_le
        + attributes.to_bytes(4, "little")
        + efi_time(time)
        + data
    )


def authenticated(time: datetime, signature: bytes, data: bytes) -> bytes:
    """Return what is handed to firmware; `signature` is SignedData without a ContentInfo around it."""
    header = struct.pack("<IHH", HEADER + len(signature), REVISION, UEFI_GUID)
    return efi_time(time) + header + UEFI_PKCS7 + signature + data


def read_authenticated(image: Image) -> Authenticated:
    """Read what is handed to firmware. Raises FormatError for anything else."""
    year, month, day, hour, minute, second, *zeros = unpack(TIME.format, image, 0, ".auth: time")
    size, revision, kind = unpack("<IHH", image, TIME.size, ".auth: certificate")
    guid = bytes(cut(image, TIME.size + 8, 16, ".auth: certificate"))
    if (revision, kind, guid) != (REVISION, UEFI_GUID, UEFI_PKCS7) or size < HEADER or any(zeros):
        raise FormatError(
            ".auth: it does not begin with a time and a signature", "write it again: `./doit keys`"
        )
    try:
        time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise FormatError(f".auth: its time is none: {error}", "write it again: `./doit keys`") from error
    signature = bytes(cut(image, TIME.size + HEADER, size - HEADER, ".auth: signature"))
    return Authenticated(time, signature, bytes(image[TIME.size + size :]))
