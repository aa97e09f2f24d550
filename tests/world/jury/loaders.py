"""Rows: disks and ISOs of boot loaders, whole and broken, followed to the kernel that they load.

The kernel is `loaded.kernel`, which wants an initramfs. Recipes run in the container `bootdisks`.
"""

from collections.abc import Iterable

from tests.world.jury.changes import Change, poke
from tests.world.jury.row import ALL, BIOS, UEFI, Row

CONTAINER = "bootdisks"
DISK = ("bios_disk",)
BOTH_DISKS = ("bios_disk", "uefi_512")

SHELL = """\
PC=/usr/lib/grub/i386-pc BIOS=/usr/lib/syslinux/modules/bios
# files: a tree with kernel and initramfs, and an empty folder for a boot loader
files() { mkdir -p tree/boot/grub tree/isolinux; cp $IN/loaded tree/boot/vmlinuz; cp $IN/initrd.img tree/boot/; }
# grub_cfg [KERNEL] [INITRD]: the menu of GRUB
grub_cfg() { printf 'set timeout=0\\nmenuentry "System" {\\n  linux %s quiet\\n  initrd %s\\n}\\n' \\
    "${1:-/boot/vmlinuz}" "${2:-/boot/initrd.img}" > tree/boot/grub/grub.cfg; }
# syslinux_cfg FILE [KERNEL] [INITRD]: that of syslinux and its relatives
syslinux_cfg() { printf 'DEFAULT one\\nPROMPT 0\\nLABEL one\\n  LINUX %s\\n  INITRD %s\\n  APPEND quiet\\n' \\
    "${2:-/boot/vmlinuz}" "${3:-/boot/initrd.img}" > $1; }
# core EARLY-CONFIG PREFIX [MODULES]: GRUB's core image, all in one
core() { printf "$1" > early.cfg; grub-mkimage -O i386-pc -o core.img ${1:+-c early.cfg} -p "$2" biosdisk part_gpt \\
    part_msdos ext2 fat iso9660 search search_label search_fs_file search_fs_uuid normal configfile linux $3; }
# le SIZE NUMBER: a number as little-endian bytes
le() { number=$2; for each in $(seq $1); do printf "\\\\$(printf %03o $((number % 256)))"; \\
    number=$((number / 256)); done; }
# grub_at LBA: boot.img in the MBR's code, and core.img at LBA, each pointing to the next
grub_at() { dd if=$PC/boot.img of=$OUT bs=440 count=1 conv=notrunc status=none; le 8 $1 | over $OUT 92
    printf '\\377' | over $OUT 100; printf '\\220\\220' | over $OUT 102
    le 8 $(($1 + 1)) | over core.img 500; dd if=core.img of=$OUT bs=512 seek=$1 conv=notrunc status=none; }
# ext FILE SIZE LABEL: an ext4 of the tree
ext() { mke2fs -q -t ext4 -d tree -L $3 -U 11111111-2222-3333-4444-555555555555 $1 $2; }
# at FILE MIB: put a file system on the disk
at() { dd if=$1 of=$OUT bs=1M seek=$2 conv=notrunc status=none; }
# gpt_disk: 1 MiB for the core, 8 MiB for /boot at 2 MiB
gpt_disk() { hollow $OUT 16M; sgdisk -n1:2048:+1M -t1:ef02 -n2:4096:+8M -t2:ea00 $OUT > log; }
# dos_disk TYPE [MORE]: one partition of 8 MiB at 1 MiB
dos_disk() { hollow $OUT 10M; echo "start=2048, size=16384, type=$1${2-, bootable}" | sfdisk -q --label dos $OUT; }
# esp FILE BOOTLOADER: a FAT of the tree, with that for UEFI
esp() { mkdir -p tree/EFI/BOOT; cp $2 tree/EFI/BOOT/BOOTX64.EFI; fat_of $1 10240; }
# esp_disk FILE: a GPT with that as EFI system partition
esp_disk() { hollow $OUT 16M; sgdisk -n1:2048:+12M -t1:ef00 $OUT > log; at $1 1; }
# fat_of FILE KIB [OPTIONS]: a FAT of the tree
fat_of() { blank "$@" -F 16 -s 1; mcopy -s -i $1 tree/* ::; }
"""  # noqa: E501

