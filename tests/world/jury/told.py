"""What is written into the variable stores of rows. `inspect` reads the same files as firmware does."""

import hashlib
import json
from collections.abc import Mapping

from pipeline.formats.authenticode import image_digest
from pipeline.formats.efi_variables import Variables
from pipeline.formats.pe import read_pe
from tests.fixtures import keys
from tests.fixtures.variables import certificates, signature_list, variables
from tests.world.jury import trust

OURS = b"sbat,1,2030010100\nshim,4\ngrub,5\nours,2\n"
"""An SbatLevel that revokes our own generation 1, of a date that no shim brings."""


def _banned(image: bytes) -> bytes:
    return signature_list("sha256", image_digest(read_pe(image), "sha256"))


def _shims(**told: bytes) -> Variables:
    return variables(PK=b"", MokList=certificates(["vendor"]), **told)


def _own(*, on: bytes = b"\1", dbx: bytes = b"") -> Variables:
    owner, db = certificates(["owner"]), certificates(["vendor", "root"])
    return variables(KEK=owner, db=db, dbx=dbx, SecureBootEnable=on)


TBS = hashlib.sha256(keys.certificate("hashed").tbs_certificate_bytes).digest()
REVOKED = certificates(["revoked-ca"]) + signature_list("x509-sha256", TBS + bytes(16))
BANNED = _banned(trust.program("store-banned"))
BANNED_BY_SHIM = _banned(trust.program("store-shim-banned", trust.sbat("ours,1")))

TOLD: Mapping[str, Variables] = {
    "own": _own(),
    "dbx": _own(dbx=REVOKED + BANNED),
    "setup": {},
    "off": _own(on=b"\0"),
    "ms": {},
    "mok": _shims(),
    "mokx": _shims(MokListX=BANNED_BY_SHIM),
    "sbat": _shims(SbatLevel=OURS),
}
"""By the names of `stores.STORES`."""


def told(name: str) -> bytes:
    """Return what `virt-fw-vars --set-json` takes."""
    found = [
        {"name": each, "guid": str(guid), "attr": one.attributes, "data": one.data.hex()}
        for (each, guid), one in TOLD[name].items()
    ]
    return json.dumps({"version": 2, "variables": found}).encode()
