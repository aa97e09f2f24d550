import struct
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from pipeline.checks.catalog import KINDS, take_apart
from pipeline.checks.finding import Severity
from pipeline.checks.iso.files import pycdlib_reads_the_same
from pipeline.checks.medium.iso import read_iso
from pipeline.formats.iso9660 import Iso9660
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.disk import mbr_disk
from tests.fixtures.fat import fat
from tests.fixtures.gpt import DATA, ENTRIES, ESP, entry, header, mbr, with_gpt
from tests.fixtures.iso import efi_image, iso
from tests.fixtures.pe import pe
from tests.fixtures.sparse import sparse
from tests.fixtures.udf import udf, with_two_partitions
from tests.fixtures.uki import uki

GOOD = iso()
SECTOR = 2048
PVD, BOOT_RECORD = 16 * SECTOR, 17 * SECTOR
CATALOG = struct.unpack_from("<I", GOOD, BOOT_RECORD + 71)[0] * SECTOR
ENTRY = CATALOG + 32
LAST = len(GOOD) - 512
BACKUP = LAST - 32 * 512
FIRST = struct.unpack_from("<I", GOOD, ENTRY + 8)[0] * SECTOR
EFI = range(FIRST, FIRST + len(efi_image()))  # where the boot image lies
PATH_TABLE = struct.unpack_from("<I", GOOD, PVD + 140)[0] * SECTOR
VOLUME = struct.unpack_from("<I", GOOD, PVD + 80)[0]
CATALOG_RECORD, RECORD = GOOD.index(b"BOOT.CAT;1") - 33, GOOD.index(b"EFI.IMG;1") - 33
OTHER = iso(finish=lambda image, first, last: with_gpt(image, first, last, name="another"))


def owned_by(user: int) -> bytes:
    """The good one with the owner in its first Rock Ridge PX entry replaced."""
    return patch(GOOD, GOOD.index(b"PX\x24\x01") + 20, both(user))


def both(number: int) -> bytes:
    """A number in both byte orders."""
    return struct.pack("<I", number) + struct.pack(">I", number)


def with_partitions(*others: bytes) -> bytes:
    """The good one with more entries in its GPT."""
    return iso(finish=lambda image, first, last: with_gpt(image, first, last, others=others))


def with_stray_backup(image: bytes) -> bytes:
    """A disk with the entries and the header of another one's backup behind its end."""
    end = len(image) // 512 + 32
    return image + bytes(ENTRIES) + header(end, 1, end - 32, bytes(ENTRIES), UUID(int=7))


