"""Takes systemd-boot from the container in which UKIs are made: loader and stub are of one version.

Specifications: systemd-boot(7), loader.conf(5)
"""

import shutil

from pipeline.steps.runner import Context

PROGRAM = "systemd-bootx64.efi"
LOADER = f"/usr/lib/systemd/boot/efi/{PROGRAM}"
SETTINGS = "loader.conf"

USUAL = "timeout 3\neditor no\n"
"""Time to choose another version; and no other command line, which could do without the root hash."""


def build(ctx: Context) -> None:
    """Give on PROGRAM, and SETTINGS as in the input of that name, or the usual ones."""
    shutil.copyfile(LOADER, ctx.out / PROGRAM)
    own = ctx.inputs.get(SETTINGS)
    (ctx.out / SETTINGS).write_text(own.read_text(encoding="utf-8") if own else USUAL, encoding="utf-8")
