import struct

import pytest

from pipeline.formats.magic import describe
from tests.fixtures import patch
from tests.fixtures.bzimage import bzimage
from tests.fixtures.elf import elf
from tests.fixtures.fat import fat
from tests.fixtures.gpt import mbr, with_gpt
from tests.fixtures.initramfs import changed
from tests.fixtures.iso import iso
from tests.fixtures.newc import newc
from tests.fixtures.pe import ARM64, pe
from tests.fixtures.uki import uki

NTFS = (
    b"\xeb\x52\x90NTFS    \0\2\x08".ljust(446, b"\0") + b"A disk read error occurred".ljust(64) + b"\x55\xaa"
)

OLD_CPIO = struct.pack("<13H", 0o070707, 0, 0, 0o100755, 0, 0, 1, 0, 0, 0, 5, 0, 0) + b"init\0\0"


@pytest.mark.parametrize(
    ("image", "description"),
    [
        (b"", "an empty file"),
        (b"\n", "a file of no known format (it starts with 0a)"),
        (bytes(5000), "a file of no known format (it starts with 0000000000000000)"),
        (bzimage(), "a Linux bzImage"),
        (bzimage(stub=False), "a Linux bzImage"),
        (b"#!/bin/sh -e\nexit\n", "a script (#!/bin/sh -e)"),
        (elf(), "an ELF file"),
        (uki(), "a UKI for x86-64"),
        (pe({".text": b"x"}, machine=ARM64), "an EFI program for arm64"),
        (b"MZ" + bytes(100), "a file that starts like an EFI program, but is not one"),
        (newc([]), "an uncompressed cpio archive"),
        (changed(), "a zstd file"),
        (b"070707" + b"0" * 70, "a cpio archive in the old format odc"),
        (OLD_CPIO, "a cpio archive in the old binary format"),
        (
            bytes(OLD_CPIO[at ^ 1] for at in range(26)) + b"init\0\0",
            "a cpio archive in the old binary format",
        ),
        (patch(OLD_CPIO, 20, b"\x09"), "a file of no known format (it starts with c77100000000ed81)"),
        (b"init".ljust(257, b"\0") + b"ustar\x0000", "a tar archive"),
        (b"hsqs" + bytes(92), "a squashfs file system"),
        (b"verity\0\0" + bytes(92), "a tree of dm-verity"),
        (bytes(1080) + b"\x53\xef", "an ext2, ext3 or ext4 file system"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"\xfd7zXZ\0", "an xz file"),
        (b"BZh9", "a bzip2 file"),
        (b"\x02\x21\x4c\x18", "an lz4 file"),
        (b"!<arch>\ndebian-binary", "a Debian package or a static library"),
        (struct.pack("<II48s4s", 0x14000000, 0, b"", b"ARM\x64"), "a Linux Image for arm64"),
        (fat({}), "a FAT image"),
        (fat({}, kind="FAT32", clusters=100), "a FAT image"),
        (iso(), "an ISO 9660 image"),
        (with_gpt(bytes(100 * 512), 40, 50), "a disk image with a GPT"),
        (mbr(), "a disk image with an MBR"),
        (mbr(kind=0), "a file of no known format (it starts with 0000000000000000)"),
        (NTFS, "a file of no known format (it starts with eb52904e54465320)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_are_described(image: bytes, description: str) -> None:
    assert describe(image) == description
    assert describe(memoryview(image)) == description
