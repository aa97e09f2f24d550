"""Rows: what xorriso and genisoimage make."""

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


ROWS = {
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
