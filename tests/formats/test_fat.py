import struct
import tracemalloc
from array import array
from multiprocessing import get_context
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.formats.fat import chain, free_clusters, read_chain, read_table, read_volume, table_bytes
from tests.fixtures import patch
from tests.fixtures.fat import END, fat, layout
from tests.fixtures.sparse import counted, sparse

FILES = {"A.TXT": b"a" * 1000, "B.TXT": b"b" * 512}
GOOD = fat(FILES)
CLUSTERS = {"FAT12": 60, "FAT16": 5000, "FAT32": 65600}


@pytest.mark.parametrize("kind", CLUSTERS)
def test_each_variant_is_read(kind: str) -> None:
    clusters = CLUSTERS[kind]
    volume = read_volume(fat(FILES, kind=kind, clusters=clusters))
    table = read_table(volume)
    first = 3 if kind == "FAT32" else 2
    assert (volume.variant, volume.type_by_count, volume.type_label) == (kind, kind, kind)
    assert (volume.cluster_count, volume.serial, volume.label) == (clusters, 0x1234ABCD, "EFI")
    assert volume.data_offset == layout(kind, clusters).data
    assert len(table) == clusters + 2
    assert list(table[first : first + 3]) == [first + 1, END[kind], END[kind]]
    assert free_clusters(table) == clusters - first - 1
    assert read_chain(volume, table, first, 1000) == b"a" * 1000 + bytes(24)
    assert read_chain(volume, table, first + 2, 5000) == b"b" * 512


@pytest.mark.parametrize(
    ("kind", "clusters", "expected"),
    [
        ("FAT12", 4084, "FAT12"),
        ("FAT16", 4085, "FAT16"),
        ("FAT16", 65524, "FAT16"),
        ("FAT16", 65525, "FAT32"),
        ("FAT32", 65524, "FAT16"),
        ("FAT32", 65525, "FAT32"),
    ],
)
def test_the_type_goes_by_the_count_of_clusters(kind: str, clusters: int, expected: str) -> None:
    assert read_volume(fat({}, kind=kind, clusters=clusters)).type_by_count == expected


def reads_with_a_gap(path: Path) -> tuple[int, int]:
    """Return how many clusters of a long chain are read, and the most bytes of memory that it takes."""
    clusters = CLUSTERS["FAT32"]
    volume = read_volume(sparse(path, 40 << 20, {0: fat({}, kind="FAT32", clusters=clusters)}))
    table = array("L", [*range(1, clusters + 2), END["FAT32"]])
    table[9] = 11
    tracemalloc.start()
    read = read_chain(volume, table, 2, clusters * volume.cluster_size)
    return len(read) // volume.cluster_size, tracemalloc.get_traced_memory()[1]


def test_a_chain_takes_memory_for_its_gaps_alone(tmp_path: Path) -> None:
    with get_context("spawn").Pool(1) as alone:  # threads of the test runner take memory, too
        clusters, peak = alone.apply(reads_with_a_gap, (tmp_path / "x",))
    assert clusters == CLUSTERS["FAT32"] - 1
    assert peak < 1 << 20


def test_an_empty_volume_is_free() -> None:
    assert free_clusters(read_table(read_volume(fat({})))) == 60


def test_an_odd_count_of_clusters_is_read_to_its_end() -> None:
    volume = read_volume(fat({}, clusters=61))
    assert len(read_table(volume)) == 63


