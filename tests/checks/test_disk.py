import struct
import zlib
from pathlib import Path
from uuid import UUID

import pytest

from pipeline.checks.catalog import KINDS, take_apart
from pipeline.checks.finding import Severity
from pipeline.formats.discoverable import ROOT, ROOT_VERITY, SWAP, USR, VAR
from tests.fixtures import erofs, ext4, patch, squashfs
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.disk import ENTRIES, FIRST, Part, disk, mbr_disk
from tests.fixtures.fat import fat, layout
from tests.fixtures.gpt import DATA, ESP, SECTOR, entry, header, mbr
from tests.fixtures.iso import efi_image, iso
from tests.fixtures.sparse import counted, sparse
from tests.fixtures.verity import DATA as DATA_OF_TREE
from tests.fixtures.verity import superblock, verity

FAT = efi_image()
GOOD = disk()
BLOCKS = len(GOOD) // SECTOR
LAST = BLOCKS - 1
END = FIRST + len(FAT) // SECTOR  # the block after the partition
OTHER = disk([Part(FAT, name="another")])
HEADER = bytearray(patch(GOOD, 512 + 56, b"X")[512 : 512 + 92])  # damaged, and its checksum left out
HEADER[16:20] = bytes(4)
CODE = b"\xfa" * 440

EXT4, EROFS, SQUASHFS = ext4.ext4({}), erofs.erofs({}), squashfs.squashfs({})
EXT4_LABEL = 1024 + 0x78  # where it is, in bytes

TREE, ROOT_HASH = verity()
FIRST_HALF, LAST_HALF = UUID(bytes=ROOT_HASH[:16]), UUID(bytes=ROOT_HASH[-16:])
OTHER_GUID = UUID(int=9)


def other_label(image: bytes) -> bytes:
    return ext4.settled(patch(image, EXT4_LABEL, b"data"))


def verified(
    data: bytes = DATA_OF_TREE, tree: bytes = TREE, first: UUID = FIRST_HALF, last: UUID = LAST_HALF
) -> bytes:
    """A disk whose second partition is verified by the tree in its third."""
    return disk(
        [Part(FAT), Part(data, ROOT, "root", guid=first), Part(tree, ROOT_VERITY, "root-verity", guid=last)]
    )


