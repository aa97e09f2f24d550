"""Rows: ISO images whose bytes were changed after they were made."""

import struct

from tests.world.jury.changes import (
    BLOCK,
    BOOTABLE,
    HEADER,
    INITIAL,
    MEDIA,
    SECOND,
    catalog,
    chain,
    cut,
    entry,
    grown,
    load_size,
    mbr_field,
    poke,
    validation,
)
from tests.world.jury.changes import (
    CD as CD_BLOCK,
)
from tests.world.jury.isos import APPENDED, AS_GPT, AS_MBR, BIOS_ENTRY, BOTH, FAT, INSIDE, INTERVAL
from tests.world.jury.row import CD, STICK, UEFI, Row


def _size_of_fat_entry(image: bytes) -> int:
    (block,) = struct.unpack_from("<I", image, catalog(image) + INITIAL + BLOCK)
    return int(block) * CD_BLOCK


def _no_fat(image: bytes) -> bytes:
    return poke(_size_of_fat_entry(image), bytes(512))(image)


def _past_the_end(image: bytes) -> bytes:
    return entry(INITIAL, BLOCK, struct.pack("<I", len(image) // CD_BLOCK + 16))(image)


def _cut_in_the_fat(image: bytes) -> bytes:
    return cut(_size_of_fat_entry(image) + 4096)(image)


def _volume_size(blocks: int) -> bytes:
    return struct.pack("<I", blocks) + struct.pack(">I", blocks)


ROWS = {
    "iso-load-size-0": Row("load size 0, FAT inside", f"{FAT} iso {INSIDE} tree", CD, load_size(0)),
    "iso-load-size-1": Row("load size 1, FAT inside", f"{FAT} iso {INSIDE} tree", CD, load_size(1)),
    "iso-load-size-4": Row("load size 4, FAT inside", f"{FAT} iso {INSIDE} tree", CD, load_size(4)),
    "iso-load-size-8": Row("load size 8, FAT inside", f"{FAT} iso {INSIDE} tree", CD, load_size(8)),
    "iso-load-size-quarter": Row(
        "load size in blocks of 2048", f"{FAT} iso {INSIDE} tree", CD, load_size(720)
    ),
    "iso-load-size-largest": Row("load size 65535", f"{FAT} iso {INSIDE} tree", CD, load_size(65535)),
    "iso-appended-load-size-0": Row(
        "load size 0, FAT appended behind the volume",
        f"{APPENDED} iso {AS_MBR} {INTERVAL} tree",
        UEFI,
        load_size(0),
    ),
    "iso-appended-load-size-1": Row(
        "load size 1, FAT appended behind the volume, in a GPT",
        f"{APPENDED} iso {AS_GPT} {INTERVAL} tree",
        UEFI,
        load_size(1),
    ),
    "iso-appended-volume-grown": Row(
        "load size 0, FAT appended, and a volume size that covers it",
        f"{APPENDED} iso {AS_MBR} {INTERVAL} tree",
        CD,
        chain(load_size(0), poke(16 * CD_BLOCK + 80, _volume_size(3000))),
    ),
    "iso-not-bootable": Row(
        "the entry for UEFI marked as not bootable",
        f"{FAT} iso {INSIDE} tree",
        CD,
        entry(INITIAL, BOOTABLE, b"\0"),
    ),
    "iso-emulates-floppy": Row(
        "the entry for UEFI emulates a floppy of 1.44 MB",
        f"{FAT} iso {INSIDE} tree",
        CD,
        entry(INITIAL, MEDIA, b"\2"),
    ),
    "iso-emulates-disk": Row(
        "the entry for UEFI emulates a hard disk",
        f"{FAT} iso {INSIDE} tree",
        CD,
        entry(INITIAL, MEDIA, b"\4"),
    ),
    "iso-platform-1": Row(
        "the validation entry says platform 0x01 (PowerPC)",
        f"{FAT} iso {INSIDE} tree",
        CD,
        validation(platform=(1, b"\1")),
    ),
    "iso-platform-2": Row(
        "the validation entry says platform 0x02 (Mac)",
        f"{FAT} iso {INSIDE} tree",
        CD,
        validation(platform=(1, b"\2")),
    ),
    "iso-validation-checksum": Row(
        "the validation entry's checksum is wrong",
        f"{FAT} iso {INSIDE} tree",
        CD,
        entry(0, 28, b"\x12\x34"),
    ),
    "iso-validation-key": Row(
        "the validation entry lacks 0x55 0xAA", f"{FAT} iso {INSIDE} tree", CD, entry(0, 30, b"\0\0")
    ),
    "iso-section-platform-0": Row(
        "a section header that says platform 0x00 for the FAT",
        f"{BOTH} tree",
        CD,
        entry(HEADER, 1, b"\0"),
    ),
    "iso-section-header-damaged": Row(
        "the section header's indicator is 0x00", f"{BOTH} tree", CD, entry(HEADER, 0, b"\0")
    ),
    "iso-section-header-more": Row(
        "the section header says that more follow", f"{BOTH} tree", CD, entry(HEADER, 0, b"\x90")
    ),
    "iso-section-not-bootable": Row(
        "the section's entry is marked as not bootable", f"{BOTH} tree", CD, entry(SECOND, BOOTABLE, b"\0")
    ),
    "iso-bios-not-bootable": Row(
        "the entry for BIOS is marked as not bootable",
        f"{BOTH} tree",
        ("bios_cd",),
        entry(INITIAL, BOOTABLE, b"\0"),
    ),
    "iso-bios-load-size-0": Row(
        "the entry for BIOS has load size 0", f"{BOTH} tree", ("bios_cd",), load_size(0)
    ),
    "iso-bios-empty": Row(
        "the entry for BIOS points at zeros",
        f"{FAT} head -c 2048 /dev/zero > tree/boot/bios.bin; iso {BIOS_ENTRY} tree",
        ("bios_cd",),
    ),
    "iso-entry-outside": Row(
        "the entry points behind the end of the file", f"{FAT} iso {INSIDE} tree", CD, _past_the_end
    ),
    "iso-fat-boot-sector-zero": Row(
        "the FAT's boot sector is zeros", f"{FAT} iso {INSIDE} tree", CD, _no_fat
    ),
    "iso-cut-in-the-fat": Row(
        "a download that ended inside the FAT", f"{FAT} iso {INSIDE} tree", CD, _cut_in_the_fat
    ),
    "iso-cut-to-half": Row(
        "a download that ended in the middle, FAT appended",
        f"{APPENDED} iso {AS_GPT} {INTERVAL} tree",
        UEFI,
        lambda image: image[: len(image) // 4096 * 2048],
    ),
    "iso-boot-record-name": Row(
        "the boot record names no EL TORITO SPECIFICATION",
        f"{FAT} iso {INSIDE} tree",
        CD,
        poke(17 * CD_BLOCK + 7, b"el torito specification"),
    ),
    "iso-primary-damaged": Row(
        "the primary volume descriptor has another type",
        f"{FAT} iso {INSIDE} tree",
        CD,
        poke(16 * CD_BLOCK, b"\xfe"),
    ),
    "iso-primary-no-cd001": Row(
        "the primary volume descriptor lacks CD001",
        f"{FAT} iso {INSIDE} tree",
        CD,
        poke(16 * CD_BLOCK + 1, b"XX001"),
    ),
    "iso-stick-larger": Row(
        "a GPT whose backup is not in the stick's last block",
        f"{APPENDED} iso {AS_GPT} tree",
        STICK,
        grown(8 << 20),
    ),
    "iso-gpt-header-damaged": Row(
        "primary GPT header overwritten, no El Torito",
        f"{APPENDED} iso {AS_GPT} tree",
        STICK,
        poke(512, b"overwritten"),
    ),
    "iso-mbr-no-signature": Row(
        "MBR partition 0xEF without 0x55 0xAA, no El Torito",
        f"{APPENDED} iso {AS_MBR} tree",
        STICK,
        poke(510, b"\0\0"),
    ),
    "iso-mbr-type-changed": Row(
        "appended MBR partition, its type made 0x00",
        f"{APPENDED} iso {AS_MBR} tree",
        STICK,
        mbr_field(2, 4, b"\0"),
    ),
}
