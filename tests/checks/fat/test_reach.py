"""How far firmware reads into a FAT volume to start a program."""

import pytest

from pipeline.checks.fat.reach import reach
from pipeline.checks.fat.volume import read_efi_image
from tests.fixtures.fat import SECTOR, fat, layout

SMALL, LARGE = 1 << 13, 1 << 16  # what is read at once, of FAT12 and of others


@pytest.mark.parametrize(
    ("kind", "clusters", "sectors", "page"),
    [
        ("FAT12", 600, 1, SMALL),
        ("FAT12", 600, 40, SMALL),
        ("FAT16", 5000, 1, LARGE),
        ("FAT16", 5000, 200, LARGE),
        ("FAT32", 66000, 1, LARGE),
    ],
)
def test_it_ends_with_a_page_that_has_the_last_cluster(
    kind: str, clusters: int, sectors: int, page: int
) -> None:
    image = fat({"EFI/BOOT/A.EFI": bytes(sectors * SECTOR)}, kind=kind, clusters=clusters)
    efi = read_efi_image(image)
    (entry,) = efi.files
    place = layout(kind, clusters)
    used = place.data + (sectors + (3 if kind == "FAT32" else 2)) * SECTOR
    end = reach(efi, entry)
    assert (end - efi.volume.root_offset) % page == 0
    assert used <= end < used + page


def test_it_is_no_more_than_there_is() -> None:
    efi = read_efi_image(fat({"A.EFI": bytes(SECTOR)}, clusters=5))
    assert reach(efi, efi.files[0]) == efi.volume.size
