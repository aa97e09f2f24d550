"""What PCR 7 gets: whom a machine's firmware trusts, and by which entries it started what it started.

Specifications: TCG, PC Client Platform Firmware Profile, §3.3.4.8 (PCR 7); EDK II, SecurityPkg/Tcg/Tcg2Dxe
(MeasureSecureBootPolicy) and DxeImageVerificationLib
"""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from pipeline.errors import FormatError
from pipeline.formats.authenticode import Signature, image_digest, read_signatures
from pipeline.formats.efi_signature_list import (
    OWNER,
    SHA256,
    X509,
    Entry,
    read_signature_lists,
    signature_lists,
)
from pipeline.formats.efi_variables import Variable, Variables
from pipeline.formats.pe import Pe
from pipeline.formats.secure_boot import DATABASES, GLOBAL, PROGRAMS, RUNTIME, SHIM, read_store
from pipeline.formats.tcg_events import AUTHORITY, CONFIG, variable
from pipeline.formats.tcg_log import Event
from pipeline.formats.trust import by_digest, vouches
from pipeline.measure.event import BANK, Expected, of_variable, separator

POLICY = (("SecureBoot", GLOBAL), ("PK", GLOBAL), ("KEK", GLOBAL), ("db", DATABASES), ("dbx", DATABASES))
"""In their order; what is not there is measured as nothing."""

INSPECT = "`./doit inspect --secure-boot` says more"
LEVEL, MOK_LIST = "SbatLevel", "MokList"
"""Of shim: of the second it measures the copy that Linux can read, whose name has RUNTIME behind it."""

OPTIONAL = (("dbt", DATABASES), ("dbr", DATABASES))
"""Measured behind the others, where they are there."""


def checks(variables: Variables | None) -> bool:
    """Tell whether firmware with these variables checks what it starts; None is firmware that cannot."""
    return variables is not None and read_store(variables).state == "on"


def policy(variables: Variables | None) -> list[Expected]:
    """Return what firmware measures before it starts anything. FormatError for a list that cannot be read."""
    there = dict(variables or {})
    values = {key: there[key].data for key in (*POLICY, *OPTIONAL) if key in there}
    if variables is not None:
        values["SecureBoot", GLOBAL] = b"\1" if checks(variables) else b"\0"
    names = [*POLICY, *(key for key in OPTIONAL if values.get(key))]
    found = [
        of_variable(7, CONFIG, f"the variable {name}", name, vendor, values.get((name, vendor), b""))
        for name, vendor in names
    ]
    return [*found, separator(7)]


def vouching(program: Pe, lists: bytes) -> bytes | None:
    """Return the entry of a list such as db by which a program is started, as it stands in there.

    None where it is in there for nobody who signed it. FormatError for what cannot be read.
    """
    entries = list(read_signature_lists(lists))
    for signature in read_signatures(program) or (None,):
        for entry in entries:
            if _starts(signature, program, entry):
                return entry.owner.bytes_le + entry.data
    return None


def authority(where: str, vendor: UUID, entry: bytes, name: str) -> Expected:
    """Return the measurement of an entry by which a program is started."""
    return of_variable(7, AUTHORITY, f"the entry of {where} by which {name} is started", where, vendor, entry)


def started_by(name: str, program: Pe, variables: Variables) -> Expected:
    """Return what firmware measures of who vouches for a program.

    FormatError where nobody does, and where dbx has the program, or anybody who signed it.
    """
    db = variables.get(("db", DATABASES))
    entry = vouching(program, db.data if db else b"")
    if entry is None:
        raise FormatError(
            f"firmware with these variables does not start {name}: nothing in db vouches for it",
            INSPECT,
        )
    dbx = variables.get(("dbx", DATABASES))
    if dbx and vouching(program, dbx.data):
        raise FormatError(f"firmware with these variables refuses {name}: dbx has it, or a signer", INSPECT)
    return authority("db", DATABASES, entry, name)


def _starts(signature: Signature | None, program: Pe, entry: Entry) -> bool:
    """Tell whether an entry starts a program with this signature, or with none."""
    from cryptography.x509 import load_der_x509_certificate

    if name := PROGRAMS.get(entry.kind):
        if signature is None:
            return image_digest(program, name) == entry.data
        return signature.image_digest == by_digest(name, entry.data)
    if entry.kind != X509 or signature is None or signature.fault:
        return False
    try:
        return vouches(load_der_x509_certificate(entry.data), signature.bag)
    except ValueError:
        return False


def told(log: Iterable[Event]) -> Variables | None:
    """Return the variables that a log tells of, if it does so truly; None of firmware without Secure Boot.

    Of shim's those are its level of SBAT, and that entry of its user's list by which it started something.
    """
    found: dict[tuple[str, UUID], Variable] = {}
    for event in log:
        if event.pcr != 7 or event.kind not in (CONFIG, AUTHORITY):
            continue
        if event.digests.get(BANK) != hashlib.sha256(event.data).digest():
            return None
        one = variable(event)
        if (event.kind == CONFIG and one.value) or (one.name, one.vendor) == (LEVEL, SHIM):
            found[one.name, one.vendor] = Variable(0, one.value)
        if (one.name, one.vendor) == (MOK_LIST + RUNTIME, SHIM):
            found[MOK_LIST, SHIM] = Variable(0, signature_lists([_entry(one.value)]))
    return found if ("SecureBoot", GLOBAL) in found else None


def _entry(raw: bytes) -> Entry:
    """Return an entry as it stands in a list: whose it is, and a certificate or the digest of a program."""
    owner, data = UUID(bytes_le=raw[:OWNER].ljust(OWNER, b"\0")), raw[OWNER:]
    return Entry(SHA256 if len(data) == hashlib.sha256().digest_size else X509, owner, data)
