"""What firmware would do with a medium: a row for each verdict and each reason."""

import struct
from dataclasses import dataclass
from uuid import UUID

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.formats import bios_notice
from pipeline.formats.iso9660_directory import Member
from pipeline.inspection.copied import unfit
from pipeline.inspection.questions import answers
from tests.fixtures import patch
from tests.fixtures.bzimage import bzimage
from tests.fixtures.elf import AARCH64, elf
from tests.fixtures.fat import fat
from tests.fixtures.gpt import DATA, SECTOR, mbr, with_gpt
from tests.fixtures.iso import efi_image, iso, iso_of
from tests.fixtures.pe import ARM64, I386, PE_OFFSET, moved, pe
from tests.fixtures.signed import RSA, signed
from tests.fixtures.udf import udf
from tests.fixtures.uki import uki

PROGRAM = "EFI/BOOT/BOOTX64.EFI"
NO_PROGRAM = fat({"README.TXT": b"nothing boots here"})
EDK2 = "yes, on EDK II only, not by the rules"
ON_512 = "on disks of 512-byte blocks only"
ENTRY_1 = f"El Torito's entry 1 is a FAT file system with {PROGRAM}; by the rules, "
NO_TABLE = "it has neither a GPT nor an MBR with partitions"
NO_FAT = "firmware wants a FAT file system with EFI/BOOT/BOOTX64.EFI"


def without_tables(image: bytes, _first: int, _last: int) -> bytes:
    return image


def as_data(image: bytes, first: int, last: int, kind: UUID = DATA) -> bytes:
    return with_gpt(image, first, last, kind=kind, name="data")


def by_mbr(image: bytes, first: int, last: int) -> bytes:
    return patch(image, 0, mbr(0xEF, first, last - first + 1))


def with_code(code: bytes) -> bytes:
    return patch(iso(), 0, code)


