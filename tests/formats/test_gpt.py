import struct
import zlib
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.formats.gpt import (
    EFI_SYSTEM_PARTITION,
    MbrPartition,
    find_sector_size,
    logical_partitions,
    read_mbr,
    read_table,
)
from tests.fixtures import patch
from tests.fixtures.gpt import DISK, ENTRIES, entry, header, mbr, with_gpt
from tests.fixtures.sparse import counted, sparse

GOOD = with_gpt(bytes(100 * 512), 40, 50)


def with_header(offset: int, new: bytes) -> bytes:
    """The good one with a field of the primary header replaced, and its checksum made right again."""
    head = bytearray(patch(GOOD[512:604], offset, new))
    head[16:20] = bytes(4)
    head[16:20] = struct.pack("<I", zlib.crc32(head))
    return patch(GOOD, 512, bytes(head))


@pytest.mark.parametrize("lba", [1, 132])
def test_both_headers_are_read(lba: int) -> None:
    table = read_table(GOOD, lba)
    assert (table.lba, table.alternate_lba, table.disk_guid) == (lba, 133 - lba, DISK)
    assert (table.first_usable_lba, table.last_usable_lba) == (34, 99)
    (partition,) = table.partitions
    assert (partition.number, partition.kind, partition.name) == (1, EFI_SYSTEM_PARTITION, "EFI")
    assert (partition.first_lba, partition.last_lba, partition.attributes) == (40, 50, 0)


def test_a_partition_may_have_one_block() -> None:
    (partition,) = read_table(with_gpt(bytes(100 * 512), 40, 40), 1).partitions
    assert (partition.first_lba, partition.last_lba) == (40, 40)


def test_sectors_may_have_4096_bytes() -> None:
    entries = entry(EFI_SYSTEM_PARTITION, 8, 9, "EFI").ljust(ENTRIES, b"\0")
    image = mbr().ljust(4096, b"\0") + header(1, 100, 2, entries).ljust(4096, b"\0") + entries
    assert [one.name for one in read_table(image, 1, 4096).partitions] == ["EFI"]


@pytest.mark.parametrize(
    ("image", "size"),
    [
        (GOOD, 512),
        (patch(GOOD, 512, bytes(512)), 512),
        (GOOD[:-512], 512),
        (bytes(4096) + b"EFI PART" + bytes(5000), 4096),
        (bytes(9000), None),
        (b"", None),
    ],
    ids=["both", "backup", "primary", "4096", "none", "empty"],
)
def test_the_size_of_sectors_is_found(image: bytes, size: int | None) -> None:
    assert find_sector_size(image) == size


def test_the_backup_is_read_where_the_primary_is_damaged(tmp_path: Path) -> None:
    size = 1 << 32
    lba = size // 512 - 1
    head = bytearray(GOOD[-512:])
    head[24:32], head[72:80] = struct.pack("<Q", lba), struct.pack("<Q", lba - 32)
    head[16:20] = bytes(4)
    head[16:20] = struct.pack("<I", zlib.crc32(head[:92]))
    backup = GOOD[-33 * 512 : -512] + head
    image = sparse(tmp_path / "disk", size, {0: GOOD[:512], size - 33 * 512: backup})
    with counted() as count:
        assert find_sector_size(image) == 512
        assert [one.name for one in read_table(image, lba).partitions] == ["EFI"]
        assert count() < 20_000


def test_partitions_that_a_bios_starts_are_marked() -> None:
    (partition,) = read_mbr(patch(mbr(), 446, b"\x80"))
    assert partition.bootable


def test_the_protective_mbr_is_read() -> None:
    assert read_mbr(GOOD) == (MbrPartition(1, False, 0xEE, 1, 132),)


