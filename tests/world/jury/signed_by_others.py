"""Rows: programs that others made and signed, and what is left of that after a change."""

from tests.world.jury.changes import Change, followed_by, poke
from tests.world.jury.row import STORED, Row
from tests.world.jury.secure import signs, unsigned_uki

SHIM, GRUB, SYSTEMD_BOOT = "shim-signed.efi", "grub-signed.efi", "systemd-boot-signed.efi"
PROGRAMS = {
    SHIM: "shim, signed by Microsoft",
    "shim.efi": "shim, not signed",
    "mok-signed.efi": "MokManager, signed by Debian",
    "fallback-signed.efi": "shim's fallback, signed by Debian",
    GRUB: "GRUB, signed by Debian",
    "grub.efi": "GRUB, not signed",
    SYSTEMD_BOOT: "systemd-boot, signed by Debian",
    "systemd-boot.efi": "systemd-boot, not signed",
    "fwupd-signed.efi": "fwupd's program, signed by Debian",
    "refind.efi": "rEFInd",
    "ipxe-x64.efi": "iPXE",
    "memtest-x64.efi": "Memtest86+",
    "shell-x64.efi": "the UEFI shell",
    "shell-aa64.efi": "the UEFI shell for arm64",
}
"""By the names of specimens."""


def _row(what: str, recipe: str, change: Change | None = None) -> Row:
    return Row(what, recipe, STORED, change)


def _copy(name: str) -> str:
    return f"cp $IN/{name} $OUT"


def _bare(name: str) -> str:
    return f"cat $IN/{name} > bare; sbattach --remove bare > log 2>&1 || {{ cat log; exit 1; }}"


SMALL = unsigned_uki().replace("$IN/vmlinuz", "$IN/loaded")
"""The UKI around a kernel of some KiB."""

ROWS = {
    **{f"of-{name.removesuffix('.efi')}": _row(what, _copy(name)) for name, what in PROGRAMS.items()},
    "of-shim-changed": _row("that shim, changed by one byte", _copy(SHIM), poke(0x1000, b"\xff")),
    "of-shim-appended": _row("that shim, and bytes behind it", _copy(SHIM), followed_by(b"APPENDED" * 32)),
    "of-shim-bare": _row("that shim, its signatures taken off", f"{_bare(SHIM)}; mv bare $OUT"),
    "of-shim-and-ours": _row("that shim, signed by us, too", signs("vendor", f"$IN/{SHIM}")),
    "of-shim-ours": _row("that shim, signed by us instead", f"{_bare(SHIM)}; {signs('vendor', 'bare')}"),
    "of-grub-and-ours": _row("that GRUB, signed by us, too", signs("vendor", f"$IN/{GRUB}")),
    "of-systemd-boot-ours": _row(
        "that systemd-boot, signed by us, too", signs("vendor", f"$IN/{SYSTEMD_BOOT}")
    ),
    "of-uki": _row("a UKI, not signed", f"{SMALL}; mv uki $OUT"),
    "of-uki-ours": _row("a UKI, signed by us", f"{SMALL}; {signs('vendor', 'uki')}"),
    "of-uki-stranger": _row("a UKI, signed by a stranger", f"{SMALL}; {signs('stranger', 'uki')}"),
}
