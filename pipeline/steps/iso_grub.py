"""Makes the ISO that GRUB starts, by BIOS and by UEFI, as a CD, a stick, or a file that another one mounts.

Kernel and initramfs lie on it once, as files that all of these read: whoever mounts the ISO (Heads does, and
GRUB by loopback.cfg) finds them in its menus, which are literal for that reason.

Specifications: El Torito 1.0; GRUB 2.12 manual, "loopback.cfg" (https://www.supergrubdisk.org/wiki/Loopback.cfg);
Linux, Documentation/arch/x86/boot.rst
"""

import hashlib
import re
import shutil

from pipeline.errors import PipelineError
from pipeline.steps import grub
from pipeline.steps.iso import finish
from pipeline.steps.runner import Context

KERNEL, INITRAMFS = "boot/vmlinuz", "boot/initrd.img"
MENU, LOOPBACK = "boot/grub/grub.cfg", "boot/grub/loopback.cfg"
CATALOG, ELTORITO = "boot/boot.cat", f"boot/grub/{grub.ELTORITO}"
INPUTS = {"vmlinuz": KERNEL, "initramfs.cpio.zst": INITRAMFS, grub.ELTORITO: ELTORITO}
"""Where each of these inputs lies on the ISO."""

TERMINALS = """\
if [ "$grub_platform" = pc ]; then
  if serial --unit=0 --speed=115200; then
    terminal_input console serial
    terminal_output console serial
  fi
fi
"""
"""The menu is on the screen, and on the first serial port: UEFI has its own console there, if it wants to."""

# What Linux gets for a screen from a BIOS is what GRUB sets; by UEFI it asks the firmware itself.
START = """\
set default=0
set timeout={timeout}
set gfxpayload=1024x768x32,1024x768x24,1024x768,800x600,auto
"""
ENTRY = """\
menuentry '{title}' {{
  linux /{kernel} {cmdline}
  initrd /{initramfs}
}}
"""


SPECIAL = re.compile(r"""[^ -~]|['"\\\\$|;&<>{}#]""")
"""What some reader of menus takes for something else than itself."""


def menu(title: str, cmdline: str, timeout: int) -> str:
    """Return the part of a menu that starts the system: literal, for readers that expand nothing.

    Raises PipelineError for a text that has SPECIAL in it.
    """
    for what, text in (("title", title), ("command line", cmdline)):
        if found := SPECIAL.search(text):
            raise PipelineError(
                f"the menu's {what} {text!r} has {found[0]!r} in it, "
                "which not all that read menus take as it is",
                "leave it out: what is started would depend on who reads the menu",
            )
    entry = ENTRY.format(title=title, kernel=KERNEL, cmdline=cmdline, initramfs=INITRAMFS)
    return START.format(timeout=timeout) + entry


def bios_options(mbr: str) -> list[str]:
    """Return xorriso's options for what a BIOS starts: from a CD by El Torito, from a stick by the MBR."""
    return [
        "--grub2-mbr",  # code for the MBR, which gets the place of the El Torito image
        mbr,
        "-c",
        CATALOG,
        "-b",  # the entry for a BIOS; El Torito wants it first
        ELTORITO,
        "-no-emul-boot",
        "-boot-load-size",
        "4",
        "-boot-info-table",  # where the image lies: its first sectors load the rest
        "--grub2-boot-info",
    ]


def build(ctx: Context) -> None:
    """Make the ISO `params.output` of INPUTS, the MBR's code, and `efi.img`, which has GRUB for UEFI.

    Its menu has one entry, `params.title`, which starts Linux with `params.cmdline` after `params.timeout`
    seconds.
    """
    params, tree = ctx.params, ctx.work / "tree"
    text = menu(params["title"], params["cmdline"], params["timeout"])
    texts = {"README.txt": params["readme"], MENU: TERMINALS + text, LOOPBACK: text}
    (tree / MENU).parent.mkdir(parents=True)
    for name, content in texts.items():
        (tree / name).write_text(content, encoding="ascii")
    state = hashlib.sha256(text.encode())
    for name, place in INPUTS.items():
        shutil.copyfile(ctx.inputs[name], tree / place)
        with ctx.inputs[name].open("rb") as file:
            state.update(hashlib.file_digest(file, "sha256").digest())
    finish(ctx, tree, bios_options(str(ctx.inputs[grub.HYBRID])), state.hexdigest())
