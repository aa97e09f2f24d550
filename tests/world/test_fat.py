"""Our FAT reader against fsck.fat and mtools."""

import hashlib
import re

import pytest

from pipeline.formats import fat, fat_directory
from tests.fixtures.world import VOLUMES, World

pytestmark = pytest.mark.container


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in {text!r}"
    return int(found[1])


@pytest.mark.parametrize("name", VOLUMES)
def test_the_volume_is_laid_out_as_fsck_says(world: World, name: str) -> None:
    volume = fat.read_volume(world.image(name))
    free = fat.free_clusters(fat.read_table(volume))
    said = world.said(name, "fsck.fat")
    assert {
        "sector": volume.sector_size,
        "cluster": volume.cluster_size,
        "reserved": volume.reserved_sectors,
        "tables": volume.table_count,
        "bits": int(volume.variant.removeprefix("FAT")),
        "table": volume.sectors_per_table * volume.sector_size,
        "data": volume.data_offset,
        "clusters": volume.cluster_count,
        "sectors": volume.size // volume.sector_size,
        "used": volume.cluster_count - free,
    } == {
        "sector": number(r"(\d+) bytes per logical sector", said),
        "cluster": number(r"(\d+) bytes per cluster", said),
        "reserved": number(r"(\d+) reserved sector", said),
        "tables": number(r"(\d+) FATs?, ", said),
        "bits": number(r"FATs?, (\d+) bit entries", said),
        "table": number(r"(\d+) bytes per FAT", said),
        "data": number(r"Data area starts at byte (\d+)", said),
        "clusters": number(r"(\d+) data clusters", said),
        "sectors": number(r"(\d+) sectors total", said),
        "used": number(r"files, (\d+)/\d+ clusters", said),
    }
    assert volume.type_by_count == volume.variant
    if volume.variant != "FAT32":
        assert volume.root_entries == number(r"(\d+) root directory entries", said)


@pytest.mark.parametrize("name", VOLUMES)
def test_files_are_those_that_mtools_finds(world: World, name: str) -> None:
    volume = fat.read_volume(world.image(name))
    table = fat.read_table(volume)
    found = [entry for entry in fat_directory.walk(volume, table) if not entry.is_label]
    paths = sorted(f"::/{entry.path}{'/' * entry.is_directory}" for entry in found)
    assert paths == sorted(world.said(name, "mdir").splitlines())
    sums = {
        f"./{entry.path}": hashlib.sha256(bytes(fat_directory.read_file(volume, table, entry))).hexdigest()
        for entry in found
        if not entry.is_directory
    }
    lines = [line.split("  ", 1) for line in world.said(name, "mcopy").splitlines()]
    assert sums == {path: digest for digest, path in lines}
