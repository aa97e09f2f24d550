"""What is written into the variable stores of rows. `inspect` reads the same files as firmware does."""

import hashlib
import json
import struct
from collections.abc import Mapping

from pipeline.formats.efi_variables import Variables
from tests.fixtures import keys
from tests.fixtures.variables import certificates, signature_list, variables
from tests.world.jury import programs, trust


def _own(*, on: bytes = b"\1", dbx: bytes = b"") -> Variables:
    owner, db = certificates(["owner"]), certificates([*trust.TRUSTED, "large"])
    return variables(KEK=owner, db=db, dbx=dbx, SecureBootEnable=on)


def _of_certificate(name: str, since: bytes) -> bytes:
    """The digest of what is signed in a certificate, and since when what it signs does not count."""
    data = keys.certificate(name).tbs_certificate_bytes
    return signature_list("x509-sha256", hashlib.sha256(data).digest() + since)


PLAIN = ("sha256", programs.efi())
ALWAYS, OF_2020 = bytes(16), struct.pack("<HBB12x", 2020, 1, 1)
TOLD: Mapping[str, Variables] = {
    "setup": {},
    "off": _own(on=b"\0"),
    "own": _own(),
    "ms": {},
    "hashes": variables(
        KEK=certificates(["owner"]),
        db=trust.digests([PLAIN, *trust.LISTED]),
        SecureBootEnable=b"\1",
    ),
    "dbx_signer": _own(dbx=certificates(["vendor"])),
    "dbx_ca": _own(dbx=certificates(["intermediate", "revoked-ca"])),
    "dbx_tbs": _own(
        dbx=_of_certificate("vendor", ALWAYS)
        + _of_certificate("intermediate", ALWAYS)
        + _of_certificate("expired", OF_2020)
        + _of_certificate("hashed", ALWAYS)
    ),
    "dbx_image": _own(dbx=trust.digests([PLAIN, *trust.BANNED])),
}
"""By the names of `stores.STORES`."""


def told(name: str) -> bytes:
    """Return what `virt-fw-vars --set-json` takes."""
    found = [
        {"name": each, "guid": str(guid), "attr": one.attributes, "data": one.data.hex()}
        for (each, guid), one in TOLD[name].items()
    ]
    return json.dumps({"version": 2, "variables": found}).encode()
