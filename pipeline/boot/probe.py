"""Owns the question whether a guest runs on KVM here: /dev/kvm may open, and yet no guest ever runs.

A step's `run`, in the boot container. The guest lies at the reset vector, 16 bytes below 4 GiB (Intel SDM
volume 3A, 10.1.4), and ends its machine with its first instructions.
"""

import subprocess
from pathlib import Path

from pipeline.boot import machine
from pipeline.inside import Context

FAULT = "fault"
"""The output: in what way KVM does not work, nothing where it does."""

SECONDS = 5  # on a busy machine; else it takes a tenth of one
PORT = 0x501
SAID = 1
ENDED = SAID << 1 | 1  # QEMU's exit status for what the guest wrote to isa-debug-exit

GUEST = (
    bytes([0xBA])
    + PORT.to_bytes(2, "little")  # mov dx, PORT
    + bytes([0xB0, SAID])  # mov al, SAID
    + bytes([0xEE])  # out dx, al
    + bytes([0xF4])  # hlt
    + bytes([0xEB, 0xFD])  # jmp to it
)
FIRMWARE = bytes(0x10000 - 16) + GUEST.ljust(16, b"\0")


def command(firmware: Path, accel: str) -> list[str]:
    """Return QEMU's command line for a machine that has this guest in its firmware's place."""
    return [
        "qemu-system-x86_64",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-machine",
        "pc",
        "-accel",
        accel,
        "-m",
        "2M",
        "-bios",
        str(firmware),
        "-device",
        f"isa-debug-exit,iobase={PORT:#x},iosize=1",
    ]


def fault(folder: Path, accel: str) -> str:
    """Return in what way no guest runs on `accel`, "" where one does; `folder` is for the guest's file."""
    firmware = folder / "guest.bin"
    firmware.write_bytes(FIRMWARE)
    try:
        done = subprocess.run(
            command(firmware, accel),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"opens, but a guest did not run on it in {SECONDS} seconds"
    if done.returncode == ENDED:
        return ""
    said = done.stderr.strip().splitlines() or [f"QEMU ended with status {done.returncode}"]
    return f"opens, but no guest runs on it: {said[-1]}"


def run(ctx: Context) -> None:
    """Write `FAULT`; `params.accel` is kvm, and tcg in the test that this guest ends."""
    accel = ctx.params["accel"]
    closed = accel == "kvm" and not machine.can_open_kvm()
    found = "cannot be opened for reading and writing" if closed else fault(ctx.work, accel)
    (ctx.out / FAULT).write_text(found)