@pytest.mark.parametrize(
    ("image", "lba", "message"),
    [
        (GOOD, 2, "GPT header at LBA 2: the signature is the bytes 28732ac11ff8d211, not 'EFI PART'"),
        (
            GOOD,
            500,
            "GPT header at LBA 500: 512 bytes at offset 0x3e800 do not lie inside the 68096 bytes given",
        ),
        (
            patch(GOOD, 512 + 60, b"X"),
            1,
            "GPT header at LBA 1: the checksum is {}, but the bytes give {}",
        ),
        (
            patch(GOOD, 1024, b"X"),
            1,
            "GPT header at LBA 1: entries: the checksum is {}, but the bytes give {}",
        ),
        (patch(GOOD, 512 + 12, b"\x10"), 1, "GPT header at LBA 1: a header of 16 bytes is not possible"),
        (patch(GOOD, 512 + 12, b"\0\3"), 1, "GPT header at LBA 1: a header of 768 bytes is not possible"),
        (with_header(24, b"\2"), 1, "GPT header at LBA 1: it says that it lies at LBA 2"),
        (with_header(84, b"\x40"), 1, "GPT header at LBA 1: 128 entries of 64 bytes are not possible"),
        (with_header(84, b"\x81"), 1, "GPT header at LBA 1: 128 entries of 129 bytes are not possible"),
        (with_header(84, b"\x08\x10"), 1, "GPT header at LBA 1: 128 entries of 4104 bytes are not possible"),
        (with_header(80, b"\1\4"), 1, "GPT header at LBA 1: 1025 entries of 128 bytes are not possible"),
        (
            with_header(72, b"\0\4"),
            1,
            "GPT header at LBA 1: entries: 16384 bytes at offset 0x80000 do not lie inside "
            "the 68096 bytes given",
        ),
    ],
)
def test_damage_is_told(image: bytes, lba: int, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_table(image, lba)
    if "{}" in message:
        table = "entries" in message
        stored = struct.unpack_from("<I", GOOD, 512 + (88 if table else 16))[0]
        head = image[512:528] + bytes(4) + image[532:604]
        found = zlib.crc32(image[1024 : 1024 + ENTRIES] if table else head)
        message = message.format(f"{stored:#010x}", f"{found:#010x}")
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (bytes(512), "MBR: the signature at offset 510 is 0000, not 55aa"),
        (b"", "MBR: 512 bytes at offset 0x0 do not lie inside the 0 bytes given"),
    ],
)
def test_no_mbr_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_mbr(image)
    assert caught.value.message == message


def link(kind: int, first: int, size: int, following: int = 0, more: int = 5) -> bytes:
    """A block of an extended partition: its logical partition, and where the next link is."""
    records = struct.pack("<B3sB3sII", 0, b"", kind, b"", first, size)
    records += struct.pack("<B3sB3sII", 0, b"", more if following else 0, b"", following, 1)
    return (bytes(446) + records).ljust(510, b"\0") + b"\x55\xaa"


EXTENDED = MbrPartition(1, bootable=False, kind=5, first_lba=10, size=40)


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ({0: link(0xEF, 1, 5)}, [(5, 11, 5)]),
        ({0: link(0x83, 1, 5, 8), 8: link(0xEF, 2, 5)}, [(5, 11, 5), (6, 20, 5)]),
        ({0: link(0x83, 1, 5, 8, 0x83), 8: link(0xEF, 2, 5)}, [(5, 11, 5)]),
        ({0: link(0x83, 1, 5, 8), 8: link(0x83, 2, 5, 8)}, [(5, 11, 5), (6, 20, 5)]),
        ({0: link(0xEF, 1, 40)}, []),
        ({0: link(0xEF, 1, 0)}, []),
        ({0: link(0xEF, 1, 5, 39)}, [(5, 11, 5)]),
        ({}, []),
    ],
    ids=["one", "two", "other type", "circle", "too long", "empty", "behind the end", "none"],
)
def test_logical_partitions_are_a_chain(links: dict[int, bytes], found: list[tuple[int, int, int]]) -> None:
    image = bytes(49 * 512)
    for at, block in links.items():
        image = patch(image, (10 + at) * 512, block)
    assert [(one.number, one.first_lba, one.size) for one in logical_partitions(image, EXTENDED)] == found
