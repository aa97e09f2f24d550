"""What a BIOS runs of a medium: the code in its first block, and at what El Torito's entry points.

Specification: El Torito 1.0, §2 and §3
"""

from pipeline.formats import bios_notice
from pipeline.formats.fields import Image

BOOT_CODE = 440  # bytes of an MBR that a BIOS runs
PARTITIONS = 446  # where its four entries begin, each with the byte that marks the active one
ACTIVE = 0x80
DRIVER_DESCRIPTOR = b"ER"  # begins Apple's map of a disk; a PC runs it, to the code behind it if there is any
DRIVERS = 32  # bytes of that descriptor
LOADERS = (
    (b"isolinux.bin missing", "isohybrid"),
    (b"GRUB", "GRUB"),
    (b"Missing operating system", "a master boot record that starts the active partition"),
    (b"Missing OS", "a master boot record that starts the active partition"),
    (b"BOOTMGR", "Windows"),
    (b"LILO", "LILO"),
    (b"iPXE", "iPXE"),
    (b"Memtest86+", "Memtest86+"),
)
REFUSES = (b"This is not a bootable disk", b"Non-System disk", b"not a bootable partition", bios_notice.MARK)

BLOCK = 512  # bytes
GRUB_CORE = ((b"\x66\x8b\x1e\x5c\x7c", 0x5C), (b"\x66\x8b\x1e\xb0\x7d", 0x1B0))
"""How GRUB's boot code reads in which block its core image begins, and where the number stands: in boot.img,
and in the boot_hybrid.img of an ISO (GRUB, grub-core/boot/i386/pc/boot.S)."""


def without_core(image: Image) -> str:
    """Return why GRUB's boot code in the first block loads nothing, a clause; "" where it loads something."""
    block = bytes(image[:BLOCK])
    at = next((at for reads, at in GRUB_CORE if reads in block), None)
    if at is None or b"GRUB" not in block:
        return ""
    number = int.from_bytes(block[at : at + 8], "little")
    core = bytes(image[number * BLOCK : (number + 1) * BLOCK])
    there = "a GPT" if core.startswith(b"EFI PART") else "" if any(core) else "nothing"
    return f"loads its core image from block {number}, where there is {there}" if there else ""


def boot_code(image: Image) -> str | None:
    """Return what a BIOS would run in the first block, "" if unknown, or None."""
    block = bytes(image[:512])
    if block[510:] != b"\x55\xaa" or is_empty(image):
        return None
    known = next((f"the boot code of {name}" for mark, name in LOADERS if mark in block), "")
    is_active = any(block[start] == ACTIVE for start in range(PARTITIONS, 510, 16))
    return known or ("boot code, and marks a partition as the one to start" if is_active else "")


def is_empty(image: Image) -> bool:
    """Tell whether there is no code in the first block, behind a jump or a Mac's descriptor."""
    block = bytes(image[:512])
    start = 2 + block[1] if block[:1] == b"\xeb" else 3 if block[:1] == b"\xe9" else 0
    if block.startswith(DRIVER_DESCRIPTOR):
        start = DRIVERS
    return not any(block[start:BOOT_CODE])


def refuses(image: Image) -> bool:
    """Tell whether what a BIOS would run at the start of `image` only says why it ends there."""
    block = bytes(image[:512])
    return any(text in block for text in REFUSES)
