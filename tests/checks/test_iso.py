import struct

import pytest

from pipeline.checks import iso as check
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.fat import fat
from tests.fixtures.gpt import DATA, with_gpt
from tests.fixtures.iso import iso
from tests.fixtures.pe import pe
from tests.fixtures.uki import uki

GOOD = iso()
SECTOR = 2048
PVD, BOOT_RECORD = 16 * SECTOR, 17 * SECTOR
CATALOG = struct.unpack_from("<I", GOOD, BOOT_RECORD + 71)[0] * SECTOR
ENTRY = CATALOG + 32
LAST = len(GOOD) - 512
BACKUP = LAST - 32 * 512
OTHER = iso(finish=lambda image, first, last: with_gpt(image, first, last, name="another"))


def owned_by(user: int) -> bytes:
    """The good one with the owner in its first Rock Ridge PX entry replaced."""
    owner = struct.pack("<I", user) + struct.pack(">I", user)
    return patch(GOOD, GOOD.index(b"PX\x24\x01") + 20, owner)


CASES = (
    Case("ISO000", b"", ("this is an empty file, not an ISO 9660 image",)),
    Case("ISO000", uki(), ("this is a UKI for x86-64, not an ISO 9660 image",)),
    Case(
        "ISO001",
        GOOD[:-40000],
        (f"the ISO is cut off: it should have {len(GOOD)} bytes, it has {len(GOOD) - 40000}",),
    ),
    Case(
        "ISO002",
        patch(GOOD, PVD + 156, bytes(10)),
        ("ISO 9660: the file system cannot be read: Invalid padding on ISO",),
    ),
    Case("ISO003", iso(rock_ridge=False), ("the ISO has no Rock Ridge",)),
    Case("ISO004", iso(joliet=False), ("the ISO has no Joliet",)),
    Case(
        "ISO005",
        patch(GOOD, BOOT_RECORD + 7, b"X"),
        ("El Torito: sector 17 is no boot record: it is of type 0 for b'XL TORITO SPECIFICATION'",),
    ),
    Case(
        "ISO005",
        patch(GOOD, CATALOG + 4, b"zz"),
        ("El Torito: the boot catalog's words add up to 0x7a7a, not to 0",),
    ),
    Case(
        "ISO006",
        iso(platform=0),
        ("El Torito's boot catalog has no entry for UEFI (platform 0xef); it has 0x00",),
    ),
    Case("ISO006", patch(GOOD, ENTRY, b"\0"), ("El Torito's EFI entry is marked as not bootable",)),
    Case("ISO006", patch(GOOD, ENTRY + 1, b"\2"), ("El Torito's EFI entry emulates media type 2",)),
    Case(
        "ISO007",
        patch(GOOD, ENTRY + 8, struct.pack("<I", 5000)),
        (f"El Torito's EFI entry points at bytes 10240000 to 10272768, but the ISO ends at {len(GOOD)}",),
    ),
    Case(
        "ISO008",
        iso(pe({".text": b"x"})),
        ("El Torito's EFI entry points at an EFI program for x86-64; firmware wants a FAT image",),
    ),
    Case(
        "ISO009",
        patch(GOOD, 446 + 4, b"\x0c"),
        ("the MBR is not a protective one: it has type 0x0c from LBA 1, not just type 0xee from LBA 1",),
    ),
    Case(
        "ISO009",
        patch(GOOD, 446, bytes(16)),
        ("the MBR is not a protective one: it has nothing, not just type 0xee from LBA 1",),
    ),
    Case("ISO009", patch(GOOD, 510, bytes(2)), ("MBR: the signature at offset 510 is 0000, not 55aa",)),
    Case(
        "ISO010",
        patch(GOOD, 512, b"X"),
        ("GPT header at LBA 1: the signature is b'XFI PART', not b'EFI PART'",),
    ),
    Case(
        "ISO011",
        patch(GOOD, LAST, b"X"),
        ("GPT header at LBA 228: the signature is b'XFI PART', not b'EFI PART'",),
    ),
    Case("ISO011", GOOD + bytes(2048), ("the backup GPT is at LBA 228, the last block is 232",)),
    Case(
        "ISO011",
        GOOD[:BACKUP] + OTHER[BACKUP:],
        ("the backup GPT says something else than the primary one",),
    ),
    Case(
        "ISO012",
        iso(finish=lambda image, first, last: with_gpt(image, first, last, kind=DATA, name="Gap0")),
        (
            "the GPT has no EFI system partition; its partitions: "
            "'Gap0' of type ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
        ),
    ),
    Case(
        "ISO013",
        iso(finish=lambda image, first, last: with_gpt(image, first + 4, last)),
        ("the EFI system partition is bytes 69632 to 100352, El Torito's EFI entry 67584 to 100352",),
    ),
    Case(
        "ISO014",
        patch(GOOD, PVD + 813, b"2024"),
        ("the ISO has 2 different times, from 2023-11-14 22:13:20 to 2024-11-14 22:13:20",),
    ),
    Case("ISO015", owned_by(1000), ("the ISO's / belongs to 1000:0, not to 0:0",)),
)

PARTS = (
    Case(
        "FAT003",
        iso(fat({"README.TXT": b"x"})),
        ("efi.img: the FAT volume has no EFI/BOOT/BOOTX64.EFI; it has README.TXT",),
    ),
    Case(
        "CMD002",
        iso(fat({"EFI/BOOT/BOOTX64.EFI": uki({".cmdline": b"rdinit=/sbin/init console=tty0"})})),
        (
            "efi.img: EFI/BOOT/BOOTX64.EFI: .cmdline: "
            "the command line names no serial console: it has console=tty0",
        ),
    ),
)


def test_a_good_iso_has_no_findings() -> None:
    assert found(check.KIND, GOOD) == []


def test_an_entry_may_reach_to_the_end_of_the_medium() -> None:
    assert found(check.KIND, patch(GOOD, ENTRY + 6, b"\x01\0")) == []


@pytest.mark.parametrize("case", CASES + PARTS, ids=name)
def test_a_bad_iso_is_told(case: Case) -> None:
    assert told(found(check.KIND, case.image)) == case.expected
