"""Rows: FAT file systems without a partition table, of every size and kind, and the names in them."""

import struct

from tests.fixtures.fat import fat
from tests.world.jury import programs
from tests.world.jury.changes import chain, cut, poke
from tests.world.jury.row import BOTH, STICK, Row

PROGRAM = "$IN/bootx64.efi"


def _sector(field: int, form: str, value: int) -> tuple[int, bytes]:
    return field, struct.pack(form, value)


def _few_clusters(_image: bytes) -> bytes:
    return fat({"EFI/BOOT/BOOTX64.EFI": programs.efi()}, kind="FAT32", clusters=4000)


def _to_root(name: str) -> str:
    return f"blank $OUT 1440; put $OUT {PROGRAM} {name}"


KINDS = {
    "fat12": Row("FAT12 of 1.44 MB (mkfs.vfat)", "fat $OUT 1440", BOTH),
    "fat12-small": Row("FAT12 of 64 KiB", "fat $OUT 64", STICK),
    "fat12-largest": Row("FAT12 of 4084 clusters", "fat $OUT 2064 -F 12 -s 1", STICK),
    "fat16-smallest": Row("FAT16 of 4085 clusters and few more", "fat $OUT 2100 -F 16 -s 1", STICK),
    "fat16": Row("FAT16 of 20 MB", "fat $OUT 20000 -F 16", BOTH),
    "fat16-largest": Row("FAT16 of about 65,500 clusters", "fat $OUT 32900 -F 16 -s 1", STICK),
    "fat32": Row("FAT32 of 34 MB, one sector a cluster", "fat $OUT 34000 -F 32 -s 1", BOTH),
    "fat32-few-clusters": Row(
        "FAT32 with fewer than 65,525 clusters",
        ": > $OUT",
        STICK,
        _few_clusters,
    ),
    "fat-sectors-1024": Row("sectors of 1024 bytes", "fat $OUT 2880 -S 1024", BOTH),
    "fat-sectors-2048": Row("sectors of 2048 bytes", "fat $OUT 5760 -S 2048", BOTH),
    "fat-sectors-4096": Row("sectors of 4096 bytes", "fat $OUT 8000 -S 4096 -s 1", BOTH),
    "fat-one-table": Row("one table", "fat $OUT 8000 -F 16 -s 1 -f 1", STICK),
    "fat-three-tables": Row("three tables", "fat $OUT 8000 -F 16 -s 1 -f 3", STICK),
    "fat-reserved-32": Row("32 reserved sectors", "fat $OUT 8000 -F 16 -s 1 -R 32", STICK),
    "fat-small-root": Row("a root directory of 16 entries", "fat $OUT 1440 -r 16", STICK),
    "fat-mformat": Row(
        "mformat in place of mkfs.vfat",
        f"mformat -C -f 1440 -N 0 -i $OUT ::; put $OUT {PROGRAM}",
        STICK,
    ),
    "fat-media-f0": Row("media byte 0xF0", "fat $OUT 1440 -M 0xf0", STICK),
}

