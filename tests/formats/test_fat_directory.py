from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.formats import fat_directory
from pipeline.formats.fat import read_table, read_volume
from pipeline.formats.fat_directory import Entry, read_file, walk
from pipeline.formats.fields import Extents
from tests.fixtures import patch
from tests.fixtures.fat import DAY, TIME, fat, layout, record
from tests.fixtures.sparse import counted, sparse

FILES = {"EFI/BOOT/BOOTX64.EFI": b"x" * 700, "README.TXT": b"hi", "EMPTY": b""}
PLACE = layout("FAT12", 60)


def entries(image: bytes) -> list[Entry]:
    volume = read_volume(image)
    return list(walk(volume, read_table(volume)))


def long_name(name: str, short: bytes) -> bytes:
    """The long name entries in front of a short name of 11 bytes."""
    checksum = 0
    for byte in short:
        checksum = (checksum >> 1 | checksum << 7) + byte & 0xFF
    units = (name + "\0").encode("utf-16-le")
    units += b"\xff" * (-len(units) % 26)
    parts = [units[start : start + 26] for start in range(0, len(units), 26)]
    records = [
        bytes([number | 0x40 * (number == len(parts))])
        + part[:10]
        + bytes([0x0F, 0, checksum])
        + part[10:22]
        + bytes(2)
        + part[22:]
        for number, part in enumerate(parts, start=1)
    ]
    return b"".join(reversed(records))


@pytest.mark.parametrize(("kind", "clusters"), [("FAT12", 60), ("FAT16", 5000), ("FAT32", 65600)])
def test_all_directories_are_walked(kind: str, clusters: int) -> None:
    found = entries(fat(FILES, kind=kind, clusters=clusters))
    assert [entry.path for entry in found] == [
        "EFI",
        "EFI",
        "README.TXT",
        "EMPTY",
        "EFI/BOOT",
        "EFI/BOOT/BOOTX64.EFI",
    ]
    assert [entry.is_label for entry in found] == [True, *[False] * 5]
    assert [entry.is_directory for entry in found] == [False, True, False, False, True, False]
    assert all(
        (entry.created, entry.written, entry.accessed) == ((DAY, TIME), (DAY, TIME), DAY) for entry in found
    )


def test_files_are_read() -> None:
    volume = read_volume(fat(FILES))
    table = read_table(volume)
    found = {entry.path: entry for entry in walk(volume, table) if not entry.is_label}
    assert read_file(volume, table, found["EFI/BOOT/BOOTX64.EFI"]) == b"x" * 700
    assert read_file(volume, table, found["README.TXT"]) == b"hi"
    assert read_file(volume, table, found["EMPTY"]) == b""


@pytest.mark.parametrize(
    ("records", "path", "short_path"),
    [
        (record("README.TXT", 0x20), "README.TXT", "README.TXT"),
        (patch(record("README.TXT", 0x20), 12, b"\x08"), "readme.TXT", "README.TXT"),
        (patch(record("README.TXT", 0x20), 12, b"\x10"), "README.txt", "README.TXT"),
        (patch(record("README", 0x20), 0, b"\x05"), "\u03c3EADME", "\u03c3EADME"),
        (
            long_name("a long näme.txt", b"ALONG~1 TXT") + record("ALONG~1.TXT", 0x20),
            "a long näme.txt",
            "ALONG~1.TXT",
        ),
        (long_name("of another", b"OTHER   TXT") + record("ALONG~1.TXT", 0x20), "ALONG~1.TXT", "ALONG~1.TXT"),
        (patch(record("GONE", 0x20), 0, b"\xe5") + record("B", 0x20), "B", "B"),
    ],
    ids=["8.3", "lower stem", "lower extension", "0x05", "long", "orphaned long", "deleted"],
)
def test_names_are_read(records: bytes, path: str, short_path: str) -> None:
    (entry,) = entries(patch(fat({}), PLACE.root, records))
    assert (entry.path, entry.short_path) == (path, short_path)


def test_a_file_shorter_than_its_size_is_told() -> None:
    image = patch(fat({}), PLACE.root, record("A", 0x20, 2, 5000))
    volume = read_volume(patch(image, PLACE.table + 3, b"\xff\x0f"))
    table = read_table(volume)
    (entry,) = walk(volume, table)
    with pytest.raises(FormatError) as caught:
        read_file(volume, table, entry)
    assert caught.value.message == "FAT: A: 5000 bytes at offset 0x0 do not lie inside the 512 bytes given"


def test_a_directory_inside_itself_is_told() -> None:
    image = fat({"A/B/C": b"x"})
    with pytest.raises(FormatError) as caught:
        entries(patch(image, PLACE.cluster(2) + 64 + 26, b"\x02"))
    assert caught.value.message == "FAT: A/B: another directory starts at its cluster 2 too"


def test_a_directory_without_a_cluster_is_told() -> None:
    with pytest.raises(FormatError) as caught:
        entries(patch(fat({}), PLACE.root, record("A", 0x10, 0)))
    assert (
        caught.value.message
        == "FAT: the chain from cluster 0 leads to cluster 0, which the volume does not have (2 to 61)"
    )


def test_a_directory_that_is_too_large_is_told() -> None:
    image = patch(fat({}, kind="FAT16", clusters=5000), layout("FAT16", 5000).root, record("A", 0x10, 2))
    table = b"".join(number.to_bytes(2, "little") for number in range(3, 4102)) + b"\xff\xff"
    with pytest.raises(FormatError) as caught:
        entries(patch(image, layout("FAT16", 5000).table + 4, table))
    assert caught.value.message == "FAT: A: a directory has at most 2097152 bytes (§6), this one more"


@pytest.mark.parametrize(("limit", "value"), [("MAX_ENTRIES", 3), ("MAX_SCANNED", 600), ("MAX_PATH", 2)])
def test_more_than_is_read_is_told(limit: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fat_directory, limit, value)
    with pytest.raises(FormatError) as caught:
        entries(fat(FILES))
    assert caught.value.message.startswith("FAT: EFI: here end the ")


def test_a_file_of_a_large_volume_is_not_read(tmp_path: Path) -> None:
    size, clusters = 20_000_000, 65524
    image = fat({"LARGE": bytes(size)}, kind="FAT16", clusters=clusters)
    place = layout("FAT16", clusters)
    with counted() as count:
        volume = read_volume(sparse(tmp_path / "it", len(image), {0: image[: place.data]}))
        table = read_table(volume)
        (_, entry) = walk(volume, table)
        contents = read_file(volume, table, entry)
        assert count() < 200_000
    assert isinstance(contents, Extents)
    assert contents.pieces == ((place.data, size),)
