"""What a row of the jury's table is, and by which of `inspect`'s answers each way of starting is judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.world.jury.changes import Change
from tests.world.jury.programs import WORD
from tests.world.jury.stores import STORES

WAYS = {
    "uefi_cd": ("uefi_cd",),
    "uefi_512": ("uefi_disk",),
    "uefi_4096": ("uefi_disk",),
    "bios_cd": ("bios_cd",),
    "bios_disk": ("bios_disk",),
    "efi": ("uefi",),
    "uki": ("uefi", "init"),
    "pcr": (),
    "pcr_1": (),
    "linux": ("init",),
    "secure": ("uefi", "secure_boot"),
    "secure_uki": ("uefi", "secure_boot", "init"),
    **{f"store_{name}": ("uefi", "secure_boot") for name in STORES},
}
"""By way: the questions whose answers all have to be yes for a start; none where a TPM is asked."""

TITLES = {
    "uefi_cd": "OVMF, as CD",
    "uefi_512": "OVMF, as USB stick",
    "uefi_4096": "OVMF, as disk with blocks of 4096 bytes",
    "bios_cd": "SeaBIOS, as CD",
    "bios_disk": "SeaBIOS, as stick",
    "efi": "OVMF, as program in a FAT",
    "uki": "OVMF and Linux, as UKI in a FAT",
    "pcr": "OVMF with a TPM, as UKI in a FAT",
    "pcr_1": "OVMF with a TPM, as UKI with the option @1",
    "linux": "Linux, as initramfs",
    "secure": "OVMF with Secure Boot, as program in a FAT",
    "secure_uki": "OVMF with Secure Boot and Linux, as UKI in a FAT",
    **{f"store_{name}": f"loaded by OVMF: {store.what}" for name, store in STORES.items()},
}

CD = ("uefi_cd",)
STICK = ("uefi_512",)
UEFI = ("uefi_cd", "uefi_512")
STORED = tuple(f"store_{name}" for name in STORES)
"""Loaded by firmware with each variable store, and not started."""
BOTH = ("uefi_512", "uefi_4096")
BIOS = ("bios_cd", "bios_disk")
ALL = (*UEFI, *BIOS)


@dataclass(frozen=True)
class Row:
    """An image: `recipe` is shell as in `kitchen`, `change` is what is done then, `ways` how it is tried.

    `what` says what it is. `differs` has, by way, why an answer and what was seen may differ. The recipe
    runs in `container`. With a machine that it does not give back, it has one `alone`. It was
    started when the `word` is said.
    """

    what: str
    recipe: str
    ways: tuple[str, ...]
    change: Change | None = None
    differs: Mapping[str, str] = field(default_factory=dict)
    container: str = "tools"
    alone: bool = False
    word: str = WORD