LABELLED = "core 'search --label --set=root BOOT\\nset prefix=($root)/boot/grub\\n' /boot/grub; "
GPT = f"files; grub_cfg; ext fs 8M BOOT; gpt_disk; at fs 2; {LABELLED}grub_at 2048"
GAP = "core '' '(,msdos1)/boot/grub'; grub_at 1"
SYSLINUX = "files; syslinux_cfg tree/syslinux.cfg; "
SYSLINUX_DISK = "fat_of fs 8192; syslinux -i fs; at fs 1; "
MBR = "over $OUT 0 < /usr/lib/syslinux/mbr/mbr.bin"
ISOLINUX = (
    "files; cp /usr/lib/ISOLINUX/isolinux.bin $BIOS/ldlinux.c32 tree/isolinux; "
    "syslinux_cfg tree/isolinux/isolinux.cfg; "
)
ENTRY = "-b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4"
TABLE = f"{ENTRY} -boot-info-table"
HYBRID = f"-isohybrid-mbr /usr/lib/ISOLINUX/isohdpfx.bin {TABLE}"
RESCUE = "grub-mkrescue -o $OUT tree > log 2>&1"
PREFIX_ISO = (
    "mkdir -p tree/boot/grub; grub-mkimage -O i386-pc-eltorito -o tree/boot/grub/core.img -p /boot/grub "
)
CD_CORE = f"{PREFIX_ISO}biosdisk iso9660 normal linux search configfile; "
GRUB_ENTRY = "-b boot/grub/core.img -no-emul-boot -boot-load-size 4"


def _row(what: str, recipe: str, ways: Iterable[str], change: Change | None = None, **differs: str) -> Row:
    return Row(what, f"{SHELL}{recipe}", tuple(ways), change, differs, CONTAINER, alone=True)


def flipped(at: int) -> Change:
    """Flip a byte's lowest bit."""
    return lambda image: poke(at, bytes([image[at] ^ 1]))(image)


def flipped_behind(mark: bytes, behind: int) -> Change:
    """Flip a bit of the byte that lies `behind` the last place of a mark."""
    return lambda image: flipped(image.rindex(mark) + behind)(image)


CORE = 2048 * 512
INFO = 8  # of the boot info table, in the file that it is in
ISOLINUX_CODE = bytes.fromhex("faea6c7c0000")  # isolinux.bin begins with that
SYSLINUX_CODE = bytes.fromhex("fe02b23e")  # ldlinux.sys has that, behind the boot sector's own

