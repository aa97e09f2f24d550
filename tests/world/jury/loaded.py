"""A kernel of 2 KiB for any boot loader: by each of a bzImage's three entries it says that it was started.

A BIOS's loaders enter it in real mode or in protected mode, and hand over an initramfs: without one it says
so instead. UEFI starts it as a program.

Specification: Linux, Documentation/arch/x86/boot.rst
"""

import struct

from tests.fixtures.newc import FILE, Raw, newc
from tests.world.jury import programs

WITHOUT = "no initramfs"
SETUP = 4  # blocks of 512 bytes, behind the first
REAL = 0x280  # where the code begins that real mode enters by the jump at 0x200
PROTECTED = (1 + SETUP) * 512
SIZE = 2048  # bytes behind the setup
EFI = 0x400  # from the start of those: what UEFI starts
INITRD_SIZE = 0x21C
INITRD = newc([Raw("init", FILE | 0o111, programs.init())])
"""An initramfs; the kernel only looks whether it has one."""

HALT = bytes.fromhex("f4ebfd")


def kernel() -> bytes:
    """Return it."""
    image = bytearray(PROTECTED + SIZE)
    image[: len(_headers())] = _headers()
    struct.pack_into("<BHI", image, 0x1F1, SETUP, 0, SIZE // 16)
    struct.pack_into("<HBB4sH", image, 0x1FE, 0xAA55, 0xEB, REAL - 0x202, b"HdrS", 0x20C)
    struct.pack_into("<H", image, 0x20E, 0x700 - 0x200)  # where its version stands
    struct.pack_into("<BBHI", image, 0x210, 0, 0x01, 0x8000, 0x100000)
    struct.pack_into("<HxxI", image, 0x224, 0x9000, 0)
    struct.pack_into("<IIBB", image, 0x22C, 0x7FFF_FFFF, 0x10_0000, 1, 20)
    struct.pack_into("<I", image, 0x238, 2047)
    struct.pack_into("<QI", image, 0x258, 0x10_0000, 0x10_0000)
    image[REAL : REAL + len(_real())] = _real()
    version = b"6.0.0-jury (a@b) #1\0"
    image[0x700 : 0x700 + len(version)] = version
    image[PROTECTED : PROTECTED + len(_protected())] = _protected()
    code = programs.efi_code()
    image[PROTECTED + EFI : PROTECTED + EFI + len(code)] = code
    return bytes(image)


def _texts() -> tuple[bytes, bytes]:
    return f"\r\n{programs.WORD}\r\n".encode() + b"\0", f"\r\n{WITHOUT}\r\n".encode() + b"\0"


def _real() -> bytes:
    """Enter with ds at the first block: the header's fields are where they are in the file."""
    good, bad = _texts()
    said = programs.say("") + HALT
    look = bytes.fromhex("fc66833e") + struct.pack("<H", INITRD_SIZE) + b"\0"
    first = REAL + len(look) + 2 + 3 + 3 + 2 + len(said)
    # jz over `mov si, good; jmp 3` to `mov si, bad`
    choose = b"\x74\x05\xbe" + struct.pack("<H", first) + b"\xeb\x03"
    choose += b"\xbe" + struct.pack("<H", first + len(good))
    return look + choose + said + good + bad


def _protected() -> bytes:
    """Enter with esi at the header, wherever this was loaded."""
    good, bad = _texts()
    said = programs.say("66") + HALT
    look = bytes.fromhex("fc83be") + struct.pack("<I", INITRD_SIZE) + b"\0"
    where = b"\xe8\0\0\0\0\x5e"  # call the next instruction; pop esi
    # the text's distance from that instruction, which the pop begins
    to_good = 1 + 2 + 2 + 6 + 2 + 6 + len(said)
    look = look + b"\x0f\x94\xc0" + where + b"\x84\xc0"  # setz al; …; test al, al
    choose = b"\x75\x08\x81\xc6" + struct.pack("<I", to_good) + b"\xeb\x06"
    choose += b"\x81\xc6" + struct.pack("<I", to_good + len(good))
    return look + choose + said + good + bad


def _headers() -> bytes:
    """Return the headers of a PE32+ image, in a bzImage's first block: one section, all that is behind it."""
    coff = struct.pack("<4sHHIIIHH", b"PE", programs.AMD64, 1, 0, 0, 0, 240, 0x22E)
    standard = struct.pack("<HBBIIIII", 0x20B, 2, 20, SIZE, 0, 0, 0x1000 + EFI, 0x1000)
    windows = struct.pack("<QII6HI", 0, 0x1000, 0x200, 0, 0, 1, 0, 0, 0, 0)
    windows += struct.pack("<IIIHH", 0x2000, 0x200, 0, programs.APPLICATION, 0) + bytes(32)
    windows += struct.pack("<II", 0, 16) + bytes(128)
    section = struct.pack("<8sIIIIIIHHI", b".text", SIZE, 0x1000, SIZE, PROTECTED, 0, 0, 0, 0, programs.CODE)
    return b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + coff + standard + windows + section
