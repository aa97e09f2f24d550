"""Bundles kernel, initramfs, command line and splash into one EFI program (a UKI).

Specification: UAPI.5, https://uapi-group.org/specifications/specs/unified_kernel_image/
"""

import re

from pipeline.errors import PipelineError
from pipeline.steps.runner import Context

BYTECODE = "/tmp/bytecode"  # noqa: S108
"""Where ukify finds modules compiled, if a container had the time to do so before its step came."""

KERNEL, INITRAMFS, CMDLINE = "vmlinuz", "initramfs.cpio.zst", "cmdline.txt"
"""What a UKI is made of, each of which can be had apart; the command line is an output."""

PCR_KEY = "pcr.pem"
"""The input with the public key that policies of PCR 11 are signed with; with it there is room for these."""

ROOM = 4096  # bytes of a .pcrsig: four policies by keys of RSA-2048 have 3 KB
NO_POLICIES = "{}".ljust(ROOM)

SBAT = """\
sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md
uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/
"""
"""What every UKI says of itself, besides its stub; ukify has it where it is told nothing."""

STUB = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"


def ukify_argv(ctx: Context, output: str) -> list[str]:
    """Return ukify's command line with every choice explicit: what is left open it takes from the host."""
    return [
        "ukify",
        "build",
        "--efi-arch=x64",
        "--config=/dev/null",  # else /etc/systemd/ukify.conf is read
        f"--stub={STUB}",
        f"--linux={ctx.inputs[KERNEL]}",
        f"--initrd={ctx.inputs[INITRAMFS]}",
        f"--cmdline={ctx.params['cmdline']}",
        f"--os-release={ctx.params['os_release']}",
        f"--uname={kernel_release(ctx.inputs[KERNEL].read_bytes())}",
        f"--splash={ctx.inputs['splash.bmp']}",
        f"--sbat={SBAT}{ctx.params['sbat']}",
        *_for_policies(ctx),
        f"--output={output}",
    ]


def _for_policies(ctx: Context) -> list[str]:
    if PCR_KEY not in ctx.inputs:
        return []
    # Not measured, so that what is attached in its place later changes no PCR.
    return [f"--pcrpkey={ctx.inputs[PCR_KEY]}", f"--section=.pcrsig:{NO_POLICIES}"]


def kernel_release(image: bytes) -> str:
    """Return what `uname -r` will say.

    A bzImage points to it at 0x20e, counted from 0x200 (Linux, Documentation/arch/x86/boot.rst).
    ukify can look, too, but falls back to guessing.
    """
    if image[0x202:0x206] != b"HdrS":
        raise PipelineError(
            "vmlinuz is not a bzImage: no HdrS at offset 0x202", "name a bzImage as the kernel"
        )
    start = int.from_bytes(image[0x20E:0x210], "little") + 0x200
    match = re.match(rb"[!-~]+", image[start : start + 256])
    if not match:
        raise PipelineError(f"vmlinuz names no version at offset {start:#x}", "was it cut off?")
    return match[0].decode("ascii")


def check_whole(ctx: Context, program: bytes) -> None:
    """Raise PipelineError unless the UKI has in it, byte for byte, what it was to be made of."""
    parts = {name: ctx.inputs[name].read_bytes() for name in (KERNEL, INITRAMFS)}
    for name, part in (parts | {CMDLINE: ctx.params["cmdline"].encode()}).items():
        if part not in program:
            raise PipelineError(
                f"{ctx.params['output']} does not hold {name} as it is: started in parts, over the network, "
                "it would be another system",
                "compare them by `./doit inspect --extract`, and look for what ukify says in the step's log",
            )


def build(ctx: Context) -> None:
    """Make the UKI `params.output`, and CMDLINE, the command line that it has."""
    output = ctx.out / ctx.params["output"]
    ctx.run(ukify_argv(ctx, str(output)), env={"PYTHONPYCACHEPREFIX": BYTECODE})
    check_whole(ctx, output.read_bytes())
    (ctx.out / CMDLINE).write_text(ctx.params["cmdline"], encoding="utf-8")
