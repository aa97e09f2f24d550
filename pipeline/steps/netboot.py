"""Makes what a server offers beside a UKI: a script for iPXE, and the command line for other PXE loaders.

Kernel and initramfs are offered apart, too, for loaders that start no UKI: they have to be the UKI's own, and
so has the command line. Nothing is copied: the folder that a build publishes into is what is offered.

Specifications: iPXE, https://ipxe.org/scripting and https://ipxe.org/cmd; UAPI.5 (sections of a UKI)
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.steps.runner import Context

if TYPE_CHECKING:
    from pipeline.formats.fields import Image

KERNEL, INITRAMFS, CMDLINE = "vmlinuz", "initramfs.cpio.zst", "cmdline.txt"
UKI = "uki"
"""The input that is the UKI, whatever it is called where it is offered."""

SECTIONS = {KERNEL: ".linux", INITRAMFS: ".initrd"}
"""Where in the UKI lies what is offered apart."""

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


def _is_same(part: "Image", path: Path) -> bool:
    """Say whether a section has the bytes of a file; either may be too large for memory."""
    from pipeline.formats.fields import CHUNK

    if len(part) != path.stat().st_size:
        return False
    with path.open("rb") as file:
        starts = range(0, len(part), CHUNK)
        return all(bytes(part[start : start + CHUNK]) == file.read(CHUNK) for start in starts)


def check_parts(program: Path, parts: Mapping[str, Path], cmdline: str, uki: str) -> None:
    """Raise PipelineError unless the UKI `program`, called `uki`, consists of what is offered apart."""
    from pipeline.formats.fields import open_image  # plans need none of this, and pefile is slow to load
    from pipeline.formats.pe import read_pe

    pe = read_pe(open_image(program))
    for name, section in SECTIONS.items():
        if not _is_same(pe.contents(section), parts[name]):
            raise PipelineError(
                f"{name} is not what {uki} has in its section {section}: over the network another system "
                "would start than from a medium",
                "offer the files that the UKI was made of",
            )
    if (found := bytes(pe.contents(".cmdline"))) != cmdline.encode():
        raise PipelineError(
            f"the command line of {uki} is {found.decode(errors='replace')!r}, not {cmdline!r}",
            "offer the command line that the UKI was made with",
        )


def build(ctx: Context) -> None:
    """Make the script `params.output`, and CMDLINE, after a look into the UKI, which `params.uki` names."""
    uki, cmdline = ctx.params["uki"], ctx.params["cmdline"]
    parts = {name: ctx.inputs[name] for name in SECTIONS}
    check_parts(ctx.inputs[UKI], parts, cmdline, uki)
    text = script(ctx.params["title"], uki, cmdline)
    (ctx.out / ctx.params["output"]).write_text(text, encoding="ascii")
    (ctx.out / CMDLINE).write_text(cmdline, encoding="ascii")
