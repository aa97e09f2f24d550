"""What machines said on their serial console, taken from real boots."""

# ruff: noqa: E501 - machines do not wrap their lines

import struct

CLEAR = "\x1b[2J\x1b[01;01H\x1b[=3h\x1b[2J\x1b[01;01H"

LOADED = (
    CLEAR + 'BdsDxe: loading Boot0001 "UEFI QEMU DVD-ROM QM00001 " from PciRoot(0x0)/Pci(0x1F,0x2)\r\n'
    'BdsDxe: starting Boot0001 "UEFI QEMU DVD-ROM QM00001 " from PciRoot(0x0)/Pci(0x1F,0x2)\r\n'
)

GREETING = "\x1b[2J\x1b[H\x1b[1;32mTruthDB Installer\x1b[0m 0.1.0\r\n\r\n  \x1b[1mWelcome\x1b[0m\r\n\x1b[24;1HPress Q\r\n"

NOT_FOUND = (
    CLEAR
    + 'BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM QM00001 " from PciRoot(0x0)/Pci(0x1F,0x2): Not Found\r\n'
)

TO_SHELL = (
    'BdsDxe: loading Boot0002 "EFI Internal Shell" from Fv(7CB8BDC9)/FvFile(7C04A583)\r\n'
    'BdsDxe: starting Boot0002 "EFI Internal Shell" from Fv(7CB8BDC9)/FvFile(7C04A583)\r\n'
    "\x1b[2J\x1b[01;01H\x1b[01;01HUEFI Interactive Shell v2.2\r\nEDK II\r\n"
    "\x1b[1m\x1b[33m\x1b[40mMapping table\x1b[0m\x1b[37m\x1b[40m\r\n"
)

BLK = "\x1b[1m\x1b[33m\x1b[40m     BLK0:\x1b[0m\x1b[37m\x1b[40m Alias(s):\r\n          PciRoot(0x0)/Pci(0x1F,0x2)\r\n"
FS = "\x1b[1m\x1b[33m\x1b[40m      FS0:\x1b[0m\x1b[37m\x1b[40m Alias(s):F0:;BLK0:\r\n          PciRoot(0x0)/Pci(0x1F,0x2)\r\n"

PROMPT = (
    "\x1b[07;01HPress \x1b[1m\x1b[37m\x1b[40mESC\x1b[0m\x1b[37m\x1b[40m in 5 seconds to skip"
    " \x1b[1m\x1b[33m\x1b[40mstartup.nsh\x1b[0m\x1b[37m\x1b[40m or any other key to continue."
)

GAVE_UP = (
    LOADED + "\x1b[1m\x1b[31m\x1b[40m../src/boot/stub.c:1114@find_sections: Image lacks .linux section.\r\n"
    '\x1b[0m\x1b[37m\x1b[40mBdsDxe: failed to start Boot0001 "UEFI Misc Device" from PciRoot(0x0): Not Found\r\n'
)

NO_ROOT = (
    "[    2.492540] /dev/root: Can't open blockdev\r\n"
    "[    2.494130] List of all bdev filesystems:\r\n"
    "[    2.494446] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n"
    "[    2.494857] CPU: 1 UID: 0 PID: 1 Comm: swapper/0 Not tainted 6.12.107 #1\r\n"
    "[    2.498469] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0) ]---\r\n"
)

NO_ROOT_BY_OCR = (
    "[ 1.386768] Kernel panic ~ not syncing: UFS: Unable to mount root fs on unknoun-block(@,0)\n"
)

FIRST_RECORD = (1 << 62) - 3
"""A number like the first record's: three records later they begin at 0."""


def kernel_log(*texts: str, first: int = FIRST_RECORD, infos: int = 64) -> bytes:
    """Return these records as Linux keeps them in memory: what it cut off remains, as does unused room.

    A record comes every 1.5 s.
    """
    blocks = described = b""
    for index, text in enumerate(texts):
        data = text.encode()
        blocks += struct.pack("<Q", (first + index) % (1 << 62)) + data
        blocks += b"xx\n" + bytes(-(len(data) + 3) % 8)
        described += struct.pack("<QQH70x", index, index * 1_500_000_000, len(data))
    return blocks + bytes(5000) + described[: infos * 88] + bytes(500)