@pytest.mark.parametrize("sectors", [1, 2, 4, 8, 16, 32, 64, 128])
def test_clusters_have_a_power_of_two_of_sectors(sectors: int) -> None:
    volume = read_volume(patch(fat({}, clusters=300), 13, bytes([sectors])))
    assert (volume.cluster_size, volume.cluster_count) == (sectors * 512, 300 // sectors)


@pytest.mark.parametrize("size", [512, 1024, 2048, 4096])
def test_sectors_have_one_of_four_sizes(size: int) -> None:
    volume = read_volume(patch(GOOD, 11, struct.pack("<H", size)))
    assert (volume.sector_size, volume.size) == (size, len(GOOD) // 512 * size)


@pytest.mark.parametrize("clusters", [1, 339])
def test_as_many_clusters_as_the_table_holds_will_do(clusters: int) -> None:
    assert read_volume(fat({}, clusters=clusters)).cluster_count == clusters


@pytest.mark.parametrize("kind", CLUSTERS)
def test_the_end_of_a_chain_may_be_marked_in_eight_ways(kind: str) -> None:
    volume = read_volume(fat({}, kind=kind, clusters=CLUSTERS[kind]))
    table = list(read_table(volume))
    for mark in range(END[kind] - 7, END[kind] + 1):
        table[2] = mark
        assert list(chain(volume, table, 2)) == [2]


def test_both_tables_are_there() -> None:
    volume = read_volume(patch(GOOD, 1024 + 3, b"\x77"))
    assert bytes(table_bytes(volume))[3] != 0x77
    assert bytes(table_bytes(volume, 1))[3] == 0x77


@pytest.mark.parametrize(
    ("offset", "new", "message"),
    [
        (11, struct.pack("<H", 768), "FAT: the boot sector's bytes per sector cannot be 768"),
        (13, b"\3", "FAT: the boot sector's sectors per cluster cannot be 3"),
        (14, b"\0\0", "FAT: the boot sector's reserved sectors cannot be 0"),
        (16, b"\0", "FAT: the boot sector's number of FATs cannot be 0"),
        (17, b"\0\0", "FAT: the boot sector's root directory entries cannot be 0"),
        (22, b"\0\0", "FAT: the boot sector's root directory entries cannot be 16"),
        (19, b"\4\0", "FAT: 4 sectors leave 0 clusters, which do not fit tables of 1 sectors"),
        (19, b"\x58\1", "FAT: 344 sectors leave 340 clusters, which do not fit tables of 1 sectors"),
        (19, b"\xe8\3", "FAT: 1000 sectors leave 996 clusters, which do not fit tables of 1 sectors"),
    ],
)
def test_a_boot_sector_that_cannot_be_is_told(offset: int, new: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_volume(patch(GOOD, offset, new))
    assert caught.value.message == message


def test_what_has_no_signature_is_told_where_it_is_none() -> None:
    unsigned = patch(GOOD, 510, bytes(2))
    assert read_volume(unsigned).cluster_count == read_volume(GOOD).cluster_count
    with pytest.raises(FormatError) as caught:
        read_volume(patch(unsigned, 13, b"\3"))
    assert caught.value.message == "FAT: no boot sector: the signature at offset 510 is 0000, not 55aa"


def test_a_volume_without_tables_is_told() -> None:
    image = patch(fat({}, kind="FAT32", clusters=100), 36, bytes(4))
    with pytest.raises(FormatError) as caught:
        read_volume(image)
    assert caught.value.message == "FAT: the boot sector's sectors per FAT cannot be 0"


@pytest.mark.parametrize(
    ("following", "message"),
    [
        (1, "FAT: the chain from cluster 2 leads to cluster 1, which the volume does not have (2 to 61)"),
        (62, "FAT: the chain from cluster 2 leads to cluster 62, which the volume does not have (2 to 61)"),
        (50, "FAT: the chain from cluster 2 leads into free space, at cluster 50"),
        (2, "FAT: the chain from cluster 2 leads in a circle, at cluster 2"),
        (
            0xFF7,
            "FAT: the chain from cluster 2 leads to cluster 4087, which the volume does not have (2 to 61)",
        ),
    ],
)
def test_a_broken_chain_is_told(following: int, message: str) -> None:
    volume = read_volume(GOOD)
    table = list(read_table(volume))
    table[2] = following
    with pytest.raises(FormatError) as caught:
        list(chain(volume, table, 2))
    assert caught.value.message == message


def test_a_cluster_beyond_the_image_is_told() -> None:
    volume = read_volume(GOOD[:2500])
    with pytest.raises(FormatError) as caught:
        read_chain(volume, read_table(volume), 2, 1)
    assert (
        caught.value.message
        == "FAT: cluster 2: 512 bytes at offset 0x800 do not lie inside the 2500 bytes given"
    )


def test_a_chain_is_followed_no_further_than_asked_for() -> None:
    volume = read_volume(GOOD)
    table = list(read_table(volume))
    table[3] = 2
    assert len(read_chain(volume, table, 2, 5000)) == 10 * 512


def test_the_upper_bits_of_fat32_are_no_part_of_a_number() -> None:
    image = fat(FILES, kind="FAT32", clusters=65600)
    first = layout("FAT32", 65600).table + 3 * 4
    volume = read_volume(patch(image, first + 3, b"\xf0"))
    assert read_table(volume)[3] == 4


def test_tables_that_are_too_large_are_told(tmp_path: Path) -> None:
    image = patch(fat({}, kind="FAT32", clusters=65600), 36, struct.pack("<I", (1 << 17) + 1))
    image = patch(image, 32, struct.pack("<I", 1 << 24))
    with pytest.raises(FormatError) as caught:
        read_table(read_volume(sparse(tmp_path / "large", 1 << 31, {0: image})))
    assert caught.value.message == "FAT: tables of 67109376 bytes are more than is read (67108864)"


def test_only_what_is_needed_of_a_large_volume_is_read(tmp_path: Path) -> None:
    image = fat(FILES, kind="FAT16", clusters=65524)
    with counted() as count:
        volume = read_volume(sparse(tmp_path / "large", 1 << 32, {0: image}))
        table = read_table(volume)
        contents = read_chain(volume, table, 2, 1000)
        assert count() < 200_000
    assert bytes(contents) == b"a" * 1000 + bytes(24)
