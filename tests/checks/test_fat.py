import struct

import pytest

from pipeline.checks import fat as check
from pipeline.checks.finding import Severity
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.elf import elf
from tests.fixtures.fat import fat, layout
from tests.fixtures.iso import efi_image
from tests.fixtures.uki import uki

GOOD = efi_image()
FILES = {"EFI/BOOT/BOOTX64.EFI": uki()}
PLACE = layout("FAT12", 60)
# cluster 2 is EFI, 3 is BOOT, where BOOTX64.EFI is the third entry, with 4 to 15
ENTRY = PLACE.cluster(3) + 64
CREATED_TIME, ACCESSED = 14, 18
PATH = "EFI/BOOT/BOOTX64.EFI"


def linked(cluster: int, following: int) -> bytes:
    """The good one with a cluster's number in both tables replaced."""
    image = GOOD
    for table in (PLACE.table, PLACE.table + PLACE.table_size):
        offset = table + cluster * 3 // 2
        (old,) = struct.unpack_from("<H", image, offset)
        new = old & 0x000F | following << 4 if cluster % 2 else old & 0xF000 | following
        image = patch(image, offset, struct.pack("<H", new))
    return image


CASES = (
    Case("FAT000", b"", ("FAT: boot sector: 512 bytes at offset 0x0 do not lie inside the 0 bytes given",)),
    Case(
        "FAT000",
        GOOD[:-512],
        ("the FAT volume is cut off: its boot sector says 32768 bytes, there are 32256",),
    ),
    Case(
        "FAT001",
        fat(FILES, type_label="FAT16"),
        ("the FAT volume calls itself 'FAT16', but its 60 clusters make it FAT12",),
    ),
    Case(
        "FAT001",
        fat(FILES, kind="FAT32", clusters=100),
        ("the FAT volume is laid out as 'FAT32', but its 100 clusters make it FAT12",),
    ),
    Case(
        "FAT002",
        patch(GOOD, PLACE.table + PLACE.table_size + 400, b"\x01"),
        ("the FAT volume's two tables differ, first at their byte 400",),
    ),
    Case("FAT003", fat({}), (f"the FAT volume has no {PATH}; it has no files",)),
    Case(
        "FAT003",
        fat({"EFI/BOOT/BOOTAA64.EFI": uki(), "README.TXT": b"x"}),
        (f"the FAT volume has no {PATH}; it has README.TXT, EFI/BOOT/BOOTAA64.EFI",),
    ),
    Case("FAT003", fat({f"{PATH}/X": b"x"}), (f"the FAT volume has no {PATH}; it has {PATH}/X",)),
    Case("FAT004", linked(5, 3), (f"the FAT volume's cluster 3 belongs to EFI/BOOT and to {PATH}",)),
    Case(
        "FAT004",
        linked(5, 70),
        ("FAT: the chain from cluster 4 leads to cluster 70, which the volume does not have (2 to 61)",),
    ),
    Case("FAT004", linked(5, 0), ("FAT: the chain from cluster 4 leads into free space, at cluster 5",)),
    Case("FAT004", linked(3, 3), ("FAT: the chain from cluster 3 leads in a circle, at cluster 3",)),
    Case(
        "FAT004",
        patch(GOOD, PLACE.cluster(2) + 64 + 26, b"\x02"),
        ("FAT: EFI/BOOT: another directory starts at its cluster 2 too",),
    ),
    Case(
        "FAT004",
        patch(GOOD, ENTRY + 28, struct.pack("<I", 9000)),
        (f"the FAT volume's {PATH} has 9000 bytes, but its chain 6144",),
    ),
    Case(
        "FAT004", linked(40, 0xFFF), ("clusters of the FAT volume that are in use, but belong to no file: 1",)
    ),
    Case(
        "FAT005",
        fat(FILES, label="ESP"),
        (
            "the FAT volume's label in its boot sector is 'ESP', not 'EFI'",
            "the FAT volume's label in its root directory is 'ESP', not 'EFI'",
        ),
    ),
    Case(
        "FAT006",
        fat(FILES, kind="FAT16", clusters=4400),
        ("of the FAT volume's 2272256 bytes, 2245632 are free",),
    ),
    Case(
        "FAT007",
        patch(GOOD, ENTRY + CREATED_TIME, b"\xab"),
        ("the FAT volume's files have different times: 2023-11-14 22:13:20, 2023-11-14 22:13:22",),
    ),
    Case(
        "FAT007",
        patch(GOOD, ENTRY + ACCESSED, b"\x6f"),
        ("the FAT volume's files have different times: 2023-11-14 22:13:20, 2023-11-15",),
    ),
)

PARTS = (
    Case("FAT008", fat({PATH: elf()}), (f"the FAT volume's {PATH} is an ELF file, not a UKI",)),
    Case(
        "CMD002",
        fat({PATH: uki({".cmdline": b"rdinit=/sbin/init console=tty0"})}),
        (f"{PATH}: .cmdline: the command line names no serial console: it has console=tty0",),
    ),
)


@pytest.mark.parametrize(
    "good",
    [
        GOOD,
        fat(FILES, kind="FAT16", clusters=4085),
        fat(FILES, kind="FAT32", clusters=65525),
        linked(40, 0xFF7),
    ],
    ids=["FAT12", "FAT16", "FAT32", "bad cluster"],
)
def test_a_good_image_has_no_errors(good: bytes) -> None:
    assert [f for f in found(check.KIND, good) if f.severity is Severity.ERROR] == []


def test_a_small_good_image_has_no_findings() -> None:
    assert found(check.KIND, GOOD) == []


@pytest.mark.parametrize("case", CASES + PARTS, ids=name)
def test_a_bad_image_is_told(case: Case) -> None:
    assert told(found(check.KIND, case.image)) == case.expected
