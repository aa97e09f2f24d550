"""Media from public bug reports, made anew: what firmware does with each, on what condition, and why.

Facts are those of OVMF and of the rules; each row's name says what is odd about it.
"""

import gzip
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import Severity
from pipeline.inspection.questions import interviewed
from tests.fixtures import patch
from tests.fixtures.disk import ENTRIES, Part, disk, mbr_disk
from tests.fixtures.fat import fat
from tests.fixtures.gpt import DATA, ESP, SECTOR, entry, header, mbr, with_gpt
from tests.fixtures.iso import efi_image, iso, iso_of
from tests.fixtures.pe import I386, pe
from tests.fixtures.udf import udf
from tests.fixtures.uki import uki

PROGRAM = "EFI/BOOT/BOOTX64.EFI"
EFI = pe({".text": b"x"})
SMALL = efi_image()
FILLER = {"FILLER.BIN": bytes(40 * SECTOR)}
LATE = fat({**FILLER, PROGRAM: uki()}, clusters=120)
"""A FAT volume whose program lies in its second half."""
HFS = patch(bytes(64 * SECTOR), 1024, b"H+\0\4\0\0\1\0")
EDK2, ON_512, ON_4096, BITS_32 = "firmware EDK II", "block_size 512", "block_size 4096", "firmware_bits 32"
CODE = b"\xfa\x31\xc0" * 100


def as_it_is(image: bytes, _first: int, _last: int) -> bytes:
    return image


