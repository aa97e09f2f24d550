"""Whether guests run on KVM here: /dev/kvm may open, and a kernel that has no help of its processor may even
run a few instructions, one by one, until it meets one that it does not know.

A step's `run`, in the boot container. The guest lies where a processor begins, 16 bytes below 4 GiB (Intel
SDM volume 3A, 10.1.4), goes on to protected mode (10.9.1), uses the FPU, counts, and ends its machine.
"""

import subprocess
from pathlib import Path

from pipeline.steps.runner import Context
from pipeline.vm import machine

FAULT = "fault"
"""The output: in what way KVM does not work, nothing where it does."""

SECONDS = 5  # on a busy machine; else it takes a tenth of one
PORT = 0x501
SAID = 1
ENDED = SAID << 1 | 1  # QEMU's exit status for what the guest wrote to isa-debug-exit

BASE = 0xFFFF0000  # of the 64 KiB at whose end a processor begins
BEGIN, REAL, PROTECTED, SEGMENTS, TABLE = 0xFFF0, 0xFF00, 0xFF40, 0xFF80, 0xFFA0
COUNT = 1_000_000  # a millisecond's work, and minutes' where each instruction is emulated


def _little(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


GUEST = {
    BEGIN: b"\xe9" + _little((REAL - BEGIN - 3) & 0xFFFF, 2),  # jmp REAL
    REAL: b"".join(
        (
            b"\xfa",  # cli
            b"\x66\x2e\x0f\x01\x16" + _little(TABLE, 2),  # lgdt cs:TABLE
            b"\x0f\x20\xc0",  # mov eax, cr0
            b"\x0c\x01",  # or al, 1
            b"\x0f\x22\xc0",  # mov cr0, eax
            b"\x66\xea" + _little(BASE + PROTECTED, 4) + _little(8, 2),  # jmp 8:PROTECTED
        )
    ),
    PROTECTED: b"".join(
        (
            b"\xb8\x10\0\0\0",  # mov eax, 16
            b"\x8e\xd8",  # mov ds, ax
            b"\x8e\xd0",  # mov ss, ax
            b"\x9b\xdb\xe3",  # finit
            b"\xb9" + _little(COUNT, 4),  # mov ecx, COUNT
            b"\x49",  # dec ecx
            b"\x75\xfd",  # jnz to it
            b"\x66\xba" + _little(PORT, 2),  # mov dx, PORT
            b"\xb0" + _little(SAID, 1),  # mov al, SAID
            b"\xee",  # out dx, al
            b"\xf4",  # hlt
            b"\xeb\xfd",  # jmp to it
        )
    ),
    SEGMENTS: bytes(8) + bytes.fromhex("ffff0000009bcf00 ffff00000093cf00"),  # none; all as code; all as data
    TABLE: _little(23, 2) + _little(BASE + SEGMENTS, 4),
}


def firmware() -> bytes:
    """Return the guest as QEMU takes a firmware: the last 64 KiB below 4 GiB."""
    image = bytearray(0x10000)
    for place, content in GUEST.items():
        image[place : place + len(content)] = content
    return bytes(image)


def command(image: Path, accel: str) -> list[str]:
    """Return QEMU's command line for a machine that has this guest in its firmware's place."""
    return [
        "qemu-system-x86_64",
        "-nodefaults",
        "-no-user-config",
        *("-display", "none"),
        *("-machine", "pc"),
        *("-accel", accel),
        *("-m", "2M"),
        *("-bios", str(image)),
        *("-device", f"isa-debug-exit,iobase={PORT:#x},iosize=1"),
    ]


def fault(folder: Path, accel: str) -> str:
    """Return in what way no guest runs on `accel`, "" where one does; `folder` is for the guest's file."""
    image = folder / "guest.bin"
    image.write_bytes(firmware())
    try:
        done = subprocess.run(
            command(image, accel),
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