GRUB = {
    "grub-gpt": _row("GRUB on a GPT, /boot found by its label", GPT, DISK),
    "grub-gpt-uuid": _row(
        "the same by its UUID",
        GPT.replace("--label --set=root BOOT", "--fs-uuid --set=root 11111111-2222-3333-4444-555555555555"),
        DISK,
    ),
    "grub-gpt-file": _row(
        "the same by a file", GPT.replace("--label --set=root BOOT", "--file --set=root /boot/vmlinuz"), DISK
    ),
    "grub-gpt-prefix": _row(
        "the same by the prefix in its core image",
        "files; grub_cfg; ext fs 8M BOOT; gpt_disk; at fs 2; core '' '(,gpt2)/boot/grub'; grub_at 2048",
        DISK,
    ),
    "grub-gap": _row(
        "GRUB between the MBR and the first partition",
        f"files; grub_cfg; ext fs 8M B; dos_disk 83; at fs 1; {GAP}",
        DISK,
    ),
    "grub-gap-fat": _row(
        "the same, and /boot is a FAT", f"files; grub_cfg; fat_of fs 8192; dos_disk 0c; at fs 1; {GAP}", DISK
    ),
    "grub-search-in-entry": _row(
        "an entry that searches for its file system",
        GPT.replace(
            "ext fs",
            "printf 'set timeout=0\\nmenuentry x {\\nsearch --no-floppy --set=root --label BOOT\\n"
            "linux /boot/vmlinuz\\ninitrd /boot/initrd.img\\n}\\n' > tree/boot/grub/grub.cfg; ext fs",
        ),
        DISK,
    ),
    "grub-second-entry": _row(
        "the default is the second entry, and only the first one's kernel is missing",
        GPT.replace(
            "ext fs",
            "printf 'set timeout=0\\nset default=1\\nmenuentry a {\\nlinux /gone\\n}\\nmenuentry b {\\n"
            "linux /boot/vmlinuz\\ninitrd /boot/initrd.img\\n}\\n' > tree/boot/grub/grub.cfg; ext fs",
        ),
        DISK,
    ),
    "grub-in-partition": _row(
        "GRUB in an active partition, which the MBR starts",
        "files; grub_cfg; ext fs 7M BOOT; dos_disk 83; at fs 1; core '' '(,msdos1)/boot/grub'; "
        "over $OUT 0 < /usr/lib/syslinux/mbr/mbr.bin; dd if=$PC/boot.img of=$OUT bs=512 "
        "seek=2048 conv=notrunc "
        "status=none; le 8 16384 | over $OUT 1048668; le 8 16385 | over core.img 500; "
        "dd if=core.img of=$OUT bs=512 seek=16384 conv=notrunc status=none",
        DISK,
    ),
    "grub-boot-img": _row("boot.img points at another block", GPT, DISK, flipped(0x5C)),
    "grub-blocklist": _row("the blocklist begins at another block", GPT, DISK, flipped(CORE + 0x1F4)),
    "grub-blocklist-count": _row(
        "the blocklist has too few blocks", GPT, DISK, poke(CORE + 0x1FC, b"\x20\0")
    ),
    "grub-core-overwritten": _row(
        "zeros over 4 KiB of the core image", GPT, DISK, poke(CORE + 0x4000, bytes(4096))
    ),
    "grub-core-gone": _row("zeros over all of the core image", GPT, DISK, poke(CORE, bytes(1 << 18))),
    "grub-label": _row("/boot has another label", GPT.replace("8M BOOT", "8M BOOTX"), DISK),
    "grub-kernel-gone": _row(
        "a path of the kernel that is not there", GPT.replace("grub_cfg;", "grub_cfg /boot/vmlinux;"), DISK
    ),
    "grub-initrd-gone": _row(
        "a path of the initramfs that is not there",
        GPT.replace("grub_cfg;", "grub_cfg '' /boot/initrd;"),
        DISK,
    ),
    "grub-path-of-root": _row(
        "paths as they are in the root", GPT.replace("grub_cfg;", "grub_cfg /vmlinuz /initrd.img;"), DISK
    ),
    "grub-no-config": _row("no grub.cfg", GPT.replace("grub_cfg;", ""), DISK),
    "grub-kernel-text": _row(
        "a text in place of the kernel",
        GPT.replace("ext fs", "rm -f tree/boot/vmlinuz; echo text > tree/boot/vmlinuz; ext fs"),
        DISK,
    ),
    "grub-no-normal": _row(
        "a core image without the modules for a menu",
        "files; grub_cfg; ext fs 8M BOOT; gpt_disk; at fs 2; grub-mkimage -O i386-pc -o core.img "
        "-p '(,gpt2)/boot/grub' biosdisk part_gpt ext2; grub_at 2048",
        DISK,
    ),
    "grub-modules": _row(
        "a core image whose modules are in the prefix",
        "files; grub_cfg; mkdir -p tree/boot/grub/i386-pc; cp $PC/*.mod $PC/*.lst "
        "tree/boot/grub/i386-pc; ext fs 8M BOOT;"
        "gpt_disk; at fs 2; grub-mkimage -O i386-pc -o core.img -p '(,gpt2)/boot/grub' "
        "biosdisk part_gpt ext2; grub_at 2048",
        DISK,
    ),
}

DEBIAN = (
    "rm -f tree/boot/vmlinuz; cp $IN/vmlinuz tree/boot/; sed -i 's/quiet/console=ttyS0 earlyprintk=ttyS0/' "
)

GRUB_ISOS = {
    "grub-mkrescue-linux": _row(
        "grub-mkrescue, with Debian's kernel",
        f"files; grub_cfg; {DEBIAN} tree/boot/grub/grub.cfg; {RESCUE}",
        UEFI,
    ),
    "grub-mkrescue": _row("grub-mkrescue", f"files; grub_cfg; {RESCUE}", ALL),
    "grub-mkrescue-path": _row(
        "grub-mkrescue, and a kernel that is not there", f"files; grub_cfg /boot/kernel; {RESCUE}", BIOS
    ),
    "grub-mkrescue-stick": _row(
        "the block in its MBR changed", f"files; grub_cfg; {RESCUE}", BIOS, flipped(0x1B1)
    ),
    "grub-eltorito": _row(
        "GRUB's image for El Torito, and xorriso",
        f"files; grub_cfg; {CD_CORE}iso {GRUB_ENTRY} -boot-info-table tree",
        BIOS,
    ),
    "grub-eltorito-no-table": _row(
        "the same without a boot info table", f"files; grub_cfg; {CD_CORE}iso {GRUB_ENTRY} tree", ("bios_cd",)
    ),
    "grub-eltorito-hybrid": _row(
        "the same with GRUB's MBR",
        f"files; grub_cfg; {CD_CORE}iso {GRUB_ENTRY} -boot-info-table --grub2-boot-info "
        "--grub2-mbr $PC/boot_hybrid.img tree",
        BIOS,
    ),
    "grub-eltorito-overwritten": _row(
        "zeros over 2 KiB of the image",
        f"files; grub_cfg; {CD_CORE}dd if=/dev/zero of=tree/boot/grub/core.img bs=2048 "
        f"seek=9 count=1 conv=notrunc "
        f"status=none; iso {GRUB_ENTRY} -boot-info-table tree",
        ("bios_cd",),
    ),
}

