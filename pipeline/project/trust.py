"""`[trust]` of a recipe: whose signatures its image has, and which keys it brings along. No secrets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Name, SharedPath

PCR_KEY = "pcr.pem"
"""The public key that policies of PCR 11 are signed with."""

NEEDED = (
    PCR_KEY,
    *(f"{name}.{ending}" for name in ("PK", "KEK") for ending in ("pem", "cer", "esl", "auth")),
    *("db.esl", "db.auth"),
)
CERTIFICATES = "db*.pem"
"""Those that images are signed with: the first one is gone once it is revoked."""

PUBLIC = b"-----BEGIN PUBLIC KEY-----"
PRIVATE = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\A0(?:[\x00-\x7f]|\x81.|\x82..)\x02\x01[\0-\x03]", re.S
)
"""A private key in PEM, or in DER: a sequence that begins with its version, as no certificate does
(PKCS #1, #8 and #12, SEC 1).
"""


@dataclass(frozen=True)
class Trust:
    """What the image is signed and measured with.

    `keys` is a folder of public halves, as `./doit keys new` writes it. `signatures` is a file of detached
    signatures, as `./doit sign --secure-boot` writes it; as long as there is none, the image is unsigned, and
    so is one that is no release, of which it is "". `shim` names the set in `roots/` with shim and
    MokManager, which then begin an ISO and what it installs.
    """

    keys: SharedPath
    signatures: SharedPath = "signatures.json"
    shim: Name | None = None


def mistakes(where: str, folder: Path, shown: str) -> Iterator[str]:
    """Yield what is wrong with a recipe's folder of keys; `shown` is what people call that."""
    key = f"{where}: trust.keys"
    if not folder.is_dir():
        yield f"{key}: there is no folder {shown}: `./doit keys new` makes one, with all keys"
        return
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if PRIVATE.search(path.read_bytes()):
            name = path.relative_to(folder).as_posix()
            yield f"{key}: {shown}/{name} is a private key, and media get what is in that folder: move it out"
            return
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    missing += [] if any(folder.glob(CERTIFICATES)) else [CERTIFICATES]
    if missing:
        yield f"{key}: {shown} has no {', '.join(missing)}: name the folder `public` of `./doit keys new`"
    elif PUBLIC not in (folder / PCR_KEY).read_bytes():
        yield f"{key}: {shown}/{PCR_KEY} is no public key in PEM: copy the one that `./doit keys new` made"
