"""Rows: partition tables, for blocks of 512 and of 4096 bytes, and what happens to them."""

import struct

from tests.world.jury.changes import (
    ESP,
    LINUX,
    chain,
    cut,
    gpt,
    grown,
    mbr,
    mbr_field,
    poke,
    seal,
)
from tests.world.jury.row import BOTH, STICK, Row

FAT = "fat fs 4000; "
AT_1M = f"{FAT} hollow $OUT 8M; dd if=fs of=$OUT bs=1M seek=1 conv=notrunc status=none; "
FAT_4096 = "blank fs 4000 -S 4096 -s 1; put fs $IN/bootx64.efi; "
AT_1M_4096 = f"{FAT_4096} hollow $OUT 8M; dd if=fs of=$OUT bs=1M seek=1 conv=notrunc status=none; "
SGDISK = f"{AT_1M} sgdisk -n1:2048:+4M -t1:ef00 $OUT > log; "
IN_512 = (ESP, 2048, 10239)
IN_4096 = (ESP, 256, 1279)
PLAIN = (0, 0xEF, 2048, 8192)
BLOCKS = (8 << 20) // 512


def _sfdisk(kind: str, more: str = "") -> str:
    return f"{AT_1M} echo 'start=2048, size=8192, type={kind}{more}' | sfdisk -q --label dos $OUT; "


def _too_short(image: bytes) -> bytes:
    """Let the partition end before the program in its FAT."""
    return gpt([(ESP, 2048, 2048 + 32)])(image)


GPTS = {
    "gpt": Row("GPT with an EFI system partition (sgdisk)", SGDISK, BOTH),
    "gpt-basic-data": Row(
        "GPT whose partition is basic data", f"{AT_1M} sgdisk -n1:2048:+4M -t1:0700 $OUT > log", STICK
    ),
    "gpt-linux": Row(
        "GPT whose partition is Linux data", f"{AT_1M} sgdisk -n1:2048:+4M -t1:8300 $OUT > log", STICK
    ),
    "gpt-esp-second": Row(
        "GPT whose second partition is the EFI system partition, the first is empty",
        AT_1M,
        STICK,
        gpt([(LINUX, 64, 1023), IN_512]),
    ),
    "gpt-pmbr-active": Row("boot flag on the protective MBR", SGDISK, STICK, mbr_field(1, 0, b"\x80")),
    "gpt-pmbr-type": Row("the protective MBR's type made 0x83", SGDISK, STICK, mbr_field(1, 4, b"\x83")),
    "gpt-pmbr-small": Row(
        "the protective MBR's entry has one block", SGDISK, STICK, mbr_field(1, 12, struct.pack("<I", 1))
    ),
    "gpt-pmbr-starts-at-2": Row(
        "the protective MBR's entry begins at block 2", SGDISK, STICK, mbr_field(1, 8, struct.pack("<I", 2))
    ),
    "gpt-pmbr-second-slot": Row(
        "the protective entry in the second place",
        AT_1M,
        STICK,
        chain(gpt([IN_512]), mbr((0, 0, 0, 0), (0, 0xEE, 1, BLOCKS - 1))),
    ),
    "gpt-no-mbr": Row("GPT without an MBR", SGDISK, STICK, poke(0, bytes(512))),
    "gpt-hybrid": Row(
        "hybrid MBR: protective entry and one of type 0xEF",
        SGDISK,
        STICK,
        mbr((0, 0xEE, 1, 2047), PLAIN),
    ),
    "gpt-hybrid-other": Row(
        "hybrid MBR without a protective entry, its partition of type 0x0C",
        SGDISK,
        STICK,
        mbr((0x80, 0x0C, 2048, 8192)),
    ),
    "gpt-primary-overwritten": Row(
        "text in place of the primary GPT header",
        SGDISK,
        STICK,
        poke(512, b"**** ERROR: UEFI BOOT ONLY ****"),
    ),
    "gpt-primary-checksum": Row(
        "the primary GPT header's checksum is wrong", SGDISK, STICK, poke(512 + 16, b"abcd")
    ),
    "gpt-primary-entries": Row(
        "a byte of the primary GPT's entries changed", SGDISK, STICK, poke(1024 + 100, b"X")
    ),
    "gpt-backup-gone": Row("no backup GPT", SGDISK, STICK, poke(-512, bytes(512))),
    "gpt-both-gone": Row(
        "neither of the GPT's headers", SGDISK, STICK, chain(poke(512, bytes(512)), poke(-512, bytes(512)))
    ),
    "gpt-larger-stick": Row("backup not in the last block of a larger stick", SGDISK, STICK, grown(16 << 20)),
    "gpt-larger-stick-overwritten": Row(
        "the same, and text in place of the primary header",
        SGDISK,
        STICK,
        chain(grown(16 << 20), poke(512, b"overwritten")),
    ),
    "gpt-cut-off": Row("the image is cut off behind the FAT", SGDISK, STICK, cut(6 << 20)),
    "gpt-cut-in-the-fat": Row("the image is cut off inside the FAT", SGDISK, STICK, cut((1 << 20) + 8192)),
    "gpt-cut-overwritten": Row(
        "cut off behind the FAT, and text in place of the primary header",
        SGDISK,
        STICK,
        chain(cut(6 << 20), poke(512, b"overwritten")),
    ),
    "gpt-partition-too-short": Row(
        "the partition is shorter than what is read of its FAT", AT_1M, STICK, _too_short
    ),
    "gpt-partition-shifted": Row(
        "the partition begins a block before its FAT", AT_1M, STICK, gpt([(ESP, 2047, 10239)])
    ),
    "gpt-partition-past-end": Row(
        "the partition ends behind the last block", AT_1M, STICK, gpt([(ESP, 2048, BLOCKS + 100)])
    ),
    "gpt-overlapping": Row("two partitions overlap", AT_1M, STICK, gpt([IN_512, (LINUX, 4096, 12000)])),
    "gpt-backwards": Row("a partition ends before it begins", AT_1M, STICK, gpt([(ESP, 2048, 2000)])),
    "gpt-entry-size-256": Row("entries of 256 bytes", AT_1M, STICK, gpt([IN_512], entry_size=256)),
    "gpt-entries-elsewhere": Row("the entries begin at block 10", AT_1M, STICK, gpt([IN_512], at=10)),
    "gpt-revision": Row(
        "the GPT's revision is 2.0", SGDISK, STICK, seal(revision=(8, struct.pack("<I", 0x20000)))
    ),
    "gpt-my-lba": Row(
        "the primary header says that it lies in block 2",
        SGDISK,
        STICK,
        seal(own=(24, struct.pack("<Q", 2))),
    ),
    "gpt-header-size-512": Row(
        "the GPT header says that it has 512 bytes", SGDISK, STICK, seal(size=(12, struct.pack("<I", 513)))
    ),
    "gpt-empty": Row("GPT without partitions", "hollow $OUT 8M; sgdisk -o $OUT > log", STICK),
    "gpt-code": Row(
        "GPT, and code in its protective MBR",
        f"{SGDISK} over $OUT 0 < $IN/mbr.bin",
        ("uefi_512", "bios_disk"),
    ),
    "gpt-4096": Row(
        "GPT for blocks of 4096 bytes, FAT with sectors of 4096", AT_1M_4096, BOTH, gpt([IN_4096], 4096)
    ),
    "gpt-4096-fat-512": Row(
        "GPT for blocks of 4096 bytes, FAT with sectors of 512", AT_1M, BOTH, gpt([IN_4096], 4096)
    ),
    "gpt-512-fat-4096": Row(
        "GPT for blocks of 512 bytes, FAT with sectors of 4096", AT_1M_4096, BOTH, gpt([IN_512])
    ),
    "gpt-512-and-4096": Row(
        "GPT for 512 in front, one for 4096 behind it",
        AT_1M,
        BOTH,
        chain(gpt([IN_4096], 4096, at=6), gpt([IN_512])),
    ),
    "gpt-4096-primary-overwritten": Row(
        "GPT for blocks of 4096, text in place of its primary header",
        AT_1M_4096,
        BOTH,
        chain(gpt([IN_4096], 4096), poke(4096, b"overwritten")),
    ),
}