def by_mbr(image: bytes, first: int, last: int) -> bytes:
    """Boot code, and an MBR whose second entry is the boot image; the first is of no type."""
    parts = (0x80, 0, 0, len(image) // SECTOR), (0, 0xEF, first, last - first + 1)
    return mbr_disk(*parts, code=CODE)[:SECTOR] + image[SECTOR:]


def by_both(image: bytes, first: int, last: int) -> bytes:
    """The same, and a GPT of which its MBR says nothing."""
    table = with_gpt(image, first, last, kind=DATA)
    return by_mbr(image, first, last)[:SECTOR] + table[SECTOR:]


def quarter(image: bytes, first: int, last: int) -> bytes:
    return by_mbr(image, first, first + (last - first + 1) // 4 - 1)


def loads(image: bytes, count: int) -> bytes:
    """The ISO whose one El Torito entry has this load size."""
    return patch(image, catalog(image) + 32 + 6, struct.pack("<H", count))


def catalog(image: bytes) -> int:
    return int.from_bytes(image[17 * 2048 + 71 :][:4], "little") * 2048


def appended(image: bytes) -> bytes:
    """The ISO whose volume ends before its boot image."""
    rba = image[catalog(image) + 32 + 8 :][:4]
    return patch(image, 16 * 2048 + 80, rba + rba[::-1])


def two_entries(image: bytes, other: int) -> bytes:
    """The ISO with a second EFI entry, at the block `other`."""
    record = struct.pack("<BBHBxHI", 0x88, 0, 0, 0, 64, other).ljust(32, b"\0")
    section = struct.pack("<BBH", 0x91, 0xEF, 1).ljust(32, b"\0")
    return patch(image, catalog(image) + 64, section + record)


def for_macs_first(image: bytes) -> bytes:
    """The first EFI entry leads to HFS+, behind the end, the second to the FAT image."""
    image = image.ljust(-(-len(image) // 2048) * 2048, b"\0")
    start = catalog(image) + 32 + 8
    found = two_entries(image, int.from_bytes(image[start : start + 4], "little"))
    return patch(found, start, struct.pack("<I", len(image) // 2048)) + HFS


def with_active_second(image: bytes, first: int, last: int) -> bytes:
    return patch(with_gpt(image, first, last), 462, struct.pack("<B3sB3sII", 0x80, b"", 0, b"", 0, 1))


def gpt_of(image: bytes, sector: int, first: int, last: int) -> bytes:
    """An image whose blocks are `sector` bytes, with a GPT for that."""
    entries = entry(ESP, first, last, "EFI").ljust(ENTRIES, b"\0")
    end = len(image) // sector - 1
    front = mbr(size=end).ljust(sector, b"\0") + header(1, end, 2, entries, sector=sector) + entries
    taken = ENTRIES // sector
    back = entries + header(end, 1, end - taken, entries, sector=sector)
    return front + image[len(front) : len(image) - len(back)] + back


def overwritten(image: bytes) -> bytes:
    return patch(image, SECTOR, b"**** ERROR: THE REST OF THIS DRIVE IS FOR UEFI BOOT ONLY.")


def far_down(image: bytes, record: int) -> bytes:
    """The ISO whose one EFI entry stands so many records down in the catalog, behind sections for others."""
    start = catalog(image)
    entry = image[start + 32 : start + 64]
    count = record - 4
    others = struct.pack("<BBH", 0x90, 2, count).ljust(32, b"\0") + bytes(32) * count
    last = struct.pack("<BBH", 0x91, 0xEF, 1).ljust(32, b"\0") + entry
    return patch(patch(image, start + 32, bytes(32)), start + 64, others + last)


def patch_table(image: bytes, *, first_usable: int) -> bytes:
    """The disk whose GPTs say that its usable blocks begin there."""
    end = len(image) // SECTOR - 1
    for lba in (1, end):
        head = patch(image[lba * SECTOR :][:92], 40, struct.pack("<Q", first_usable))
        crc = zlib.crc32(patch(head, 16, bytes(4)))
        image = patch(image, lba * SECTOR, patch(head, 16, struct.pack("<I", crc)))
    return image


def with_third_table(image: bytes) -> bytes:
    """The FAT12 volume, whose two tables have one sector each, with one more."""
    sectors = struct.unpack_from("<H", image, 19)[0] + 1
    return patch(image[: 2 * SECTOR] + image[SECTOR:], 19, struct.pack("<H", sectors))


THREE = with_third_table(SMALL)
FAT32 = fat({PROGRAM: EFI}, kind="FAT32", clusters=65525)
GOOD = disk()
IN_PLACE = gpt_of(bytes(512 * 4096), 4096, 64, 64 + len(SMALL) // 4096 - 1)
BIG_BLOCKS = patch(IN_PLACE, 64 * 4096, SMALL)


@dataclass(frozen=True)
class Row:
    """A medium; for each way its verdict and conditions; the findings; words that must be said of it."""

    image: bytes
    ways: Mapping[str, str]
    findings: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


CD_AND_STICK = {"uefi_cd": "yes", "uefi_disk": f"yes, {ON_512}"}
ONLY_EDK2 = f"yes, {EDK2}, {ON_512}"
ROWS = {
    "no table at all": Row(
        iso(finish=as_it_is),
        {"uefi_cd": "yes", "uefi_disk": ONLY_EDK2},
        ("BOOT002",),
        ("it has neither a GPT nor an MBR with partitions", "-appended_part_as_gpt"),
    ),
    "a GPT of which the MBR says nothing": Row(
        iso(finish=by_both), CD_AND_STICK, ("ISO028",), ("nobody looks at the GPT",)
    ),
    "an entry and a partition of a quarter": Row(
        loads(iso(LATE, finish=quarter), len(LATE) // SECTOR // 4),
        {"uefi_cd": f"yes, {EDK2}", "uefi_disk": ONLY_EDK2},
        ("ISO018", "ISO031", "BOOT002"),
        (f"covers {len(LATE) // SECTOR // 4} of the {len(LATE) // SECTOR} sectors", "-boot-load-size"),
    ),
    "load size 0, inside": Row(loads(iso(), 0), CD_AND_STICK),
    "load size 1, inside": Row(loads(iso(), 1), CD_AND_STICK),
    "load size 0, behind the volume": Row(
        loads(appended(iso()), 0),
        {"uefi_cd": "no", "uefi_disk": f"yes, {ON_512}"},
        ("ISO018",),
        ("behind the end of the ISO volume", "-boot-load-size full"),
    ),
    "load size 1, behind the volume": Row(
        loads(appended(iso()), 1), {"uefi_cd": "no", "uefi_disk": f"yes, {ON_512}"}, ("ISO018",)
    ),
    "an entry for a BIOS": Row(
        iso(platform=0, finish=as_it_is),
        {"uefi_cd": f"yes, {EDK2}", "uefi_disk": ONLY_EDK2, "bios_cd": "no"},
        ("BOOT002",),
        ("no entry for UEFI (it has one for BIOS)", "-eltorito-platform efi"),
    ),
    "a program in the tree only": Row(
        iso_of({PROGRAM: EFI}),
        {"uefi_cd": "no", "uefi_disk": "no", "bios_cd": "no", "bios_disk": "no"},
        ("BOOT001", "BOOT001"),
        (f"{PROGRAM} lies in ISO 9660 only", "copy its files to a FAT stick"),
    ),
    "an image at which nothing points": Row(
        iso_of({"images/efiboot.img": SMALL, PROGRAM: EFI}),
        {"uefi_cd": "no", "uefi_disk": "no"},
        ("BOOT001", "BOOT001"),
        ("images/efiboot.img has a program, and no entry", "-append_partition 2 0xef images/efiboot.img"),
    ),
    "for Macs only": Row(
        iso(HFS, finish=as_it_is),
        {"uefi_cd": "no", "uefi_disk": "no"},
        ("ISO008",),
        ("an HFS+ file system, for Macs",),
    ),
    "for Macs too": Row(
        for_macs_first(iso(finish=as_it_is)), {"uefi_cd": "yes", "uefi_disk": ONLY_EDK2}, ("BOOT002",)
    ),
    "Windows": Row(
        udf({PROGRAM: EFI, "sources/boot.wim": b"MSWIM"}, boot_image=SMALL),
        {"uefi_cd": "yes", "uefi_disk": ONLY_EDK2},
        ("BOOT002",),
        ("it has neither a GPT nor an MBR with partitions",),
    ),
    "UDF, and no El Torito": Row(
        udf({PROGRAM: EFI}),
        {"uefi_cd": f"yes, {EDK2}", "uefi_disk": "no"},
        ("BOOT002",),
        (f"the UDF file system has {PROGRAM}", "lies in UDF, which firmware need not read"),
    ),
    "packed": Row(gzip.compress(iso()), CD_AND_STICK),
    "packed, and nothing boots": Row(
        gzip.compress(iso_of({PROGRAM: EFI})), {"uefi_cd": "no", "uefi_disk": "no"}, ("BOOT001", "BOOT001")
    ),
    "an MBR only": Row(iso(finish=by_mbr), CD_AND_STICK),
    "a second, active entry": Row(iso(finish=with_active_second), CD_AND_STICK),
    "a partition active that protects": Row(
        patch(GOOD, 446, b"\x80"), {"uefi_disk": f"yes, {ON_512}"}, ("DISK013",), ("marked as active",)
    ),
    "a good disk": Row(GOOD, {"uefi_disk": f"yes, {ON_512}", "bios_disk": "no"}),
    "text in place of the primary GPT": Row(
        overwritten(GOOD), {"uefi_disk": f"yes, {ON_512}"}, ("DISK004",), ("'**** ERR'",)
    ),
    "text in place of the primary GPT, on a larger stick": Row(
        overwritten(GOOD) + bytes(64 * SECTOR),
        {"uefi_disk": "no"},
        ("DISK003",),
        ("'**** ERR'", f"one is at LBA {len(GOOD) // SECTOR - 1}, where the disk once ended"),
    ),
    "for blocks of 4096 bytes": Row(
        BIG_BLOCKS, {"uefi_disk": f"yes, {ON_4096}"}, ("DISK016",), ("logical sector size too small",)
    ),
    "small letters": Row(
        fat({"EFI/BOOT/BOOTX64.EFI": EFI}).replace(b"BOOTX64 EFI\x20\0", b"BOOTX64 EFI\x20\x18"),
        {"uefi_disk": "yes"},
    ),
    "a program for 32 bits": Row(
        fat({"EFI/BOOT/BOOTIA32.EFI": pe({".text": b"x"}, machine=I386)}),
        {"uefi_disk": f"yes, {BITS_32}"},
    ),
    "a program for 32 bits by another name": Row(
        fat({PROGRAM: pe({".text": b"x"}, machine=I386)}),
        {"uefi_disk": "no"},
        ("BOOT001",),
        ("that is for 32-bit x86", "EFI/BOOT/BOOTIA32.EFI"),
    ),
    "a vendor's folder": Row(
        fat({"EFI/XEN/GRUBX64.EFI": EFI}),
        {"uefi_disk": "no"},
        ("BOOT001",),
        ("EFI/XEN/GRUBX64.EFI is a program for x86-64", "mcopy -i medium '::EFI/XEN/GRUBX64.EFI'"),
    ),
    "folders swapped": Row(
        fat({"BOOT/EFI/BOOTX64.EFI": EFI}), {"uefi_disk": "no"}, ("BOOT001",), ("BOOT/EFI/BOOTX64.EFI is",)
    ),
    "a name misspelt": Row(
        fat({"EFI/BOOT/BOOT64.EFI": EFI}),
        {"uefi_disk": "no"},
        ("BOOT001",),
        ("`mren -i medium '::EFI/BOOT/BOOT64.EFI' '::EFI/BOOT/BOOTX64.EFI'`",),
    ),
    "FAT32 of few clusters": Row(
        fat({PROGRAM: uki()}, kind="FAT32", clusters=200),
        {"uefi_disk": "no"},
        ("FAT001",),
        ("FAT32 with 200 clusters", "mkfs.vfat -F 12"),
    ),
    "partitions that overlap": Row(
        disk([Part(SMALL, more=8), Part(SMALL)]),
        {"uefi_disk": "no"},
        ("DISK009", "DISK018"),
        ("firmware leaves out its GPT's partitions",),
    ),
    "GPT partitions in no usable block": Row(
        patch_table(GOOD, first_usable=100),
        {"uefi_disk": "no"},
        ("DISK008",),
        ("lie outside of usable blocks",),
    ),
    "a GPT partition that is the system's alone": Row(
        disk([Part(SMALL, attributes=2)]),
        {"uefi_disk": "no"},
        ("BOOT001",),
        ("marked as none that firmware shows",),
    ),
    "a protective MBR without a signature": Row(
        patch(GOOD, 510, bytes(2)),
        {"uefi_disk": ONLY_EDK2},
        ("DISK002", "BOOT002"),
        ("the MBR has no protective partition",),
    ),
    "MBR partitions that overlap": Row(
        mbr_disk((0, 0xEF, 63, 64), (0, 0x83, 100, 20), contents=SMALL),
        {"uefi_disk": "no"},
        ("DISK010",),
        ("EDK II takes none of them",),
    ),
    "an MBR partition that runs out": Row(
        mbr_disk((0, 0xEF, 63, 640), contents=SMALL), {"uefi_disk": "no"}, ("DISK010",)
    ),
    "an MBR partition in blocks of 4096 bytes": Row(
        mbr_disk((0, 0xEF, 16, 8), contents=SMALL, first=16 * 8),
        {"uefi_disk": f"yes, {ON_4096}"},
        ("DISK016",),
    ),
    "an MBR partition with an odd flag": Row(
        mbr_disk((1, 0xEF, 63, 64), contents=SMALL), {"uefi_disk": f"yes, {ON_512}"}
    ),
    "a logical partition": Row(
        mbr_disk((0, 5, 63, 80), contents=mbr(0xEF, 16, 64).ljust(16 * SECTOR, b"\0") + SMALL),
        {"uefi_disk": f"yes, {ON_512}"},
        (),
        (f"MBR partition 5 is an EFI system partition with {PROGRAM}",),
    ),
    "a FAT volume of three tables": Row(patch(THREE, 16, b"\3"), {"uefi_disk": "yes"}),
    "a FAT volume without a signature": Row(patch(SMALL, 510, bytes(2)), {"uefi_disk": "yes"}, ("FAT017",)),
    "a FAT volume that cannot be read": Row(
        patch(SMALL, 13, b"\3"), {"uefi_disk": "no"}, ("FAT000",), ("sectors per cluster cannot be 3",)
    ),
    "the entry for a BIOS in a section": Row(
        patch(two_entries(iso(finish=as_it_is), 40), catalog(iso()) + 65, b"\0"),
        {"uefi_cd": "yes", "bios_cd": "no"},
        ("BOOT002",),
        ("is not the initial one",),
    ),
    "an entry for a BIOS of no sectors": Row(
        loads(iso(patch(SMALL, 62, CODE[:60]), platform=0, finish=as_it_is), 0),
        {"uefi_cd": f"yes, {EDK2}", "bios_cd": "no"},
        ("BOOT002",),
        ("a BIOS loads nothing of it",),
    ),
    "an entry that emulates a floppy": Row(
        patch(iso(finish=as_it_is), catalog(iso()) + 33, b"\2"),
        {"uefi_cd": f"yes, {EDK2}", "uefi_disk": ONLY_EDK2},
        ("ISO017", "BOOT002"),
        ("emulates a 1.44 MB floppy",),
    ),
    "an entry too far down for a stick": Row(
        far_down(iso(finish=as_it_is), 20), {"uefi_cd": "yes", "uefi_disk": "no"}
    ),
    "an entry as far down as a stick reads": Row(
        far_down(iso(finish=as_it_is), 15), {"uefi_cd": "yes", "uefi_disk": ONLY_EDK2}, ("BOOT002",)
    ),
    "a section of the catalog that is damaged": Row(
        patch(iso(finish=as_it_is), catalog(iso()) + 64, b"\x77"),
        {"uefi_cd": f"yes, {EDK2}", "uefi_disk": ONLY_EDK2},
        ("ISO005", "BOOT002"),
        ("no section header",),
    ),
    "FAT32 of another version": Row(
        patch(FAT32, 42, b"\1"), {"uefi_disk": "no"}, ("BOOT001",), ("of a version other than 0.0",)
    ),
    "FAT32 whose tables are not mirrored": Row(
        patch(FAT32, 40, b"\x80"), {"uefi_disk": "no"}, ("BOOT001",), ("are not mirrored",)
    ),
    "FAT32 of enough clusters": Row(FAT32, {"uefi_disk": "yes"}),
    "another media descriptor": Row(
        patch(SMALL, 21, b"\x42"), {"uefi_disk": "no"}, ("FAT012",), ("media descriptor",)
    ),
    "a file system that is damaged": Row(
        disk([Part(patch(SMALL, 13, b"\3"))]),
        {"uefi_disk": "no"},
        ("FAT000",),
        ("a FAT file system that is cut off or damaged",),
    ),
    "a FAT volume that is cut off behind its files": Row(
        SMALL[: len(SMALL) - 4 * SECTOR], {"uefi_disk": "yes"}, ("FAT016",)
    ),
    "a FAT volume that is cut off in its program": Row(
        SMALL[: 10 * SECTOR], {"uefi_disk": "no"}, ("FAT015",), ("reaches beyond the end of the file",)
    ),
}


def test_a_yes_says_where_there_are_errors_all_the_same() -> None:
    grown = patch(iso(), 16 * 2048 + 80, struct.pack("<I", 9999) + struct.pack(">I", 9999))
    _, answers = interviewed(take_apart(grown, "medium"))
    said = {each.question: each for each in answers}
    assert said["uefi_disk"].because.endswith("; what comes after that has errors (ISO001)")


@pytest.mark.parametrize("name", ROWS)
def test_firmware_and_answers_agree(name: str) -> None:
    row = ROWS[name]
    node, answers = interviewed(take_apart(row.image, "medium"))
    said = {each.question: each for each in answers}
    ways = {
        way: ", ".join([said[way].verdict, *(f"{one.what} {one.value}" for one in said[way].conditions)])
        for way in row.ways
    }
    findings = [finding for _, below in node.walk() for finding in below.findings]
    found = [finding for finding in findings if finding.code.startswith(("ISO", "DISK", "FAT", "BOOT"))]
    text = "\n".join(
        [f"{each.because} {each.hint}" for each in answers] + [f"{one.message} {one.hint}" for one in found]
    )
    assert ways == row.ways
    assert sorted(one.code for one in found) == sorted(row.findings)
    assert [word for word in row.words if word not in text] == []
    errors = [one.code for one in found if one.severity is Severity.ERROR]
    if all(said[way].verdict == "no" for way in ways):
        assert errors
    elif not any(EDK2 in way for way in ways.values()):
        assert errors == []
    named = {each.finding for each in answers} - {""}
    assert named <= {one.code for one in findings}
