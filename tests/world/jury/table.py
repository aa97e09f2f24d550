"""The jury's table, and the files that its recipes begin with."""

from collections.abc import Mapping
from pathlib import Path

from tests.fixtures.workshop import Content
from tests.world.jury import (
    archives,
    disks,
    efis,
    isos,
    isos_changed,
    loaded,
    loaders,
    measured,
    programs,
    secure,
    signed_by_others,
    ukis,
    volumes,
)
from tests.world.jury.row import Row

GROUPS: Mapping[str, Mapping[str, Row]] = {
    "ISO images": {**isos.ROWS, **isos_changed.ROWS},
    "Partition tables": disks.ROWS,
    "Boot loaders": loaders.ROWS,
    "FAT file systems": volumes.ROWS,
    "EFI programs": efis.ROWS,
    "Initramfs archives": archives.ROWS,
    "UKIs": ukis.ROWS,
    "PCR 11 of UKIs": measured.ROWS,
    "Secure Boot": secure.ROWS,
    "Programs of others": signed_by_others.ROWS,
}
TABLE: Mapping[str, Row] = {name: row for rows in GROUPS.values() for name, row in rows.items()}

KERNEL = "vmlinuz-cloud"
"""The specimen that starts initramfs archives, and lies in UKIs."""
SPECIMENS = (KERNEL, *signed_by_others.PROGRAMS)
"""All that recipes begin with."""

MBR_CODE = 432  # bytes; xorriso writes numbers behind them


def inputs(real: Mapping[str, Path]) -> dict[str, Content]:
    """Return what recipes find in `$IN`, given `SPECIMENS` by name."""
    return {
        "bootx64.efi": programs.efi(),
        "bootia32.efi": programs.efi(machine=programs.I386),
        "bios.bin": programs.bios_code().ljust(2048, b"\0"),
        "bios-table.bin": programs.bios_code(64).ljust(2048, b"\0"),
        "mbr.bin": programs.bios_code().ljust(MBR_CODE, b"\0"),
        "hfsplus.img": bytes(1024) + b"H+\0\4\0\0\1\0" + bytes(1 << 20),
        "init": programs.init(),
        "loaded": loaded.kernel(),
        "initrd.img": loaded.INITRD,
        **real,
        "vmlinuz": real[KERNEL],
        **measured.INPUTS,
        **archives.INPUTS,
        **secure.INPUTS,
    }