NAMES = {
    "name-nt-case": Row(
        "names in small letters, by the case bits of short names",
        f"blank $OUT 1440; mmd -i $OUT ::efi ::efi/boot; mcopy -i $OUT {PROGRAM} ::efi/boot/bootx64.efi",
        STICK,
    ),
    "name-long": Row(
        "names in mixed letters, as long names",
        f"blank $OUT 1440; mmd -i $OUT ::Efi ::Efi/Boot; mcopy -i $OUT {PROGRAM} ::Efi/Boot/BootX64.efi",
        STICK,
    ),
    "name-vendor": Row("a program in a vendor's folder alone", _to_root("EFI/xenserver/grubx64.efi"), STICK),
    "name-swapped": Row("BOOT/EFI in place of EFI/BOOT", _to_root("BOOT/EFI/BOOTX64.EFI"), STICK),
    "name-misspelt": Row("BOOT64.EFI", _to_root("EFI/BOOT/BOOT64.EFI"), STICK),
    "name-in-root": Row("BOOTX64.EFI in the root directory", _to_root("x/../BOOTX64.EFI"), STICK),
    "name-uki": Row("a program in EFI/Linux without a boot loader", _to_root("EFI/Linux/linux.efi"), STICK),
    "name-no-extension": Row("EFI/BOOT/BOOTX64 without .EFI", _to_root("EFI/BOOT/BOOTX64"), STICK),
    "name-longer": Row("EFI/BOOT/BOOTX64.EFI.bak", _to_root("EFI/BOOT/BOOTX64.EFI.bak"), STICK),
    "name-ia32": Row(
        "BOOTIA32.EFI alone",
        "blank $OUT 1440; put $OUT $IN/bootia32.efi EFI/BOOT/BOOTIA32.EFI",
        STICK,
    ),
    "name-ia32-renamed": Row(
        "a program for IA-32 as BOOTX64.EFI", "blank $OUT 1440; put $OUT $IN/bootia32.efi", STICK
    ),
    "name-directory": Row(
        "BOOTX64.EFI is a folder",
        "blank $OUT 1440; mmd -i $OUT ::EFI ::EFI/BOOT ::EFI/BOOT/BOOTX64.EFI",
        STICK,
    ),
    "name-empty-file": Row("BOOTX64.EFI is empty", "blank $OUT 1440; : > empty; put $OUT empty", STICK),
    "name-text": Row("BOOTX64.EFI is text", "blank $OUT 1440; echo text > text; put $OUT text", STICK),
    "name-many-files": Row(
        "the program behind 300 others in its folder",
        "blank $OUT 2880; mmd -i $OUT ::EFI ::EFI/BOOT; n=0; : > x;"
        ' while [ $n -lt 300 ]; do cp x "some other file $n.efi"; n=$((n + 1)); done;'
        " mcopy -i $OUT some* ::EFI/BOOT; put $OUT $IN/bootx64.efi",
        STICK,
    ),
}

BOOT_SECTOR = {
    "fat-no-signature": Row("the boot sector lacks 0x55 0xAA", "fat $OUT 1440", STICK, poke(510, b"\0\0")),
    "fat-no-jump": Row("the boot sector begins with zeros", "fat $OUT 1440", STICK, poke(0, bytes(3))),
    "fat-sector-zero": Row("0 bytes a sector", "fat $OUT 1440", STICK, poke(*_sector(11, "<H", 0))),
    "fat-cluster-zero": Row("0 sectors a cluster", "fat $OUT 1440", STICK, poke(*_sector(13, "<B", 0))),
    "fat-cluster-three": Row("3 sectors a cluster", "fat $OUT 1440", STICK, poke(*_sector(13, "<B", 3))),
    "fat-no-tables": Row("0 tables", "fat $OUT 1440", STICK, poke(*_sector(16, "<B", 0))),
    "fat-media-zero": Row("media byte 0x00", "fat $OUT 1440", STICK, poke(*_sector(21, "<B", 0))),
    "fat-no-sectors": Row("0 sectors in all", "fat $OUT 1440", STICK, poke(*_sector(19, "<H", 0))),
    "fat-more-sectors": Row(
        "it says that it has more sectors than the stick",
        "fat $OUT 1440",
        STICK,
        poke(*_sector(19, "<H", 5760)),
    ),
    "fat-cut-off": Row("cut off behind the program", "fat $OUT 1440", STICK, cut(64 * 1024)),
    "fat-cut-in-program": Row("cut off before the program", "fat $OUT 1440", STICK, cut(16 * 1024)),
    "fat-tables-differ": Row(
        "the second table is zeros", "fat $OUT 1440", STICK, poke(512 + 9 * 512, bytes(9 * 512))
    ),
    "fat-first-table-gone": Row(
        "the first table is zeros", "fat $OUT 1440", STICK, poke(512, bytes(9 * 512))
    ),
    "fat-type-name": Row(
        "the type field says FAT32 and it is FAT12", "fat $OUT 1440", STICK, poke(54, b"FAT32   ")
    ),
    "fat-backup-boot-sector": Row(
        "FAT32 whose boot sector is zeros, its backup is there",
        "fat $OUT 34000 -F 32 -s 1",
        STICK,
        chain(poke(0, bytes(512))),
    ),
    "zeros": Row("a medium of zeros", "hollow $OUT 1M", (*BOTH, "bios_disk")),
    "exfat": Row(
        "the header of exFAT", "hollow $OUT 4M; printf '\\353\\166\\220EXFAT   ' | over $OUT 0", STICK
    ),
}

ROWS = KINDS | NAMES | BOOT_SECTOR
