"""Patches GRUB's boot sector and core image to where they lie on a disk, as grub-bios-setup would.

The boot sector of a disk loads one sector, the first of the core image; that one loads the rest by its list
of blocks. Both are made without a place. Addresses are sectors of 512 bytes, as a BIOS counts them.

Source: GRUB 2.12, grub-core/boot/i386/pc/boot.S and diskboot.S, util/setup.c (write_rootdev, and
"enable the workaround, which is for buggy BIOSes")
"""

import struct

from pipeline.errors import FormatError

SECTOR = 512
BOOT_CODE = 440
"""What of an MBR is code; the disk's signature and the partitions follow (UEFI 2.10, §5.2.1)."""

KERNEL_ADDRESS, KERNEL_SECTOR, BOOT_DRIVE, DRIVE_CHECK = 0x5A, 0x5C, 0x64, 0x66
LOAD_ADDRESS = 0x8000
ANY_DRIVE = 0xFF  # the drive that the BIOS has started from
NO_CHECK, CHECK = b"\xeb\x05", b"\x90\x90"
"""A jump over what corrects the number of a drive that a BIOS got wrong, and that jump taken out."""

BLOCK_LIST = SECTOR - 12
"""Where the first sector of the core image has its list: the first sector, how many, and the segment that
they are loaded to."""

SEGMENT = 0x820
MAX_SECTORS = (0x78000 - 0x9000) // SECTOR
"""What fits below the memory that a BIOS has for itself."""


def patched(boot: bytes, core: bytes, lba: int) -> tuple[bytes, bytes]:
    """Return the boot code of an MBR, of 440 bytes, and the core image as it lies from sector `lba` on.

    `boot` is i386-pc's boot.img, `core` what grub-mkimage has made for i386-pc, which is filled up to whole
    sectors. Raises FormatError for what is neither, or has no such place.
    """
    if len(boot) != SECTOR or boot[-2:] != b"\x55\xaa":
        raise FormatError(
            f"boot.img: {len(boot)} bytes that end in {boot[-2:].hex()} are no boot sector: "
            f"{SECTOR} that end in 55aa",
            "take boot.img of GRUB's folder i386-pc",
        )
    (address,), check = struct.unpack_from("<H", boot, KERNEL_ADDRESS), boot[DRIVE_CHECK : DRIVE_CHECK + 2]
    if address != LOAD_ADDRESS or check not in (NO_CHECK, CHECK):
        raise FormatError(
            f"boot.img: it loads to {address:#x}, and has {check.hex()} where it looks at the drive's "
            f"number: that of GRUB loads to {LOAD_ADDRESS:#x}, and has {NO_CHECK.hex()}",
            "take boot.img of GRUB's folder i386-pc",
        )
    sectors = -(-len(core) // SECTOR)
    if not 2 <= sectors <= MAX_SECTORS:
        raise FormatError(
            f"core.img: {len(core)} bytes are {sectors} sectors, and 2 to {MAX_SECTORS} can be loaded",
            "build fewer modules into it",
        )
    _, count, segment = struct.unpack_from("<QHH", core, BLOCK_LIST)
    if (count, segment) != (sectors - 1, SEGMENT):
        raise FormatError(
            f"core.img: its first sector loads {count} more to segment {segment:#x}, and {sectors - 1} "
            f"follow, which belong to {SEGMENT:#x}",
            "have grub-mkimage make it with --format i386-pc",
        )
    if not 0 < lba < 1 << 63:
        raise FormatError(f"core.img: it cannot lie from sector {lba} on", "give it a partition of its own")
    code, image = bytearray(boot[:BOOT_CODE]), bytearray(core.ljust(sectors * SECTOR, b"\0"))
    struct.pack_into("<Q", code, KERNEL_SECTOR, lba)
    code[BOOT_DRIVE] = ANY_DRIVE
    code[DRIVE_CHECK : DRIVE_CHECK + 2] = CHECK
    struct.pack_into("<Q", image, BLOCK_LIST, lba + 1)
    return bytes(code), bytes(image)