MBRS = {
    **{
        f"mbr-{kind}": Row(f"MBR partition of type 0x{kind.upper()}", _sfdisk(kind), STICK)
        for kind in ("ef", "0c", "0e", "06", "01", "0b", "07", "83", "1c", "a5")
    },
    "mbr-active": Row("active MBR partition of type 0x0C", _sfdisk("0c", ", bootable"), STICK),
    "mbr-4096": Row(
        "MBR partition of type 0xEF, counted in blocks of 4096", AT_1M_4096, BOTH, mbr((0, 0xEF, 256, 1024))
    ),
    "mbr-512-on-both": Row("MBR partition of type 0xEF, counted in blocks of 512", AT_1M, BOTH, mbr(PLAIN)),
    "mbr-overlapping": Row("two MBR partitions overlap", AT_1M, STICK, mbr(PLAIN, (0, 0x83, 4096, 8192))),
    "mbr-past-end": Row(
        "an MBR partition ends behind the last block", AT_1M, STICK, mbr((0, 0xEF, 2048, BLOCKS))
    ),
    "mbr-too-short": Row(
        "the MBR partition is shorter than what is read of its FAT", AT_1M, STICK, mbr((0, 0xEF, 2048, 16))
    ),
    "mbr-zero-length": Row("an MBR partition without a block", AT_1M, STICK, mbr((0, 0xEF, 2048, 0))),
    "mbr-odd-flag": Row("an MBR partition with flag 0x01", AT_1M, STICK, mbr((1, 0xEF, 2048, 8192))),
    "mbr-third-slot": Row(
        "the third MBR partition is the only one", AT_1M, STICK, mbr((0, 0, 0, 0), (0, 0, 0, 0), PLAIN)
    ),
    "mbr-logical": Row(
        "a logical partition of type 0xEF in an extended one",
        f"{FAT} hollow $OUT 8M; printf 'start=2048, size=12288, type=5\\nstart=4096, size=8192, type=ef\\n'"
        " | sfdisk -q --label dos $OUT; dd if=fs of=$OUT bs=2M seek=1 conv=notrunc status=none",
        STICK,
    ),
    "mbr-no-signature": Row("an MBR without 0x55 0xAA", AT_1M, STICK, chain(mbr(PLAIN), poke(510, b"\0\0"))),
    "mbr-code": Row(
        "MBR with code and an active partition",
        f"{_sfdisk('0c', ', bootable')} over $OUT 0 < $IN/mbr.bin",
        ("uefi_512", "bios_disk"),
    ),
    "mbr-no-code": Row(
        "MBR with an active partition and no code", _sfdisk("0c", ", bootable"), ("bios_disk",)
    ),
    "mbr-code-no-signature": Row(
        "code in the first block, no 0x55 0xAA",
        "hollow $OUT 1M; over $OUT 0 < $IN/mbr.bin",
        ("bios_disk",),
    ),
}

ROWS = GPTS | MBRS