SYSLINUX_DISKS = {
    "syslinux-floppy": _row(
        "syslinux in a FAT without partitions", f"{SYSLINUX} fat_of $OUT 8192; syslinux -i $OUT", DISK
    ),
    "syslinux-mbr": _row(
        "syslinux in an active partition", f"{SYSLINUX} dos_disk 0c; {SYSLINUX_DISK}{MBR}", DISK
    ),
    "syslinux-folder": _row(
        "syslinux in a folder",
        "files; mkdir tree/syslinux; syslinux_cfg tree/syslinux/syslinux.cfg; dos_disk 0c; "
        f"fat_of fs 8192; syslinux -i -d syslinux fs; at fs 1; {MBR}",
        DISK,
    ),
    "syslinux-gpt": _row(
        "syslinux in a partition of a GPT that is marked for a BIOS",
        f"{SYSLINUX} fat_of fs 8192; syslinux -i fs; hollow $OUT 10M; sgdisk -n1:2048:+8M "
        f"-t1:0700 -A1:set:2 $OUT > log; "
        "at fs 1; over $OUT 0 < /usr/lib/syslinux/mbr/gptmbr.bin",
        DISK,
    ),
    "syslinux-inactive": _row(
        "no partition is active", f"{SYSLINUX} dos_disk 0c ''; {SYSLINUX_DISK}{MBR}", DISK
    ),
    "syslinux-not-installed": _row(
        "the active partition has no boot code of syslinux",
        f"{SYSLINUX} dos_disk 0c; fat_of fs 8192; at fs 1; {MBR}",
        DISK,
    ),
    "syslinux-no-c32": _row(
        "no ldlinux.c32",
        f"{SYSLINUX} dos_disk 0c; fat_of fs 8192; syslinux -i fs; mdel -i fs ::ldlinux.c32; at fs 1; {MBR}",
        DISK,
    ),
    "syslinux-no-config": _row("no syslinux.cfg", f"files; dos_disk 0c; {SYSLINUX_DISK}{MBR}", DISK),
    "syslinux-sys-moved": _row(
        "ldlinux.sys copied, and the old one overwritten",
        f"{SYSLINUX} dos_disk 0c; fat_of fs 8192; syslinux -i fs; mattrib -s -h -r -i fs "
        f"::ldlinux.sys; mcopy -i fs ::ldlinux.sys l; "
        f"mdel -i fs ::ldlinux.sys; head -c 200000 /dev/zero > z; mcopy -i fs z ::z; "
        f"mcopy -i fs l ::ldlinux.sys; at fs 1; {MBR}",
        DISK,
    ),
    "syslinux-checksum": _row(
        "a byte of ldlinux.sys changed",
        f"{SYSLINUX} dos_disk 0c; {SYSLINUX_DISK}{MBR}",
        DISK,
        flipped_behind(SYSLINUX_CODE, 0x4000),
    ),
    "syslinux-kernel-gone": _row(
        "a kernel that is not there",
        f"{SYSLINUX} syslinux_cfg tree/syslinux.cfg /boot/kernel; dos_disk 0c; {SYSLINUX_DISK}{MBR}",
        DISK,
    ),
    "syslinux-initrd-gone": _row(
        "an initramfs that is not there",
        f"{SYSLINUX} syslinux_cfg tree/syslinux.cfg '' /boot/initrd; dos_disk 0c; {SYSLINUX_DISK}{MBR}",
        DISK,
    ),
}

