"""What a machine's firmware trusts: variable stores with Secure Boot's keys in them.

Specification: UEFI 2.10, §32.3 "Firmware/OS Key Exchange"
"""

import json
from pathlib import Path
from typing import Literal, get_args

from pipeline.errors import PipelineError
from pipeline.formats.secure_boot import DATABASES, EDK2_ENABLE, SHIM
from pipeline.vm import disks
from pipeline.vm.machine import VARIABLES, Firmware

Trusting = Literal["off", "setup", "own", "shim"]
"""Whom firmware trusts: `off` checks nothing, `setup` has Secure Boot and no keys yet, `own` has the vendor's
keys and no others, `shim` those that machines are sold with, and shim the vendor's certificate."""

SECURE_CODE = "OVMF_CODE_4M.secboot.fd"
MICROSOFT = "OVMF_VARS_4M.ms.fd"
BOOT_SERVICES, AUTHENTICATED = 0x03, 0x27
"""Attributes of variables that last: for boot services alone; at run time, and changed by those who sign."""

KINDS = {
    "dbx": (DATABASES, AUTHENTICATED),
    "SecureBootEnable": (EDK2_ENABLE, BOOT_SERVICES),
    "SbatLevel": (SHIM, BOOT_SERVICES),
}
"""Variables by name: whose they are, and their attributes (UEFI 2.10, §8.2.1)."""

OWNER = "6f776e65-7200-4000-8000-000000000000"


def trusting(whom: Trusting, firmware: Firmware, keys: Path | None, folder: Path) -> Firmware:
    """Return the firmware that trusts somebody, with a store that is written to `folder`.

    `keys` is a folder as `./doit keys new` makes it for everybody, with PK.pem, KEK.pem and db.pem, which
    `own` and `shim` need. Raises PipelineError for another `whom`.
    """
    if whom not in get_args(Trusting):
        raise PipelineError(f"{whom!r} is nobody that firmware trusts", f"choose from {get_args(Trusting)}")
    if whom == "off":
        return firmware
    store, code = folder / VARIABLES, firmware.code.with_name(SECURE_CODE)
    factory = firmware.variables.with_name(MICROSOFT) if whom == "shim" else firmware.variables
    words: list[str] = []
    if keys and whom == "own":
        words = ["--set-pk", OWNER, str(keys / "PK.pem"), "--add-kek", OWNER, str(keys / "KEK.pem")]
        words += [word for one in sorted(keys.glob("db*.pem")) for word in ("--add-db", OWNER, str(one))]
        words += ["--secure-boot"]
    if keys and whom == "shim":
        words = [word for one in sorted(keys.glob("db*.pem")) for word in ("--add-mok", OWNER, str(one))]
    disks.run("virt-fw-vars", "--input", str(factory), "--output", str(store), *words)
    return Firmware(code, store)


def write(store: Path, name: str, data: bytes) -> None:
    """Write one of KINDS into a store, as firmware or shim would."""
    vendor, attributes = KINDS[name]
    found = [{"name": name, "guid": str(vendor), "attr": attributes, "data": data.hex()}]
    file = store.with_suffix(".json")
    file.write_text(json.dumps({"version": 2, "variables": found}), encoding="ascii")
    disks.run("virt-fw-vars", "--inplace", str(store), "--set-json", str(file))
