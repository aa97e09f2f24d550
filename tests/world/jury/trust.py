"""What the machine for Secure Boot's rows trusts: its db and dbx, as its firmware keeps them.

Specification: UEFI 2.10, §32.4.1 "Signature Database"
"""

import hashlib
import json
import struct
from collections.abc import Iterable
from uuid import UUID

from pipeline.formats.authenticode import image_digest
from pipeline.formats.pe import read_pe
from tests.fixtures import keys
from tests.world.jury import programs

GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
DATABASES = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
ENABLE = "f0a30bc7-af08-4556-99c4-001009c93a44"  # EDK II's own: whether Secure Boot is switched on
KEPT, AUTHENTICATED = 0x03, 0x27  # attributes: non-volatile, for boot services; at run time and signed, too
OWNER = UUID("6a757279-0000-4000-8000-000000000000").bytes_le

X509 = UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
X509_SHA256 = UUID("3bd2a492-96c0-4079-b420-fcf98ef103ed")
DIGESTS = {
    "sha256": UUID("c1c41626-504c-4092-aca9-41f936934328"),
    "sha384": UUID("ff3e5307-9fd0-48c9-85f1-8ad56c701e01"),
    "sha512": UUID("093e0fae-a6c4-4f50-9f1b-d41e2b89c19a"),
    "sha1": UUID("826ca512-cf10-4ac9-b187-be01496631bd"),
}

TRUSTED = ("vendor", "ec", "root", "short", "revoked")
REVOKED = ("revoked", "revoked-ca")
REVOKED_BY_DIGEST = ("hashed",)


def program(name: str, *more: tuple[str, bytes]) -> bytes:
    """A program with a digest of its own."""
    return programs.efi(sections=((".jury", name.encode()), *more))


def changed(image: bytes) -> bytes:
    """The program with another letter in the text that nobody reads."""
    at = read_pe(image).sections[1].raw_offset
    return image[:at] + b"X" + image[at + 1 :]


LISTED = (
    ("sha256", program("listed")),
    ("sha256", changed(program("listed-changed"))),
    ("sha256", program("both")),
    ("sha384", program("listed-sha384")),
    ("sha512", program("listed-sha512")),
    ("sha1", program("listed-sha1")),
)
BANNED = (("sha256", program("banned")), ("sha256", program("both")))
"""Programs that are in db, and in dbx, by which digest."""


def _digest(algorithm: str, image: bytes) -> bytes:
    return image_digest(read_pe(image), algorithm)


def _list(kind: UUID, data: bytes) -> bytes:
    """A signature list with one entry."""
    size = 16 + len(data)
    return kind.bytes_le + struct.pack("<III", 28 + size, 0, size) + OWNER + data


def _certificates(names: Iterable[str]) -> bytes:
    return b"".join(_list(X509, keys.der(name)) for name in names)


def digests(entries: Iterable[tuple[str, bytes]]) -> bytes:
    """A list for the digest of each of these programs."""
    return b"".join(_list(DIGESTS[algorithm], _digest(algorithm, image)) for algorithm, image in entries)


def variables() -> bytes:
    """The firmware's variables as `virt-fw-vars --set-json` takes them."""
    signed = [
        hashlib.sha256(keys.certificate(name).tbs_certificate_bytes).digest() for name in REVOKED_BY_DIGEST
    ]
    by_digest = b"".join(_list(X509_SHA256, digest + bytes(16)) for digest in signed)  # revoked at any time
    owner = _certificates(["owner"])
    db = _certificates(TRUSTED) + digests(LISTED)
    dbx = _certificates(REVOKED) + digests(BANNED) + by_digest
    told = [
        ("PK", GLOBAL, AUTHENTICATED, owner),
        ("KEK", GLOBAL, AUTHENTICATED, owner),
        ("db", DATABASES, AUTHENTICATED, db),
        ("dbx", DATABASES, AUTHENTICATED, dbx),
        ("SecureBootEnable", ENABLE, KEPT, b"\1"),
    ]
    found = [
        {"name": name, "guid": guid, "attr": attr, "data": data.hex()} for name, guid, attr, data in told
    ]
    return json.dumps({"version": 2, "variables": found}).encode()


def _entries(names: Iterable[str], digests: Iterable[tuple[str, bytes]]) -> set[str]:
    """What a list holds, in the words of `inspect`."""
    found = [f"{algorithm} {_digest(algorithm, image).hex()}" for algorithm, image in digests]
    for name in names:
        found.append(f"certificate {hashlib.sha256(keys.der(name)).hexdigest()}")
        found.append(f"issuer {keys.certificate(name).subject.rfc4514_string()}")
    return set(found)


def starts(one_of: Iterable[str]) -> bool:
    """Tell whether the machine's db has one of these entries, and its dbx none."""
    wanted = set(one_of)
    return bool(wanted & _entries(TRUSTED, LISTED)) and not wanted & _entries(
        (*REVOKED, *REVOKED_BY_DIGEST), BANNED
    )
