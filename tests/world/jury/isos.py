"""Rows: what xorriso and genisoimage make, and what is done to it afterwards."""

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
from tests.world.jury.row import ALL, BIOS, CD, STICK, UEFI, Row

FAT = "fat efi.img 1440; tree efi.img; "
APPENDED = "fat efi.img 1440; tree; "
AS_MBR = "-append_partition 2 0xef efi.img"
AS_GPT = f"{AS_MBR} -appended_part_as_gpt"
INTERVAL = "-e --interval:appended_partition_2:all:: -no-emul-boot"
INSIDE = "-e boot/efi.img -no-emul-boot"
BIOS_ENTRY = "-b boot/bios.bin -c boot/boot.cat -no-emul-boot -boot-load-size 4"
WITH_BIOS = FAT + "cp $IN/bios.bin tree/boot; "
BOTH = f"{WITH_BIOS} iso {BIOS_ENTRY} -eltorito-alt-boot {INSIDE}"


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


LAYOUTS = {
    "iso-inside": Row("El Torito entry for a FAT inside the ISO", f"{FAT} iso {INSIDE} tree", UEFI),
    "iso-inside-efi-platform": Row(
        "the same by -eltorito-platform efi and -b",
        f"{FAT} iso -eltorito-platform efi -b boot/efi.img -no-emul-boot tree",
        CD,
    ),
    "iso-no-el-torito": Row(
        "BOOTX64.EFI in the ISO's tree, no El Torito",
        "tree; mkdir -p tree/EFI/BOOT; cp $IN/bootx64.efi tree/EFI/BOOT/BOOTX64.EFI; iso tree",
        ALL,
    ),
    "iso-appended-mbr": Row(
        "FAT as appended partition, MBR type 0xEF, no GPT",
        f"{APPENDED} iso {AS_MBR} {INTERVAL} tree",
        UEFI,
    ),
    "iso-appended-gpt": Row(
        "FAT as appended partition in a GPT",
        f"{APPENDED} iso {AS_GPT} {INTERVAL} tree",
        (*UEFI, "uefi_4096"),
    ),
    "iso-appended-only-stick": Row(
        "FAT as appended partition in a GPT, no El Torito",
        f"{APPENDED} iso {AS_GPT} tree",
        (*UEFI, "uefi_4096"),
    ),
    "iso-appended-mbr-only-stick": Row(
        "FAT as appended partition of type 0xEF in an MBR, no El Torito",
        f"{APPENDED} iso {AS_MBR} tree",
        (*UEFI, "uefi_4096"),
    ),
    "iso-appended-type-0c": Row(
        "FAT as appended partition of type 0x0C in an MBR, no El Torito",
        f"{APPENDED} iso -append_partition 2 0x0c efi.img tree",
        STICK,
    ),
    "iso-appended-type-83": Row(
        "FAT as appended partition of type 0x83 in an MBR, no El Torito",
        f"{APPENDED} iso -append_partition 2 0x83 efi.img tree",
        STICK,
    ),
    "iso-appended-basic-data": Row(
        "FAT as appended partition of basic data in a GPT, no El Torito",
        f"{APPENDED} iso -append_partition 2 EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 efi.img"
        " -appended_part_as_gpt tree",
        STICK,
    ),
    "iso-force-bootable": Row(
        "appended GPT partition, and a second active MBR partition (--mbr-force-bootable)",
        f"{APPENDED} iso {AS_GPT} --mbr-force-bootable {INTERVAL} tree",
        ALL,
    ),
    "iso-partition-offset": Row(
        "appended GPT partition, and the ISO again as partition at block 16 (-partition_offset 16)",
        f"{APPENDED} iso {AS_GPT} -partition_offset 16 {INTERVAL} tree",
        UEFI,
    ),
    "iso-efi-boot-part": Row(
        "FAT inside the ISO as GPT partition (-efi-boot-part --efi-boot-image)",
        f"{FAT} iso {INSIDE} -efi-boot-part --efi-boot-image --protective-msdos-label tree",
        UEFI,
    ),
    "iso-efi-boot-part-only": Row(
        "FAT inside the ISO as GPT partition, no El Torito",
        f"{FAT} iso -efi-boot-part tree/boot/efi.img --protective-msdos-label tree",
        UEFI,
    ),
    "iso-protective-only": Row(
        "FAT by El Torito alone, a protective MBR without GPT (--protective-msdos-label)",
        f"{FAT} iso {INSIDE} --protective-msdos-label tree",
        UEFI,
    ),
    "iso-basdat-without-mbr": Row(
        "-isohybrid-gpt-basdat without -isohybrid-mbr",
        f"{FAT} iso {INSIDE} -isohybrid-gpt-basdat tree",
        UEFI,
    ),
    "iso-isohybrid": Row(
        "isohybrid: MBR with code, GPT of basic data",
        f"{WITH_BIOS} iso {BIOS_ENTRY} -isohybrid-mbr $IN/mbr.bin -eltorito-alt-boot {INSIDE}"
        " -isohybrid-gpt-basdat tree",
        ALL,
    ),
    "iso-isohybrid-mbr-only": Row(
        "isohybrid MBR with code, no partition for UEFI",
        f"{WITH_BIOS} iso {BIOS_ENTRY} -isohybrid-mbr $IN/mbr.bin -eltorito-alt-boot {INSIDE} tree",
        ALL,
    ),
    "iso-grub2-mbr": Row(
        "appended GPT partition, and code in the MBR (--grub2-mbr)",
        f"{APPENDED} cp $IN/bios.bin tree/boot; iso {BIOS_ENTRY} --grub2-mbr $IN/mbr.bin"
        f" {AS_GPT} -eltorito-alt-boot {INTERVAL} tree",
        ALL,
    ),
    "iso-hfsplus": Row(
        "HFS+ around the same files (-hfsplus), FAT inside the ISO",
        f"{FAT} iso -hfsplus -apm-block-size 2048 {INSIDE} tree",
        UEFI,
    ),
    "iso-apm-and-mbr": Row(
        "an Apple partition map in front of an MBR that marks a partition as active",
        f"{FAT} iso --protective-msdos-label -hfsplus tree",
        ("uefi_512", "bios_disk"),
        differs={"bios_disk": "Apple's driver descriptor in the first block (ER) is not told from code"},
    ),
    "iso-bios-and-efi": Row("entries for BIOS and for UEFI", f"{BOTH} tree", ALL),
    "iso-efi-and-bios": Row(
        "the entry for UEFI first, that for BIOS second",
        f"{WITH_BIOS} iso {INSIDE} -eltorito-alt-boot {BIOS_ENTRY} tree",
        ALL,
    ),
    "iso-bios-only": Row("an entry for BIOS alone", f"{WITH_BIOS} iso {BIOS_ENTRY} tree", ALL),
    "iso-info-table": Row(
        "BIOS entry with -boot-info-table",
        f"{FAT} cp $IN/bios-table.bin tree/boot/bios.bin; chmod u+w tree/boot/bios.bin;"
        f" iso {BIOS_ENTRY} -boot-info-table tree",
        BIOS,
    ),
    "iso-generic-mbr": Row("code in the MBR (-G)", f"{WITH_BIOS} iso {BIOS_ENTRY} -G $IN/mbr.bin tree", BIOS),
    "iso-two-efi-entries": Row(
        "two entries for UEFI, FAT first and HFS+ second",
        f"{FAT} cp $IN/hfsplus.img tree/boot;"
        f" iso {INSIDE} -eltorito-alt-boot -e boot/hfsplus.img -no-emul-boot"
        " tree",
        CD,
    ),
    "iso-hfsplus-entry-first": Row(
        "two entries for UEFI, HFS+ first and FAT second",
        f"{FAT} cp $IN/hfsplus.img tree/boot;"
        f" iso -e boot/hfsplus.img -no-emul-boot -eltorito-alt-boot {INSIDE}"
        " tree",
        CD,
    ),
    "iso-hfsplus-entry-only": Row(
        "the only entry for UEFI is HFS+",
        f"{FAT} cp $IN/hfsplus.img tree/boot; iso -e boot/hfsplus.img -no-emul-boot tree",
        UEFI,
    ),
    "iso-empty-fat": Row(
        "the entry's FAT has no program",
        f"blank efi.img 1440; tree efi.img; iso {INSIDE} tree",
        CD,
    ),
    "iso-program-as-entry": Row(
        "the entry points at the program itself",
        "tree; cp $IN/bootx64.efi tree/boot; iso -e boot/bootx64.efi -no-emul-boot tree",
        CD,
    ),
    "iso-ia32-only": Row(
        "the entry's FAT has BOOTIA32.EFI alone",
        "blank efi.img 1440; put efi.img $IN/bootia32.efi EFI/BOOT/BOOTIA32.EFI; tree efi.img;"
        f" iso {INSIDE} tree",
        CD,
    ),
    "iso-fat32": Row(
        "the entry's FAT is FAT32 of 34 MB, more than an entry can count",
        f"fat efi.img 34000 -F 32 -s 1; tree efi.img; iso {INSIDE} tree",
        CD,
    ),
    "iso-large-fat": Row(
        "the entry's FAT has 40 MB, appended, and a GPT",
        f"fat efi.img 40000 -F 16; tree; iso {AS_GPT} {INTERVAL} tree",
        UEFI,
    ),
    "iso-genisoimage": Row(
        "genisoimage -e",
        f"{FAT} genisoimage -quiet -R -J -V JURY -e boot/efi.img -no-emul-boot -c boot.cat -o $OUT tree",
        UEFI,
    ),
    "iso-platform-0": Row(
        "a FAT as entry for platform 0x00 (genisoimage -b)",
        f"{FAT} genisoimage -quiet -R -J -V JURY -b boot/efi.img -no-emul-boot -c boot.cat -o $OUT tree",
        (*UEFI, "bios_cd"),
    ),
    "iso-level-3-no-rock-ridge": Row(
        "neither Rock Ridge nor Joliet",
        f"{FAT} xorriso -as mkisofs -quiet -iso-level 3 -V JURY {INSIDE} -o $OUT tree 2> log",
        CD,
    ),
    "iso-padded": Row("padding behind it (-pad)", f"{FAT} iso -pad {INSIDE} tree", UEFI),
    "iso-second-session": Row(
        "a second session behind the first, which has the El Torito",
        f"{FAT} iso {INSIDE} tree; echo more > more;"
        " xorriso -dev $OUT -boot_image any keep -add more -- > log 2>&1",
        CD,
    ),
}

MUTATIONS = {
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

ROWS = LAYOUTS | MUTATIONS