CASES = (
    Case("DISK000", b"", ("MBR: 512 bytes at offset 0x0 do not lie inside the 0 bytes given",)),
    Case("DISK000", bytes(2048), ("MBR: the signature at offset 510 is 0000, not 55aa",)),
    Case(
        "DISK001",
        disk(spare=0)[: 80 * SECTOR],
        (f"the disk image is cut off: it should have {len(disk(spare=0))} bytes, it has {80 * SECTOR}",),
    ),
    Case(
        "DISK002",
        patch(GOOD, 446 + 4, b"\x0c"),
        ("nobody looks at the GPT: the MBR has type 0x0c from LBA 1, no type 0xee from LBA 1",),
    ),
    Case(
        "DISK002",
        patch(GOOD, 510, bytes(2)),
        (
            "nobody looks at the GPT: MBR: the signature at offset 510 is 0000, not 55aa, "
            "no type 0xee from LBA 1",
        ),
    ),
    Case(
        "DISK003",
        patch(patch(GOOD, 512, b"X"), LAST * SECTOR, b"X"),
        (
            "neither GPT can be read; GPT header at LBA 1: the signature is 'XFI PART', not 'EFI PART'; "
            f"GPT header at LBA {LAST}: the signature is 'XFI PART', not 'EFI PART'",
        ),
    ),
    Case(
        "DISK004",
        patch(GOOD, 512 + 56, b"X"),
        (
            f"GPT header at LBA 1: the checksum is {struct.unpack_from('<I', GOOD, 512 + 16)[0]:#010x}, "
            f"but the bytes give {zlib.crc32(bytes(HEADER)):#010x}",
        ),
    ),
    Case(
        "DISK004",
        patch(GOOD, 512, b"X"),
        ("GPT header at LBA 1: the signature is 'XFI PART', not 'EFI PART'",),
    ),
    Case(
        "DISK005",
        patch(GOOD, LAST * SECTOR, b"X"),
        (f"GPT header at LBA {LAST}: the signature is 'XFI PART', not 'EFI PART'",),
    ),
    Case(
        "DISK005",
        GOOD[: (LAST - 32) * SECTOR] + OTHER[(LAST - 32) * SECTOR :],
        ("the backup GPT says something else than the primary one",),
    ),
    Case(
        "DISK005",
        GOOD[:-SECTOR],
        (f"the backup GPT should be at LBA {LAST}, but the last block is {LAST - 1}",),
    ),
    Case(
        "DISK006",
        GOOD + bytes(SECTOR),
        (f"the backup GPT is at LBA {LAST}, the last block is {BLOCKS}",),
    ),
    Case(
        "DISK007",
        disk([Part(FAT, more=500)]),
        (f"GPT partition 1 is LBA {FIRST} to {END + 499}, but the last block of the image is {LAST}",),
    ),
    Case(
        "DISK008",
        disk([Part(FAT, more=20)]),
        (f"GPT partition 1 is LBA {FIRST} to {END + 19}, usable are LBA 34 to {LAST - 33}",),
    ),
    Case(
        "DISK009",
        disk([Part(FAT, more=4), Part(b"x" * 4096, DATA)]),
        (f"GPT partitions 1 and 2 overlap: LBA {FIRST} to {END + 3}, and {END} to {END + 7}",),
    ),
    Case(
        "DISK010",
        mbr_disk((0x80, 0x0C, 63, 100), contents=FAT),
        ("MBR partition 1 is LBA 63 to 162, but the last block of the image is 126",),
    ),
    Case(
        "DISK010",
        mbr_disk((0, 0x0C, 63, 64), (0, 0x83, 100, 10), contents=FAT),
        ("MBR partitions 1 and 2 overlap, from LBA 100 on",),
    ),
    Case(
        "DISK010",
        mbr_disk((0x80, 0x0C, 63, 64), (0x80, 0x83, 20, 4), contents=FAT),
        ("MBR partitions 1 and 2 are marked as active; a BIOS takes one, or none",),
    ),
    Case(
        "DISK011",
        disk([Part(b"\x7fELF" + bytes(4092))]),
        ("GPT partition 1 is an EFI system partition, but has an ELF file; firmware wants FAT",),
    ),
    Case(
        "DISK012",
        disk([Part(FAT, DATA)]),
        (f"GPT partition 1 has EFI/BOOT/BOOTX64.EFI, but it is of type {DATA}, no EFI system partition",),
    ),
    Case(
        "DISK013",
        patch(GOOD, 446, b"\x80"),
        ("the MBR's protective partition 1 is marked as active, where 0x00 is prescribed",),
    ),
    Case(
        "DISK015",
        disk([Part(FAT, more=-8)]),
        ("GPT partition 1 has 56 sectors, the FAT file system in it 64",),
    ),
    Case(
        "DISK017",
        disk([Part(FAT), Part(EXT4, ROOT_VERITY, "tree")]),
        (
            "GPT partition 2 is for a tree of dm-verity by its type, "
            "but has an ext2, ext3 or ext4 file system",
        ),
    ),
    Case(
        "DISK017",
        disk([Part(FAT), Part(TREE, ROOT, "data"), Part(SQUASHFS, VAR, "var"), Part(EROFS, SWAP, "swap")]),
        (
            "GPT partition 2 is for / or /usr by its type, but has a tree of dm-verity",
            "GPT partition 3 is for /var by its type, but has a squashfs file system",
            "GPT partition 4 is swap space by its type, but has an EROFS file system",
        ),
    ),
    Case(
        "DISK018",
        disk([Part(FAT), Part(EXT4, ROOT, "x"), Part(other_label(EXT4), VAR, "x")]),
        ("GPT partitions 2, 3 have the same label, 'x'",),
    ),
    Case(
        "DISK018",
        disk(
            [
                Part(FAT),
                *(Part(bytes(4096), kind, "_empty") for kind in (ROOT, USR)),
                *(Part(data, VAR, "x") for data in (EXT4, other_label(EXT4))),
            ]
        ),
        ("GPT partitions 4, 5 have the same label, 'x'",),
    ),
    Case(
        "DISK018",
        disk([Part(FAT), Part(EXT4, ROOT, "x"), Part(EROFS, USR, "y")]),
        ("the file systems in GPT partitions 2, 3 have the same label, 'root'",),
    ),
    Case(
        "DISK019",
        disk([Part(FAT, guid=FIRST_HALF), Part(EXT4, VAR, "x", guid=FIRST_HALF)]),
        (f"GPT partitions 1, 2 have the same GUID, {FIRST_HALF}",),
    ),
    Case(
        "DISK020",
        disk([Part(FAT), Part(superblock(0), ROOT_VERITY, "x"), Part(TREE[: 2 * 4096], ROOT_VERITY, "y")]),
        (
            "GPT partition 2: dm-verity: the superblock's number of data blocks cannot be 0",
            "GPT partition 3 is too small for its tree of dm-verity: it has 8192 bytes, "
            f"the tree {len(TREE)}",
        ),
    ),
    Case(
        "DISK021",
        verified(last=OTHER_GUID),
        (
            f"GPT partition 3 has the GUID {OTHER_GUID}, but the root hash of its tree, {ROOT_HASH.hex()}, "
            f"asks for {LAST_HALF}",
        ),
    ),
    Case(
        "DISK021",
        verified(first=OTHER_GUID),
        (
            "GPT partition 3 has the tree of data that is not there: by the root hash "
            f"{ROOT_HASH.hex()} it should have the GUID {FIRST_HALF}",
        ),
    ),
    Case(
        "DISK022",
        verified(data=patch(DATA_OF_TREE, 7 * 4096, b"X")),
        ("GPT partitions 2 and 3 do not fit: block 7 of the data has another hash than the tree says",),
    ),
    Case(
        "DISK022",
        verified(data=DATA_OF_TREE[: 100 * 4096]),
        (
            f"GPT partitions 2 and 3 do not fit: the tree is for {len(DATA_OF_TREE)} bytes of data, "
            "there are 409600",
        ),
    ),
    Case(
        "DISK022",
        verified(tree=patch(TREE, 2 * 4096 + 9 * 32, b"X")),
        (
            "GPT partition 3: block 2 of the tree has another hash than the level above says",
            "GPT partitions 2 and 3 do not fit: block 9 of the data has another hash than the tree says",
        ),
    ),
    Case(
        "DISK016",
        disk(sector=4096),
        (
            "GPT partition 1 is FAT with sectors of 512 bytes on a disk with blocks of 4096: "
            'Linux does not mount it ("logical sector size too small")',
        ),
    ),
)
TOGETHER = (
    Case(
        "DISK014",
        GOOD + bytes(ENTRIES) + header(LAST + 33, 1, LAST + 1, bytes(ENTRIES), UUID(int=7)),
        (f"the last block has the backup of another GPT, of the disk {UUID(int=7)}",),
    ),
)

