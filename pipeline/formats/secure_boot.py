"""What a machine trusts, by its variables: Secure Boot's state, db, dbx, and shim's lists and SbatLevel.

Specifications: UEFI 2.10, §32.3 and §32.4.1; EDK II, SecurityPkg/Library/AuthVariableLib (SecureBootEnable);
shim, MokVars.txt
"""

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from pipeline.errors import FormatError
from pipeline.formats.efi_signature_list import SHA256, X509, X509_SHA256, Entry, read_signature_lists
from pipeline.formats.efi_variables import Variables
from pipeline.formats.sbat import Level, read_level
from pipeline.formats.trust import by_digest, vouches

if TYPE_CHECKING:  # it takes long to load
    from cryptography.x509 import Certificate

GLOBAL = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")  # EFI_GLOBAL_VARIABLE
DATABASES = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")  # EFI_IMAGE_SECURITY_DATABASE_GUID
EDK2_ENABLE = UUID("f0a30bc7-af08-4556-99c4-001009c93a44")  # gEfiSecureBootEnableDisableGuid
SHIM = UUID("605dab50-e046-4300-abb6-3dd810dd8b23")  # SHIM_LOCK_GUID
RUNTIME = "RT"  # ends the names of shim's copies that Linux sees

State = Literal["on", "off", "setup"]
TIME = 16  # bytes of EFI_TIME behind the digest of a certificate
MAX_CERTIFICATES = 1024
PROGRAMS = {
    SHA256: "sha256",
    UUID("ff3e5307-9fd0-48c9-85f1-8ad56c701e01"): "sha384",
    UUID("093e0fae-a6c4-4f50-9f1b-d41e2b89c19a"): "sha512",
    UUID("826ca512-cf10-4ac9-b187-be01496631bd"): "sha1",
}
CERTIFICATES = {
    X509_SHA256: "sha256",
    UUID("7076876e-80c2-4ee6-aad2-28b349a6865b"): "sha384",
    UUID("446dbf63-2502-4cda-bcfa-2465d2b0fe9d"): "sha512",
}
"""Kinds of entries that are digests of programs, and of certificates: by which algorithm."""

DER_SEQUENCE = b"\x30"  # begins a certificate, and no GUID of a signature list


@dataclass(frozen=True, slots=True)
class Database:
    """A list such as db: its name; certificates and digests of programs, as `trust.by_digest` names them.

    `revoked` are digests of certificates' signed parts, and whether they count whenever something was signed.
    """

    name: str
    certificates: "tuple[Certificate, ...]" = ()
    digests: frozenset[str] = frozenset()
    revoked: Mapping[str, bool] | None = None

    def vouching(self, chain: "Sequence[Certificate]") -> "Certificate | None":
        """Return the certificate in it that vouches for a signer, the first of a chain that came along."""
        return next((one for one in self.certificates if vouches(one, chain)), None)

    def revocation(self, certificate: "Certificate") -> bool | None:
        """Return whether its digest is in here for all that it signed; None where it is not in here."""
        data = certificate.tbs_certificate_bytes
        found = [
            always
            for entry, always in (self.revoked or {}).items()
            if entry
            == by_digest(entry.partition(" ")[0], hashlib.new(entry.partition(" ")[0], data).digest())
        ]
        return any(found) if found else None


@dataclass(frozen=True, slots=True)
class Store:
    """What counts when a program is started.

    `shim_verifies` is false where its user switched that off; `shim_asks_db`, where shim is to ignore db.
    `has_dbt` is whether somebody's time stamps are trusted, `has_dbx` whether there is a dbx at all.
    """

    state: State
    db: Database
    dbx: Database
    mok: Database
    mokx: Database
    level: Level = field(default_factory=Level)
    shim_verifies: bool = True
    shim_asks_db: bool = True
    has_dbt: bool = False
    has_dbx: bool = False


def read_store(variables: Variables) -> Store:
    """Read what machines trust. Raises FormatError for a list that cannot be read."""
    return Store(
        _state(variables),
        database("db", _data(variables, "db", DATABASES)),
        database("dbx", _data(variables, "dbx", DATABASES)),
        database("MokList", _shims(variables, "MokList")),
        database("MokListX", _shims(variables, "MokListX")),
        read_level(_shims(variables, "SbatLevel")),
        _shims(variables, "MokSBState")[:1] != b"\1",
        _shims(variables, "MokDBState")[:1] != b"\1",
        bool(_data(variables, "dbt", DATABASES)),
        bool(_data(variables, "dbx", DATABASES)),
    )


def database(name: str, data: bytes) -> Database:
    """Read signature lists, or one certificate alone, without certificates that firmware could not read."""
    try:
        alone = data[:1] == DER_SEQUENCE
        entries = [Entry(X509, UUID(int=0), data)] if alone else list(read_signature_lists(data))
    except FormatError as error:
        raise FormatError(f"{name}: {error.message}", error.hint) from error
    return Database(
        name,
        tuple(_certificates(entries)),
        frozenset(by_digest(PROGRAMS[one.kind], one.data) for one in entries if one.kind in PROGRAMS),
        {
            by_digest(CERTIFICATES[one.kind], one.data[:-TIME]): not any(one.data[-TIME:])
            for one in entries
            if one.kind in CERTIFICATES
        },
    )


def _state(variables: Variables) -> State:
    """Return Secure Boot's state: what a running machine says, else what EDK II makes of the rest."""
    if (said := _data(variables, "SecureBoot", GLOBAL)) or _data(variables, "SetupMode", GLOBAL):
        return "on" if said == b"\1" else "setup" if _data(variables, "SetupMode", GLOBAL) == b"\1" else "off"
    if not _data(variables, "PK", GLOBAL):
        return "setup"
    return "off" if _data(variables, "SecureBootEnable", EDK2_ENABLE) == b"\0" else "on"


def _data(variables: Variables, name: str, vendor: UUID) -> bytes:
    found = variables.get((name, vendor))
    return found.data if found else b""


def _shims(variables: Variables, name: str) -> bytes:
    """Return a variable of shim's, which a running system has a copy of alone."""
    return _data(variables, name, SHIM) or _data(variables, name + RUNTIME, SHIM)


def _certificates(entries: Sequence[Entry]) -> "Iterator[Certificate]":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import InvalidVersion, load_der_x509_certificate

    for one in [each for each in entries if each.kind == X509][:MAX_CERTIFICATES]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield load_der_x509_certificate(one.data)
        except (ValueError, TypeError, InvalidVersion, UnsupportedAlgorithm):
            continue
