"""Makes the parts of GRUB that an ISO is started by: as a CD and as a stick by BIOS, and by UEFI.

Each has all modules that it needs inside, and finds its medium by the volume identifier.

Specifications: grub-mkimage(1) of GRUB 2.12; El Torito 1.0; UEFI 2.10, §3.5.1.1
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.steps.runner import Context

ELTORITO, MBR, EFI = "eltorito.img", "boot_hybrid.img", "BOOTX64.EFI"
"""The outputs: what a BIOS loads, the code of the MBR that leads there, and the program for UEFI."""

MODULES = Path("/usr/lib/grub")
PREFIX = "/boot/grub"
COMMANDS = (
    "boot",
    "configfile",
    "echo",
    "halt",
    "iso9660",
    "linux",
    "normal",
    "part_gpt",
    "part_msdos",
    "reboot",
    "search",
    "search_label",
    "serial",
    "terminal",
)
BY_BIOS = ("biosdisk", "vbe")
BY_UEFI = ("efi_gop", "fat")


def embedded(volume_id: str) -> str:
    """Return what GRUB does first: it finds the medium by its volume identifier, wherever it was started."""
    return f"search --no-floppy --set=root --label {volume_id}\nset prefix=($root){PREFIX}\n"


def mkimage_argv(platform: str, folder: str, config: str, output: str, modules: Sequence[str]) -> list[str]:
    """Return grub-mkimage's command line; `folder` is the one of the platform's modules."""
    return [
        "grub-mkimage",
        f"--format={platform}",
        f"--directory={MODULES / folder}",
        f"--prefix={PREFIX}",
        f"--config={config}",
        f"--output={output}",
        *sorted((*COMMANDS, *modules)),
    ]


def build(ctx: Context) -> None:
    """Make ELTORITO, MBR and EFI for an ISO whose volume identifier is `params.volume_id`."""
    config = ctx.work / "embedded.cfg"
    config.write_text(embedded(ctx.params["volume_id"]), encoding="ascii")
    for platform, folder, output, modules in (
        ("i386-pc-eltorito", "i386-pc", ELTORITO, BY_BIOS),
        ("x86_64-efi", "x86_64-efi", EFI, BY_UEFI),
    ):
        ctx.run(mkimage_argv(platform, folder, str(config), str(ctx.out / output), modules))
    shutil.copyfile(MODULES / "i386-pc" / MBR, ctx.out / MBR)