STRANGERS = {
    "MBR only": (mbr_disk((0x80, 0x0C, 63, 64), contents=FAT, code=CODE), []),
    "EFI partition in an MBR": (mbr_disk((0, 0xEF, 63, 64), contents=FAT), []),
    "partition larger than the image": (mbr_disk((0x80, 0xEB, 63, 9999), contents=FAT), ["DISK010"]),
    "blocks of 4096 bytes": (disk(sector=4096), ["DISK016"]),
    "no EFI system partition": (disk([Part(b"data", DATA)]), []),
    "padded": (GOOD + bytes(8 * SECTOR), []),
    "hybrid MBR": (patch(GOOD, 462, struct.pack("<B3sB3sII", 0x80, b"", 0x0C, b"", FIRST, 64)), []),
    "no protective MBR": (patch(GOOD, 446 + 4, b"\x0c"), ["DISK002"]),
    "damaged primary GPT": (patch(GOOD, 512, b"X"), ["DISK004"]),
    "damaged primary GPT, blocks of 4096 bytes": (
        patch(disk(sector=4096), 4096, b"X"),
        ["DISK004", "DISK016"],
    ),
    "damaged backup GPT": (patch(GOOD, LAST * SECTOR, b"X"), ["DISK005"]),
    "cut behind its partitions": (GOOD[: -33 * SECTOR], ["DISK005"]),
    "overlap that nobody looks at": (
        patch(disk([Part(FAT, more=4), Part(b"x" * 4096, DATA)]), 446 + 4, b"\x83"),
        ["DISK002"],
    ),
    "another type": (disk([Part(FAT, DATA)]), ["DISK012"]),
    "a tree and the slot of another": (
        disk([Part(FAT), Part(bytes(4096), ROOT_VERITY, "next"), Part(EXT4, ROOT, "root")]),
        [],
    ),
    "data and its tree": (verified(), []),
}


