"""Which bytes firmware takes an entry or a partition for."""

import struct
from dataclasses import replace

import pytest

from pipeline.checks.catalog import take_apart
from pipeline.checks.medium.iso import Iso
from pipeline.checks.medium.places import edk2_size, gpt_partitions, mbr_partitions, volume_end
from pipeline.formats.eltorito import BootEntry
from tests.fixtures import patch
from tests.fixtures.disk import Part, disk, mbr_disk
from tests.fixtures.iso import iso

ISO = iso()
BLOCKS = struct.unpack_from("<I", ISO, 16 * 2048 + 80)[0]
ENTRY = BootEntry(platform=0xEF, bootable=True, media=0, sector_count=0, load_rba=20)
TO_THE_END = (BLOCKS - 20) * 2048


def opened(image: bytes) -> Iso:
    node = take_apart(image, "iso")
    assert isinstance(node.artifact, Iso)
    return node.artifact


@pytest.mark.parametrize(
    ("media", "count", "block", "size"),
    [
        (0, 0, 2048, TO_THE_END),
        (0, 1, 2048, TO_THE_END),
        (0, 1, 512, TO_THE_END),
        (0, 2, 2048, 4096),
        (0, 2, 512, 4096),
        (0, 0xFFFF, 2048, 0xFFFF * 2048),
        (1, 1, 2048, 1_228_800),
        (2, 1, 2048, 1_474_560),
        (3, 0, 512, 2_949_120 * 4),
        (4, 100, 2048, 51_200),
        (4, 100, 512, 204_800),
        (9, 100, 2048, TO_THE_END),
    ],
)
def test_edk2_counts_in_its_own_way(media: int, count: int, block: int, size: int) -> None:
    entry = replace(ENTRY, media=media, sector_count=count)
    assert edk2_size(opened(ISO), entry, block) == size


def test_what_lies_behind_the_volume_has_no_bytes() -> None:
    assert edk2_size(opened(ISO), replace(ENTRY, load_rba=BLOCKS + 1)) == 0


def test_a_volume_ends_no_later_than_the_file() -> None:
    assert volume_end(opened(ISO)) == BLOCKS * 2048
    grown = patch(ISO, 16 * 2048 + 80, struct.pack("<I", 99_999))
    assert volume_end(opened(grown)) == len(ISO)


def numbers(*parts: Part) -> list[int]:
    return [one.number for one in gpt_partitions(take_apart(disk(parts), "x").artifact)]


def test_firmware_shows_partitions_that_are_apart() -> None:
    block = bytes(512)
    assert numbers(Part(block), Part(block), Part(block)) == [1, 2, 3]
    assert numbers(Part(block, more=1), Part(block), Part(block)) == [3]
    assert numbers(Part(block, more=2), Part(block), Part(block), Part(block)) == [4]
    assert numbers(Part(block, attributes=2), Part(block, attributes=4)) == [2]


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([(0, 0xEF, 63, 4), (0, 0x83, 67, 4)], [1, 2]),
        ([(0, 0x83, 67, 4), (0, 0xEF, 63, 4)], [1, 2]),
        ([(0, 0xEF, 63, 5), (0, 0x83, 67, 4)], []),
        ([(0, 0xEF, 63, 0), (0, 0x83, 63, 4)], [2]),
        ([(0, 0xEF, 63, 9)], []),
        ([(0, 0xEE, 1, 70)], []),
    ],
)
def test_edk2_shows_all_partitions_of_an_mbr_or_none(
    parts: list[tuple[int, int, int, int]], found: list[int]
) -> None:
    image = mbr_disk(*parts, contents=bytes(8 * 512))
    node = take_apart(image, "x", "disk")
    assert [one.number for one in mbr_partitions(node.artifact, by_rules=False)] == found
