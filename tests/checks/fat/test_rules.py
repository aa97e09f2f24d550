import struct

import pytest

from pipeline.checks.catalog import KINDS, take_apart
from pipeline.checks.finding import Severity
from pipeline.formats.authenticode_attach import attached, padded
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.elf import elf
from tests.fixtures.fat import DAY, SECTOR, fat, layout, record
from tests.fixtures.iso import efi_image
from tests.fixtures.pe import pe
from tests.fixtures.signer import pkcs7
from tests.fixtures.uki import SBAT, uki

GOOD = efi_image()
FILES = {"EFI/BOOT/BOOTX64.EFI": uki()}
PLACE = layout("FAT12", 60)
# cluster 2 is EFI, 3 is BOOT, where BOOTX64.EFI is the third entry, with those from 4 on
ENTRY = PLACE.cluster(3) + 64
SIZE = len(uki())
CLUSTERS = -(-SIZE // SECTOR)
CREATED_TIME, ACCESSED = 14, 18
PATH = "EFI/BOOT/BOOTX64.EFI"
SECOND_STAGE, MOK_MANAGER = "EFI/BOOT/GRUBX64.EFI", "EFI/BOOT/MMX64.EFI"
SHIM = pe([(".text", b"\xc3"), (".ident", b"UEFI SHIM\n$Version: 15.8 $\n"), (".sbat", SBAT)])
MM = pe([(".text", b"\xc3"), (".sbat", SBAT)])
SIGNED = attached(uki(), [pkcs7(padded(uki()), "Toys")])


def linked(cluster: int, following: int) -> bytes:
    """The good one with a cluster's number in both tables replaced."""
    image = GOOD
    for table in (PLACE.table, PLACE.table + PLACE.table_size):
        offset = table + cluster * 3 // 2
        (old,) = struct.unpack_from("<H", image, offset)
        new = old & 0x000F | following << 4 if cluster % 2 else old & 0xF000 | following
        image = patch(image, offset, struct.pack("<H", new))
    return image


def second_number(number: int) -> bytes:
    """A FAT16 volume with this in place of the second number of both tables, which has the state in it."""
    place = layout("FAT16", 4085)
    image = fat(FILES, kind="FAT16", clusters=4085)
    for table in (place.table, place.table + place.table_size):
        image = patch(image, table + 2, struct.pack("<H", number))
    return image


def with_long_dot() -> bytes:
    """What one writer makes of every directory: a long name for `.`, as if it were any other."""
    start = PLACE.cluster(3)
    long_name = record("A.", 0x0F)[:32]
    return patch(GOOD, start, long_name + GOOD[start : start + 96])


def without_dates() -> bytes:
    """What a writer makes that has no clock."""
    label = PLACE.root + 32
    return GOOD[:label] + GOOD[label:].replace(struct.pack("<H", DAY), bytes(2))


CASES = (
    Case("FAT000", b"", ("FAT: boot sector: 512 bytes at offset 0x0 do not lie inside the 0 bytes given",)),
    Case(
        "FAT000",
        GOOD[:1024],
        ("the FAT volume is cut off: its boot sector says 32768 bytes, there are 1024",),
    ),
    Case(
        "FAT015",
        GOOD[: PLACE.cluster(5)],
        (f"the FAT volume is cut off: its boot sector says 32768 bytes, there are {PLACE.cluster(5)}",),
    ),
    Case(
        "FAT017",
        patch(GOOD, 510, bytes(2)),
        ("the FAT volume's boot sector ends with 0000, not with the signature 55aa",),
    ),
    Case(
        "FAT016",
        GOOD[:-512],
        (
            "the FAT volume is cut off: its boot sector says 32768 bytes, there are 32256; "
            "only free space is missing",
        ),
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
        patch(GOOD, ENTRY + 28, struct.pack("<I", SIZE + SECTOR)),
        (f"the FAT volume's {PATH} has {SIZE + SECTOR} bytes, but its chain {CLUSTERS * SECTOR}",),
    ),
    Case(
        "FAT009", linked(40, 0xFFF), ("clusters of the FAT volume that are in use, but belong to no file: 1",)
    ),
    Case("FAT004", linked(3 + CLUSTERS, 8), (f"the FAT volume's {PATH} leads in a circle, at cluster 8",)),
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
        (f"of the FAT volume's 2272256 bytes, {(4400 - 2 - CLUSTERS) * SECTOR} are free",),
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
    Case(
        "FAT009",
        patch(fat({**FILES, "B.TXT": bytes(600)}), PLACE.root + 64 + 28, struct.pack("<I", 100)),
        ("the FAT volume's B.TXT has 100 bytes, but its chain 1024",),
    ),
    Case(
        "FAT010",
        patch(GOOD, ENTRY, b"BOOTx64 "),
        ("firmware does not find the FAT volume's EFI/BOOT/BOOTx64.EFI: its short name has 'x'",),
    ),
    Case(
        "FAT010",
        fat({**FILES, "README~1.TXT": b"x"}),
        ("the FAT volume's README~1.TXT has lost its long name, and is found by this one only",),
    ),
    Case(
        "FAT010",
        patch(fat({**FILES, "A": b"x", "B": b"x"}), PLACE.root + 96, b"A"),
        ("the FAT volume has two files named A",),
    ),
    Case(
        "FAT010",
        fat({**FILES, " A": b"x"}),
        ("firmware does not find the FAT volume's  A: its short name begins with ' '",),
    ),
    Case(
        "FAT011",
        patch(GOOD, 37, b"\1"),
        ("the FAT volume is marked as dirty: it was not unmounted",),
    ),
    Case(
        "FAT011",
        patch(GOOD, 37, b"\2"),
        ("the FAT volume is marked as having had errors of its disk",),
    ),
    Case(
        "FAT011",
        second_number(0x7FFF),
        ("the FAT volume is marked as dirty: it was not unmounted",),
    ),
    Case(
        "FAT011",
        second_number(0xBFFF),
        ("the FAT volume is marked as having had errors of its disk",),
    ),
    Case(
        "FAT013",
        patch(GOOD, PLACE.cluster(2) + 32 + 26, b"\x02"),
        ("the FAT volume's EFI has '..' lead to cluster 2, not 0",),
    ),
    Case(
        "FAT013",
        patch(GOOD, PLACE.cluster(3) + 26, b"\x02"),
        ("the FAT volume's EFI/BOOT has '.' lead to cluster 2, not 3",),
    ),
    Case(
        "FAT013",
        patch(GOOD, PLACE.cluster(3) + 32, b"\xe5"),
        ("the FAT volume's EFI/BOOT begins with ['.'], not ['.', '..']",),
    ),
    Case(
        "FAT013",
        with_long_dot(),
        ("the FAT volume's EFI/BOOT has a long name for '.'",),
    ),
    Case(
        "FAT013",
        patch(GOOD, PLACE.root + 64, record(".", 0x10)),
        ("the FAT volume's root directory begins with ['.'], not []",),
    ),
    Case(
        "FAT014",
        without_dates(),
        tuple(
            f"the FAT volume's {path} was written on 1980-00-00, which is not a date"
            for path in ("EFI", "EFI/BOOT", PATH)
        ),
    ),
    Case(
        "FAT012",
        patch(GOOD, 21, b"\x42"),
        ("the FAT volume's media descriptor is 0x42, which is not valid",),
    ),
)

PARTS = (
    Case("FAT008", fat({PATH: elf()}), (f"the FAT volume's {PATH} is an ELF file, not a UKI",)),
    Case(
        "FAT008",
        fat({PATH: SHIM, MOK_MANAGER: MM}),
        (f"the FAT volume's {PATH} is shim, and there is no grubx64.efi for it to start",),
    ),
    Case(
        "FAT008",
        fat({PATH: SHIM, SECOND_STAGE: elf(), MOK_MANAGER: MM}),
        (f"the FAT volume's {SECOND_STAGE}, which shim starts, is an ELF file, not a UKI",),
    ),
    Case(
        "FAT018",
        fat({PATH: SHIM, SECOND_STAGE: SIGNED}),
        (
            "the FAT volume has shim, and no mmx64.efi beside it: a machine that does not know who signed "
            "the UKI cannot be told to trust it",
        ),
    ),
    Case(
        "FAT019",
        fat({PATH: SHIM, SECOND_STAGE: uki(), MOK_MANAGER: MM}),
        (f"the FAT volume's {SECOND_STAGE} has no signature: shim starts it with Secure Boot off only",),
    ),
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
    assert [f for f in found("fat", good) if f.severity is Severity.ERROR] == []


def test_a_small_good_image_has_no_findings() -> None:
    assert found("fat", GOOD) == []


@pytest.mark.parametrize("case", CASES + PARTS, ids=name)
def test_a_bad_image_is_told(case: Case) -> None:
    assert told(found("fat", case.image)) == case.expected


@pytest.mark.parametrize(
    ("image", "codes"),
    [
        (fat({"EFI/BOOT/BOOTX64.EFI": pe({".text": b"x"})}, label="NO NAME"), []),
        (fat({}, kind="FAT32", clusters=65525, label="BIG"), []),
        (fat({}, kind="FAT32", clusters=100), ["FAT001"]),
        (fat({}, type_label="FAT"), []),
        (patch(GOOD, PLACE.table + PLACE.table_size + 400, b"\x01"), ["FAT002"]),
        (patch(GOOD, ENTRY, b"BOOTx64 "), ["FAT010"]),
        (patch(GOOD, 37, b"\1"), ["FAT011"]),
        (linked(40, 0xFFF), ["FAT009"]),
        (with_long_dot(), ["FAT013"]),
        (without_dates(), ["FAT014"] * 3),
    ],
    ids=[
        "another label",
        "FAT32",
        "small FAT32",
        "no type",
        "tables differ",
        "small letters",
        "dirty",
        "lost",
        "long dot",
        "no dates",
    ],
)
def test_no_stranger_that_boots_is_called_broken(image: bytes, codes: list[str]) -> None:
    node = take_apart(image, "superfloppy")
    assert node.kind is KINDS["fat"]
    assert [(one.code, one.severity) for one in node.findings] == [(code, Severity.WARNING) for code in codes]


def test_tables_that_are_not_kept_equal_may_differ() -> None:
    place = layout("FAT32", 65525)
    image = patch(fat({}, kind="FAT32", clusters=65525), place.table + place.table_size + 400, b"\x01")
    assert [one.code for one in take_apart(image, "volume").findings] == ["FAT002"]
    assert take_apart(patch(image, 40, b"\x80"), "volume").findings == ()


def test_much_damage_is_counted() -> None:
    files = {f"{number}.TXT": b"x" for number in range(11)}
    image = fat(files)
    for table in (PLACE.table, PLACE.table + PLACE.table_size):
        image = patch(image, table + 3, bytes(300))
    assert [one.message for one in take_apart(image, "volume").findings] == [
        *(f"FAT: the chain from cluster {at} leads into free space, at cluster {at}" for at in range(2, 10)),
        "of the FAT volume's files, 3 more have broken chains",
    ]


def test_members_say_where_they_lie_and_are_looked_into_once() -> None:
    twice = fat({**FILES, "COPY.EFI": b"x"})
    copy = PLACE.root + 64
    (first,) = struct.unpack_from("<H", twice, PLACE.cluster(3) + 64 + 26)
    twice = patch(twice, copy + 26, struct.pack("<HI", first, SIZE))
    node = take_apart(twice, "volume")
    assert [
        (child.name, child.kind and child.kind.name, child.member.offset, dict(child.member.facts))
        for child in node.children
    ] == [
        ("EFI", None, None, {"mode": "drwxr-xr-x"}),
        ("COPY.EFI", "uki", PLACE.cluster(first), {}),
        ("EFI/BOOT", None, None, {"mode": "drwxr-xr-x"}),
    ]
    assert [one.code for one in node.findings] == ["FAT004"]