def test_a_good_disk_has_no_findings() -> None:
    assert found("disk", GOOD) == []


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_disk_is_told(case: Case) -> None:
    assert told(found("disk", case.image)) == case.expected


@pytest.mark.parametrize("stranger", STRANGERS)
def test_no_stranger_that_boots_is_called_broken(stranger: str) -> None:
    image, codes = STRANGERS[stranger]
    node = take_apart(image, "disk")
    assert node.kind is KINDS["disk"]
    assert [(one.code, one.severity) for one in node.findings] == [(code, Severity.WARNING) for code in codes]
    assert not any(one.code.startswith("FAT") for one in node.all_findings())


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
        for child in take_apart(image, "disk").children
    ]


@pytest.mark.parametrize("sector", [512, 4096])
def test_partitions_are_members(sector: int) -> None:
    image = disk([Part(FAT), Part(bytes(4096), DATA, "data")], sector=sector)
    first = {"table": "GPT", "partition": 1, "type": str(ESP), "label": "EFI"}
    second = {"table": "GPT", "partition": 2, "type": str(DATA), "label": "data"}
    offset = FIRST * sector
    assert seen(image) == [
        ("GPT partition 1", "fat", offset, len(FAT), first),
        ("GPT partition 2", None, offset + len(FAT), 4096, second),
    ]


def test_a_partition_of_both_tables_is_one_member() -> None:
    hybrid = patch(GOOD, 462, struct.pack("<B3sB3sII", 0x80, b"", 0x0C, b"", FIRST, 64))
    both = {"table": "GPT", "partition": 1, "type": str(ESP), "label": "EFI", "active": 1}
    assert seen(hybrid) == [("GPT partition 1", "fat", FIRST * SECTOR, len(FAT), both)]


def test_the_backup_is_taken_where_the_primary_gpt_is_damaged() -> None:
    assert [name for name, *_ in seen(patch(GOOD, 512, b"X"))] == ["GPT partition 1"]


def test_a_cd_on_a_partition_is_taken_apart_and_a_boot_sector_is_not() -> None:
    boot_sector = mbr_disk((0, 0x83, 1, 1), contents=bytes(8))
    image = disk([Part(iso(), DATA), Part(boot_sector, DATA)])
    assert [(name, kind) for name, kind, *_ in seen(image)] == [
        ("GPT partition 1", "iso"),
        ("GPT partition 2", None),
    ]


def test_partitions_that_share_blocks_are_taken_apart_once() -> None:
    outer = fat({"INNER.IMG": FAT}, clusters=100)
    inner = FIRST + layout("FAT12", 100).cluster(2) // SECTOR
    image = patch(disk([Part(outer)]), 462, struct.pack("<B3sB3sII", 0, b"", 0x0C, b"", inner, 64))
    assert [(name, kind) for name, kind, *_ in seen(image)] == [
        ("GPT partition 1", "fat"),
        ("MBR partition 2", None),
    ]


def test_a_large_disk_is_not_read_whole(tmp_path: Path) -> None:
    size = 1 << 32
    entries = entry(ESP, 2048, size // SECTOR - 100, "EFI").ljust(ENTRIES, b"\0")
    last = size // SECTOR - 1
    front = mbr(size=last) + header(1, last, 2, entries) + entries
    back = entries + header(last, 1, last - 32, entries)
    image = sparse(tmp_path / "disk", size, {0: front, 2048 * SECTOR: FAT, size - len(back): back})
    with counted() as read:
        node = take_apart(image, "disk")
    assert [(child.name, child.kind and child.kind.name) for child in node.children] == [
        ("GPT partition 1", "fat")
    ]
    assert node.findings == ()
    assert read() < 1_000_000
