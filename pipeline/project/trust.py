"""`[trust]` of a recipe: whose signatures its image has, and which keys it brings along. No secrets."""

from dataclasses import dataclass

from pipeline.config import Name, SharedPath


@dataclass(frozen=True)
class Trust:
    """What the image is signed and measured with.

    `keys` is a folder of public halves, as `./doit keys new` writes it. `signatures` is a file of detached
    signatures, as `./doit sign --secure-boot` writes it; as long as there is none, the image is unsigned.
    `shim` names the set in `roots/` with shim and MokManager, which then begin an ISO and what it installs.
    """

    keys: SharedPath
    signatures: SharedPath = "signatures.json"
    shim: Name | None = None
