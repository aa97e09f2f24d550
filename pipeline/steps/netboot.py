"""Writes a script for iPXE that starts a UKI on UEFI, and on a BIOS the kernel and the initramfs in it.

Nothing is copied: the folder that a build publishes into is what a server offers.

Specification: iPXE, https://ipxe.org/scripting and https://ipxe.org/cmd
"""

import re

from pipeline.steps.runner import Context
from pipeline.steps.uki import CMDLINE, INITRAMFS, KERNEL

SPECIAL = re.compile(r"\$\{|(?:^|\s)(?:#\S*|&&|\|\||;)(?=\s|$)")
"""What iPXE does not hand on as it stands: settings, comments, and what separates commands."""

SCRIPT = """\
#!ipxe
# {title}: all files lie beside this one. Firmware for UEFI starts the UKI, a BIOS what it consists of.
iseq ${{platform}} efi && goto efi ||
kernel {kernel} {cmdline}
initrd {initramfs}
boot
:efi
# iPXE hands over a command line in any case, so a UKI would not use its own.
chain {uki} {cmdline}
"""


def mistake_in(cmdline: str) -> str | None:
    """Return what keeps a command line from getting through iPXE, None where nothing does."""
    found = SPECIAL.search(cmdline) or re.search(r"[^ -~]", cmdline)
    return f"iPXE would not hand on {found[0].strip()!r} as it stands" if found else None


def script(title: str, uki: str, cmdline: str) -> str:
    """Return the script for iPXE that starts the system `title` from the files beside it."""
    return SCRIPT.format(title=title, uki=uki, cmdline=cmdline, kernel=KERNEL, initramfs=INITRAMFS)


def build(ctx: Context) -> None:
    """Write the script `params.output`, which starts the UKI `params.uki` with the input CMDLINE."""
    cmdline = ctx.inputs[CMDLINE].read_text(encoding="utf-8")
    text = script(ctx.params["title"], ctx.params["uki"], cmdline)
    (ctx.out / ctx.params["output"]).write_text(text, encoding="ascii")