STRAY = with_stray_backup(GOOD)
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
        ("ISO 9660: there is no root directory at offset 0x0",),
    ),
    Case("ISO003", iso(rock_ridge=False), ("the ISO has no Rock Ridge",)),
    Case("ISO004", iso(joliet=False), ("the ISO has no Joliet",)),
    Case(
        "ISO016",
        patch(GOOD, BOOT_RECORD + 7, b"X"),
        ("El Torito: sector 17 is no boot record: it is of type 0 for 'XL TORITO SPECIFICATION'",),
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
    Case("ISO017", patch(GOOD, ENTRY, b"\0"), ("El Torito's EFI entry is marked as not bootable",)),
    Case("ISO017", patch(GOOD, ENTRY + 1, b"\2"), ("El Torito's EFI entry emulates media type 2",)),
    Case(
        "ISO007",
        patch(GOOD, ENTRY + 8, struct.pack("<I", 5000)),
        (
            f"El Torito's EFI entry points at bytes 10240000 to {10240000 + len(EFI)}, "
            f"but the ISO ends at {len(GOOD)}",
        ),
    ),
    Case(
        "ISO008",
        iso(pe({".text": b"x"})),
        ("El Torito's EFI entry points at an EFI program for x86-64; firmware wants a FAT image",),
    ),
    Case(
        "ISO028",
        patch(GOOD, 446 + 4, b"\x0c"),
        ("nobody looks at the GPT: the MBR has type 0x0c from LBA 1, no type 0xee from LBA 1",),
    ),
    Case(
        "ISO028",
        patch(GOOD, 446, bytes(16)),
        ("nobody looks at the GPT: the MBR has nothing, no type 0xee from LBA 1",),
    ),
    Case(
        "ISO009",
        patch(GOOD, 462, mbr(0x83, 1, 1)[446:462]),
        (
            "the MBR is not a protective one: it has type 0xee from LBA 1, type 0x83 from LBA 1, "
            "not just type 0xee from LBA 1",
        ),
    ),
    Case(
        "ISO009",
        patch(GOOD, 446 + 12, struct.pack("<I", 7)),
        (f"the MBR's protective partition has 7 blocks, the disk {LAST // 512 + 1}",),
    ),
    Case(
        "ISO028",
        patch(GOOD, 510, bytes(2)),
        (
            "nobody looks at the GPT: MBR: the signature at offset 510 is 0000, not 55aa, "
            "no type 0xee from LBA 1",
        ),
    ),
    Case(
        "ISO029",
        patch(GOOD, 446, b"\x80"),
        ("the MBR's protective partition 1 is marked as active, where 0x00 is prescribed",),
    ),
    Case(
        "ISO032",
        patch(GOOD, CATALOG_RECORD + 2, both(EFI.start // SECTOR + 2)),
        ("the ISO's /boot.cat lies in the blocks of the FAT image that El Torito's entry 1 points at",),
    ),
    Case(
        "ISO010",
        patch(GOOD, 512, b"X"),
        ("GPT header at LBA 1: the signature is 'XFI PART', not 'EFI PART'",),
    ),
    Case(
        "ISO011",
        patch(GOOD, LAST, b"X"),
        (f"GPT header at LBA {LAST // 512}: the signature is 'XFI PART', not 'EFI PART'",),
    ),
    Case(
        "ISO020",
        GOOD + bytes(2048),
        (f"the backup GPT is at LBA {LAST // 512}, the last block is {LAST // 512 + 4}",),
    ),
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
        (
            f"the EFI system partition is bytes {EFI.start + 2048} to {EFI.stop}, "
            f"El Torito's EFI entry {EFI.start} to {EFI.stop}",
        ),
    ),
    Case(
        "ISO014",
        patch(GOOD, PVD + 813, b"2024"),
        ("the ISO has 2 different times, from 2023-11-14 22:13:20 to 2024-11-14 22:13:20",),
    ),
    Case(
        "ISO018",
        patch(GOOD, ENTRY + 6, struct.pack("<H", 32)),
        ("El Torito's EFI entry covers 32 of the 64 sectors which its FAT has",),
    ),
    Case(
        "ISO018",
        patch(patch(GOOD, ENTRY + 6, b"\1\0"), PVD + 80, both(EFI.start // SECTOR)),
        (
            "El Torito's EFI entry has load size 1, and its image lies behind the end of the ISO volume "
            f"({EFI.start // SECTOR} blocks), up to which EDK II reads",
        ),
    ),
    Case(
        "ISO018",
        patch(GOOD, ENTRY + 6, struct.pack("<H", 60000)),
        (f"El Torito's EFI entry reaches to byte {EFI.start + 30720000}, but the ISO ends at {len(GOOD)}",),
    ),
    Case(
        "ISO019",
        patch(patch(GOOD, 512, bytes(512)), LAST, bytes(512)),
        ("GPT header at LBA 1: the signature is nothing but zeros, not 'EFI PART'",),
    ),
    Case(
        "ISO021",
        with_partitions(entry(DATA, EFI.stop // 512, 5000, "far")),
        (
            f"GPT partition 2 is LBA {EFI.stop // 512} to 5000, "
            f"but the last block of the image is {LAST // 512}",
        ),
    ),
    Case(
        "ISO022",
        with_partitions(entry(DATA, 10, 20, "early")),
        (f"GPT partition 2 is LBA 10 to 20, usable are LBA 34 to {LAST // 512 - 33}",),
    ),
    Case(
        "ISO023",
        with_partitions(entry(DATA, 100, 140, "over")),
        (f"GPT partitions 2 and 1 overlap: LBA 100 to 140, and {EFI.start // 512} to {EFI.stop // 512 - 1}",),
    ),
    Case(
        "ISO024",
        patch(GOOD, RECORD + 2, both(5000)),
        (f"the ISO's /efi.img reaches to byte {5000 * SECTOR + len(EFI)}, but the ISO ends at {len(GOOD)}",),
    ),
    Case(
        "ISO025",
        patch(patch(GOOD, CATALOG_RECORD + 10, both(2047)), CATALOG_RECORD + 25, b"\x80"),
        ("the ISO's /efi.img is in 2 extents, of which one has 2047 bytes, which is not in blocks of 2048",),
    ),
    Case(
        "ISO026",
        patch(GOOD, PVD + 84, bytes(4)),
        (f"ISO 9660: the volume's size is {VOLUME} in one byte order, 0 in the other",),
    ),
    Case(
        "ISO027",
        patch(GOOD, PATH_TABLE + 2, struct.pack("<I", 99)),
        ("pycdlib cannot read the ISO: Little-endian and big-endian path table records do not agree",),
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

TOGETHER = (
    Case(
        "ISO033",
        with_two_partitions(udf({"a": b"x"})),
        ("UDF: logical volume: 2 partitions, the first of type 1, in blocks of 2048 bytes are not read",),
    ),
    Case("ISO030", STRAY, (f"the last block has the backup of another GPT, of the disk {UUID(int=7)}",)),
    Case(
        "ISO031",
        iso(finish=lambda image, first, last: with_gpt(image, first, last - 8)),
        ("GPT partition 1 has 56 sectors, the FAT file system in it 64",),
    ),
)


def test_a_good_iso_has_no_findings() -> None:
    assert found("iso", GOOD) == []


def test_an_entry_may_reach_to_the_end_of_the_medium() -> None:
    assert found("iso", patch(GOOD, ENTRY + 6, b"\x01\0")) == []


def test_two_readers_must_see_one_tree() -> None:
    good = read_iso(GOOD)
    assert isinstance(good.files, Iso9660)
    blind = replace(good, files=replace(good.files, members=good.files.members[:-1]))
    assert list(pycdlib_reads_the_same(blind)) == [
        f"the ISO's /efi.img with {len(EFI)} bytes is seen by pycdlib, not by both"
    ]


def test_four_gigabytes_that_belong_to_no_file_are_told(tmp_path: Path) -> None:
    """A file of 4 GiB and 5,000 bytes, of which one extent can say only 5,000."""
    small = iso(bytes(5000), boots=False, finish=lambda image, _first, _last: image)
    record = small.index(b"EFI.IMG;1") - 33
    start = struct.unpack_from("<I", small, record + 2)[0] * SECTOR
    size = (start + (1 << 32) + 5000 + SECTOR - 1) // SECTOR * SECTOR
    image = sparse(tmp_path / "iso", size, {0: patch(small, PVD + 80, both(size // SECTOR))})
    node = take_apart(image, "iso")
    assert [(one.code, one.severity, one.message) for one in node.findings] == [
        (
            "ISO025",
            Severity.WARNING,
            f"the ISO's /efi.img has 5000 bytes, and {size - start - 5000} after it belong to no file: "
            "it may have more, but one extent cannot say so",
        )
    ]


@pytest.mark.parametrize("case", CASES + PARTS, ids=name)
def test_a_bad_iso_is_told(case: Case) -> None:
    assert told(found("iso", case.image)) == case.expected


def as_it_is(image: bytes, _first: int, _last: int) -> bytes:
    """No partitions."""
    return image


def isohybrid(image: bytes, first: int, last: int) -> bytes:
    """Boot code and an MBR of the whole and of the boot image, as isolinux and others make it."""
    parts = (0x80, 0x17, 0, len(image) // 512), (0, 0xEF, first, last - first + 1)
    return mbr_disk(*parts, code=b"\xfa" * 400)[:512] + image[512:]


def isohybrid_with_gpt(image: bytes, first: int, last: int) -> bytes:
    """The same with a GPT that nobody looks at: its partitions overlap, its backup is not at the end."""
    table = with_gpt(image, first, last, others=(entry(DATA, 0, last + 8, "ISOHybrid"),))
    return isohybrid(image, first, last)[:512] + table[512:] + bytes(4096)


FLOPPY = fat({"IPXE.LKRN": b"x"}, clusters=2860, label="IPXE")
STRANGERS = {
    "data only": (iso(b"hello", boots=False, rock_ridge=False, finish=as_it_is), []),
    "no Joliet": (iso(joliet=False, finish=as_it_is), []),
    "BIOS only": (iso(b"\xfa" * 2048, platform=0, finish=as_it_is), []),
    "floppy": (iso(FLOPPY, platform=0, media="floppy", finish=as_it_is), []),
    "isohybrid": (iso(finish=isohybrid), []),
    "isohybrid with GPT": (iso(finish=isohybrid_with_gpt), ["ISO028"]),
    "padded": (GOOD + bytes(150 * SECTOR), []),
    "damaged GPT": (patch(GOOD, 520, b"X"), ["ISO010"]),
    "damaged backup": (patch(GOOD, LAST, b"X"), ["ISO011"]),
    "no backup": (GOOD[: LAST - 32 * 512], ["ISO011"]),
    "overlap": (with_partitions(entry(DATA, 100, 140, "over")), ["ISO023"]),
    "short load size": (patch(GOOD, ENTRY + 6, struct.pack("<H", 32)), ["ISO018"]),
    "EFI entry off": (patch(GOOD, ENTRY, b"\0"), ["ISO017"]),
    "byte orders differ": (patch(GOOD, PVD + 84, bytes(4)), ["ISO026"]),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_no_stranger_that_boots_is_called_broken(stranger: str) -> None:
    image, codes = STRANGERS[stranger]
    node = take_apart(image, "iso")
    assert node.kind is KINDS["iso"]
    found = [(one.code, one.severity) for one in node.findings]
    assert found == [(code, Severity.WARNING) for code in codes]
    assert [one for one in node.all_findings() if one.code.startswith(("FAT", "DISK"))] == []


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (GOOD[:-40000], "ISO001"),
        (patch(GOOD, CATALOG + 4, b"zz"), "ISO005"),
        (patch(GOOD, ENTRY + 8, struct.pack("<I", 5000)), "ISO007"),
        (iso(pe({".text": b"x"})), "ISO008"),
        (patch(GOOD, RECORD + 2, both(5000)), "ISO024"),
    ],
)
def test_a_stranger_that_does_not_boot_is_broken(image: bytes, code: str) -> None:
    node = take_apart(image, "iso")
    assert [(one.code, one.severity) for one in node.findings] == [(code, Severity.ERROR)]


def seen(image: bytes) -> list[tuple[str, str | None, int | None, int, dict[str, str | int]]]:
    """Return name, kind, offset, size and facts of each member."""
    return [
        (
            child.name,
            child.kind.name if child.kind else None,
            child.member.offset,
            len(child.member.image),
            dict(child.member.facts),
        )
        for child in take_apart(image, "iso").children
    ]


def test_what_is_a_boot_image_a_partition_and_a_file_is_one_member() -> None:
    torito = {"el_torito": 1, "platform": 0xEF, "bootable": 1, "emulation": 0}
    part = {"table": "GPT", "partition": 1, "type": str(ESP), "label": "EFI"}
    catalog = ("boot.cat", None, CATALOG, SECTOR, {"mode": "-r--r--r--"})
    assert seen(GOOD) == [("efi.img", "fat", EFI.start, len(EFI), {**part, **torito}), catalog]


def test_a_boot_image_that_is_no_file_is_named_by_what_points_at_it() -> None:
    padded = GOOD + bytes(-len(GOOD) % SECTOR)
    image = patch(padded, ENTRY + 8, struct.pack("<I", len(padded) // SECTOR)) + fat({}, label="OTHER")
    assert [(name, kind) for name, kind, *_ in seen(image)] == [
        ("El Torito 1 (UEFI)", "fat"),
        ("efi.img", "fat"),
        ("boot.cat", None),
    ]


def test_an_iso_in_itself_is_not_taken_apart_for_ever() -> None:
    """Its only file is the whole ISO."""
    image = iso(b"x" * 2048, boots=False, finish=as_it_is)
    image = patch(image, image.index(b"EFI.IMG;1") - 31, both(0) + both(len(image)))
    node = take_apart(image, "iso")
    assert sum(1 for _ in node.walk()) < 50