def disk(contents: bytes = b"") -> bytes:
    """A disk with one EFI system partition."""
    found = contents or efi_image()
    return with_gpt(bytes(64 * SECTOR) + found, 64, 63 + -(-len(found) // SECTOR))


def grub(at: int, block: int) -> bytes:
    """A disk with GRUB's boot code, which reads at that place in which block its core image begins."""
    code = b"\xeb\x63" + bytes(0x70) + b"\x66\x8b\x1e" + struct.pack("<H", 0x7C00 + at) + b"GRUB "
    return patch(patch(disk(), 0, code), at, struct.pack("<Q", block))


@dataclass(frozen=True)
class Row:
    """A question about an image, and what is said to it: the value, else verdict and reason."""

    image: bytes
    question: str
    said: str

    def __str__(self) -> str:
        return f"{self.question}: {self.said[:70]}"


def entry(field: int, value: int) -> bytes:
    """The good ISO with a byte of the catalog's initial entry changed."""
    image = iso()
    catalog = int.from_bytes(image[17 * 2048 + 71 :][:4], "little") * 2048
    return patch(image, catalog + 32 + field, bytes([value]))


ROWS = (
    Row(iso(), "uefi_cd", f"yes: El Torito's entry 1 is a FAT file system with {PROGRAM}"),
    Row(iso(uki()), "uefi_cd", f"no: El Torito's entry 1 points at a UKI for x86-64; {NO_FAT}"),
    Row(iso(NO_PROGRAM), "uefi_cd", f"no: El Torito's entry 1 is a FAT file system without {PROGRAM}"),
    Row(
        iso(platform=0),
        "uefi_cd",
        f"{EDK2}: {ENTRY_1}El Torito's boot catalog has no entry for UEFI (it has one for BIOS)",
    ),
    Row(entry(0, 0x00), "uefi_cd", "no: El Torito's entry for UEFI is marked as not bootable"),
    Row(
        entry(1, 2),
        "uefi_cd",
        f"{EDK2}: {ENTRY_1}El Torito's entry for UEFI emulates a 1.44 MB floppy, which UEFI does not",
    ),
    Row(
        entry(11, 0xFF),
        "uefi_cd",
        f"no: El Torito's entry 1 points at something beyond the end of the file; {NO_FAT}",
    ),
    Row(patch(iso(), 17 * 2048 + 7, bytes(32)), "uefi_cd", "no: it has no El Torito boot catalog"),
    Row(
        iso(fat({PROGRAM: b"\x7fELF is none"})),
        "uefi_cd",
        f"no: El Torito's entry 1 has {PROGRAM}, but that is an ELF file, not an EFI program",
    ),
    Row(
        iso(fat({PROGRAM: uki(machine=ARM64)})),
        "uefi_cd",
        f"no: El Torito's entry 1 has {PROGRAM}, but that is for arm64, which is not what its name says",
    ),
    Row(
        iso(fat({PROGRAM: uki(subsystem=11)})),
        "uefi_cd",
        f"no: El Torito's entry 1 has {PROGRAM}, but that is of subsystem 11, not an EFI application",
    ),
    Row(iso(), "uefi_disk", f"yes, {ON_512}: GPT partition 1 is an EFI system partition with {PROGRAM}"),
    Row(
        iso(finish=by_mbr),
        "uefi_disk",
        f"yes, {ON_512}: MBR partition 1 is an EFI system partition with {PROGRAM}",
    ),
    Row(
        iso(finish=as_data),
        "uefi_disk",
        f"yes, {ON_512}: GPT partition 1 is a FAT file system with {PROGRAM}; it is no EFI system partition, "
        "but firmware takes that from removable media",
    ),
    Row(
        iso(NO_PROGRAM, finish=as_data),
        "uefi_disk",
        f"no: GPT partition 1 is a FAT file system without {PROGRAM}",
    ),
    Row(
        iso(finish=without_tables),
        "uefi_disk",
        f"{EDK2}, {ON_512}: {ENTRY_1}{NO_TABLE}",
    ),
    Row(
        efi_image(),
        "uefi_disk",
        f"yes: the whole medium is a FAT file system with {PROGRAM}; it is no EFI system partition, "
        "but firmware takes that from removable media",
    ),
    Row(NO_PROGRAM, "uefi_disk", f"no: the FAT file system has no {PROGRAM}"),
    Row(disk(), "uefi_disk", f"yes, {ON_512}: GPT partition 1 is an EFI system partition with {PROGRAM}"),
    Row(
        patch(disk(), 446, bytes(16)),
        "uefi_disk",
        "no: nobody looks at its GPT, for the MBR has no protective partition (type 0xee)",
    ),
    Row(
        disk(b"ext4 or anything"),
        "uefi_disk",
        "no: GPT partition 1 points at a file of no known format (it starts with 65787434206f7220); "
        + NO_FAT,
    ),
    Row(disk(), "kernel", f"6.12.1-test (GPT partition 1!{PROGRAM}!.linux)"),
    Row(disk(), "bios_disk", "no: its first block has no boot code"),
    Row(disk(), "bios_cd", "not applicable"),
    Row(iso(), "uefi_copied", f"no: {PROGRAM} lies in a boot image, not among the ISO's files"),
    Row(iso(NO_PROGRAM), "uefi_copied", "not applicable"),
    Row(iso_of({PROGRAM: uki()}), "uefi_copied", f"yes: the ISO's files include {PROGRAM}, and fit on FAT"),
    Row(udf({PROGRAM: uki()}), "uefi_copied", f"yes: the ISO's files include {PROGRAM}, and fit on FAT"),
    Row(
        iso_of({"EFI/BOOT/BOOTIA32.EFI": pe({".text": b"x"}, machine=I386)}),
        "uefi_copied",
        "yes, on 32-bit firmware only: the ISO's files include EFI/BOOT/BOOTIA32.EFI, and fit on FAT",
    ),
    Row(
        iso_of({PROGRAM: uki(machine=ARM64)}),
        "uefi_copied",
        f"no: the ISO's files include {PROGRAM}, but that is for arm64, which is not what its name says",
    ),
    Row(
        iso_of({PROGRAM: uki()}, {"latest": PROGRAM}),
        "uefi_copied",
        f"yes: the ISO's files include {PROGRAM}, and fit on FAT; its symbolic links are lost",
    ),
    Row(iso_of({PROGRAM: uki(), "a:b": b""}), "uefi_copied", "no: FAT has no name like a:b"),
    Row(udf({PROGRAM: uki(), "a:b": b""}), "uefi_copied", "no: FAT has no name like a:b"),
    Row(disk(), "uefi_copied", "not applicable"),
    Row(iso(), "bios_cd", "no: El Torito's boot catalog has no bootable entry for BIOS"),
    Row(
        iso(patch(efi_image(), 62, b"\xfa\x31\xc0"), platform=0),
        "bios_cd",
        "unknown: El Torito's entry for BIOS has unknown boot code",
    ),
    Row(iso(platform=0), "bios_cd", "no: El Torito's entry for BIOS points at what has no code"),
    Row(patch(iso(), 17 * 2048 + 7, bytes(32)), "bios_cd", "no: it has no El Torito boot catalog"),
    Row(iso(), "bios_disk", "no: its first block has no boot code"),
    Row(with_code(b"\xeb\x63\x90"), "bios_disk", "no: its first block has no boot code"),
    Row(with_code(b"ER\x02\0\xeb\x02\xff\xff"), "bios_disk", "no: its first block has no boot code"),
    Row(
        with_code(b"ER\x08\0\0\0\x90\x90".ljust(32, b"\0") + b"\x33\xed GRUB "),
        "bios_disk",
        "unknown: its first block has unknown boot code",
    ),
    Row(
        with_code(b"\xfa\x31\xc0"),
        "bios_disk",
        "unknown: its first block has unknown boot code",
    ),
    Row(
        patch(with_code(b"\xfa\x31\xc0"), 446, b"\x80"),
        "bios_disk",
        "unknown: its first block has unknown boot code",
    ),
    Row(with_code(b"\xfa\x31\xc0 GRUB "), "bios_disk", "unknown: its first block has unknown boot code"),
    Row(
        with_code(b"\xfa\x31\xc0 LILO "),
        "bios_disk",
        "unknown: its first block has the boot code of LILO, which is not followed",
    ),
    Row(
        grub(0x5C, 64),
        "bios_disk",
        "no: GRUB does not start: boot.img points at block 64, which has no core image of GRUB's",
    ),
    Row(
        grub(0x1B0, 64),
        "bios_disk",
        "no: GRUB does not start: boot.img points at block 64, which has no core image of GRUB's",
    ),
    Row(
        grub(0x1B0, 62),
        "bios_disk",
        "no: GRUB does not start: boot.img points at block 62, which is empty",
    ),
    Row(
        grub(0x1B0, 1 << 60),
        "bios_disk",
        "no: GRUB does not start: boot.img points at block 1152921504606846976, which is outside the disk",
    ),
    Row(
        grub(0x5C, 1),
        "bios_disk",
        "no: GRUB does not start: boot.img points at block 1, which has a GPT",
    ),
    Row(
        patch(efi_image(), 62, b"\x0e\x1fThis is not a bootable disk."),
        "bios_disk",
        "no: the code in its first block only says why it does not start",
    ),
    Row(
        with_code(bios_notice.CODE),
        "bios_disk",
        "no: the code in its first block only says why it does not start",
    ),
    Row(
        iso(bios_notice.CODE.ljust(2048, b"\0"), platform=0),
        "bios_cd",
        "no: El Torito's entry for BIOS only says why it does not start",
    ),
    Row(iso(), "architecture", f"x86-64 ({PROGRAM})"),
    Row(
        iso(fat({PROGRAM: uki(), "EFI/BOOT/BOOTAA64.EFI": uki(machine=ARM64)}, clusters=100)),
        "architecture",
        f"x86-64, arm64 ({PROGRAM}, EFI/BOOT/BOOTAA64.EFI)",
    ),
    Row(iso(NO_PROGRAM), "architecture", "unknown: there is no program that UEFI starts"),
    Row(uki(machine=ARM64), "architecture", "arm64"),
    Row(bzimage(stub=False), "architecture", "unknown: it has no EFI stub"),
    Row(elf(machine=AARCH64), "architecture", "AArch64 (64-bit)"),
    Row(uki(), "uefi", "yes: it is an EFI application for x86-64"),
    Row(uki(subsystem=11), "uefi", "no: it is of subsystem 11, not an EFI application"),
    Row(
        moved(uki(), ".linux", 0xB2090000),
        "uefi",
        "no: firmware does not load it: the UKI takes 2.8 GB of memory in one piece for 0.0 MB: "
        "its section .linux has the address 0xb2090000",
    ),
    Row(
        fat({PROGRAM: moved(uki(), ".linux", 0xB2090000)}),
        "uefi_disk",
        f"no: the whole medium has {PROGRAM}, but that is not loaded: "
        "the UKI takes 2.8 GB of memory in one piece "
        "for 0.0 MB: its section .linux has the address 0xb2090000",
    ),
    Row(
        signed(RSA)[:-8],
        "uefi",
        "no: firmware does not load it: the EFI program's certificate table ends at 0xdd8, the file at 0xdd0",
    ),
    Row(
        patch(uki({".linux": None}), PE_OFFSET + 24 + 16, bytes(4)),
        "uefi",
        "no: it is an addon to a UKI, with no program of its own",
    ),
    Row(
        pe({".text": b"x", ".sdmagic": b"#### LoaderInfo: systemd-addon 257 ####", ".cmdline": b"quiet"}),
        "uefi",
        "no: it is an addon to a UKI, with no program of its own",
    ),
    Row(
        moved(uki(), ".initrd", 0x1000),
        "uefi",
        "no: firmware does not load it: the UKI's section .initrd overwrites its code in memory, at 0x1000",
    ),
    Row(
        patch(pe({".text": b"x"}), PE_OFFSET + 24, b"\x0b\1"),
        "uefi",
        "no: firmware does not load it: the EFI program's optional header is not as long "
        "as its magic and its number of directories say",
    ),
    Row(bzimage(), "uefi", "yes: it is an EFI application for x86-64"),
    Row(bzimage(stub=False), "uefi", "no: it has no EFI stub"),
    Row(iso(), "missing", "nothing"),
    Row(iso(NO_PROGRAM), "missing", f"{PROGRAM} (UEFI, from CD; UEFI, from USB)"),
    Row(
        iso(NO_PROGRAM, platform=0, finish=without_tables),
        "missing",
        "an El Torito entry for UEFI (UEFI, from CD), an EFI system partition (UEFI, from USB)",
    ),
    Row(elf(), "uefi_cd", "not applicable"),
    Row(uki(), "bios_disk", "not applicable"),
)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_it_is_said(row: Row) -> None:
    node = take_apart(row.image, "artifact")
    answer = next(each for each in answers(node) if each.question == row.question)
    if answer.value:
        text = answer.value + (f" ({answer.because})" if answer.because else "")
    else:
        where = "".join(f", {condition.text()}" for condition in answer.conditions)
        text = answer.verdict + where + (f": {answer.because}" if answer.because else "")
    assert text == row.said


@pytest.mark.parametrize(
    ("path", "size", "why"),
    [
        ("/sources/boot.wim", (1 << 32) - 1, ""),
        (
            "/sources/install.wim",
            1 << 32,
            "install.wim has 4,294,967,296 bytes, and FAT takes less than 4 GiB",
        ),
        ("/pool/a?b", 1, "FAT has no name like pool/a?b"),
        ("/pool/end.", 1, "FAT has no name like pool/end."),
        ("/EFI", 1, "FAT takes efi and another file, whose name differs in case, for one"),
    ],
)
def test_a_file_that_fat_does_not_take(path: str, size: int, why: str) -> None:
    files = [Member("/", "", None), Member("/efi", "", None), Member(path, "", None, extents=((0, size),))]
    assert unfit(files).removeprefix("sources/") == why