EFI_DISKS = {
    "systemd-boot": _row(
        "systemd-boot, and an entry of the Boot Loader Specification",
        "files; mkdir -p tree/loader/entries; printf 'title One\\nlinux "
        "/boot/vmlinuz\\ninitrd /boot/initrd.img\\n'"
        " > tree/loader/entries/one.conf; esp fs /usr/lib/systemd/boot/efi/systemd-bootx64.efi; esp_disk fs",
        BOTH_DISKS,
    ),
    "refind": _row(
        "rEFInd, which looks for kernels",
        "files; mkdir -p tree/EFI/BOOT; printf 'timeout -1\\nscanfor manual\\ntextonly "
        "true\\nmenuentry One {\\n"
        "loader /boot/vmlinuz\\ninitrd /boot/initrd.img\\n}\\n' > tree/EFI/BOOT/refind.conf; "
        "esp fs /usr/share/refind/refind/refind_x64.efi; esp_disk fs",
        BOTH_DISKS,
    ),
    "grub-all": _row(
        "GRUB for a BIOS and for UEFI, which read one grub.cfg",
        "files; grub_cfg; ext fs 8M BOOT; mkdir efi; printf 'search --label --set=root BOOT\\n"
        "set prefix=($root)/boot/grub\\nconfigfile /boot/grub/grub.cfg\\n' > stub.cfg; "
        "grub-mkimage -O x86_64-efi -o grub.efi -c stub.cfg -p /boot/grub part_gpt ext2 "
        "fat search search_label "
        "normal configfile linux; blank esp 4096 -F 16 -s 1; put esp grub.efi; hollow $OUT 24M; "
        "sgdisk -n1:2048:+1M -t1:ef02 -n2:4096:+8M -t2:ea00 -n3:24576:+8M -t3:ef00 $OUT > log; at fs 2; "
        f"at esp 12; {LABELLED}grub_at 2048",
        BOTH_DISKS,
    ),
}

ISOLINUX_ISOS = {
    "isolinux": _row("isolinux", f"{ISOLINUX} iso {TABLE} tree", BIOS),
    "isolinux-linux": _row(
        "isolinux with its MBR and Debian's kernel",
        f"{ISOLINUX} {DEBIAN} tree/isolinux/isolinux.cfg; iso {HYBRID} tree",
        DISK,
    ),
    "isolinux-genisoimage": _row(
        "isolinux by genisoimage", f"{ISOLINUX} genisoimage -quiet -J -r -o $OUT {TABLE} tree", BIOS
    ),
    "isolinux-hybrid": _row("isolinux with its MBR", f"{ISOLINUX} iso {HYBRID} tree", BIOS),
    "isolinux-isohybrid": _row(
        "isolinux, and isohybrid afterwards", f"{ISOLINUX} iso {TABLE} tree; isohybrid $OUT", BIOS
    ),
    "isolinux-no-table": _row(
        "isolinux without a boot info table", f"{ISOLINUX} iso {ENTRY} tree", ("bios_cd",)
    ),
    "isolinux-checksum": _row(
        "the boot info table's checksum is wrong",
        f"{ISOLINUX} iso {HYBRID} tree",
        BIOS,
        flipped_behind(ISOLINUX_CODE, INFO + 12),
    ),
    "isolinux-damaged": _row(
        "a byte of isolinux.bin changed",
        f"{ISOLINUX} iso {HYBRID} tree",
        BIOS,
        flipped_behind(ISOLINUX_CODE, 0x4000),
    ),
    "isolinux-stick": _row(
        "the block in the MBR changed", f"{ISOLINUX} iso {HYBRID} tree", BIOS, flipped(432)
    ),
    "isolinux-no-c32": _row(
        "no ldlinux.c32", f"{ISOLINUX} rm tree/isolinux/ldlinux.c32; iso {HYBRID} tree", BIOS
    ),
    "isolinux-no-config": _row(
        "no isolinux.cfg", f"{ISOLINUX} rm tree/isolinux/isolinux.cfg; iso {HYBRID} tree", BIOS
    ),
    "isolinux-kernel-gone": _row(
        "a kernel that is not there",
        f"{ISOLINUX} syslinux_cfg tree/isolinux/isolinux.cfg /kernel; iso {HYBRID} tree",
        BIOS,
    ),
    "isolinux-initrd-gone": _row(
        "an initramfs that is not there",
        f"{ISOLINUX} syslinux_cfg tree/isolinux/isolinux.cfg '' /initrd; iso {HYBRID} tree",
        BIOS,
    ),
}

ROWS = {**GRUB, **GRUB_ISOS, **EFI_DISKS, **SYSLINUX_DISKS, **ISOLINUX_ISOS}
