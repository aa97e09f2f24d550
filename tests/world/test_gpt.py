"""Our readers of partition tables against sfdisk and sgdisk."""

import json
import re
from typing import Any

import pytest

from pipeline.formats import gpt
from tests.fixtures.world import MBRS, TABLES, World

pytestmark = pytest.mark.container

BITS = {"RequiredPartition": 0, "NoBlockIOProtocol": 1, "LegacyBIOSBootable": 2}


def table_of(world: World, name: str) -> dict[str, Any]:
    question = "sfdisk-4096" if TABLES.get(name) == 4096 else "sfdisk"
    found: dict[str, Any] = json.loads(world.said(name, question))["partitiontable"]
    return found


def number(partition: dict[str, Any]) -> int:
    found = re.search(r"(?<=\D)\d+$", partition["node"].removeprefix("/build/in/"))
    assert found
    return int(found[0])


def attributes(text: str) -> int:
    """Return the bits that sfdisk names; those from 48 on belong to the type, and have their number."""
    words = [word.removeprefix("GUID:") for word in text.split()]
    return sum(
        1 << BITS.get(bit, 0) if bit in BITS else 1 << int(bit) for word in words for bit in word.split(",")
    )


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_what_sfdisk_says(world: World, name: str) -> None:
    image, size = world.image(name), TABLES[name]
    assert gpt.find_sector_size(image) == size
    ours = gpt.read_table(image, 1, size)
    theirs = table_of(world, name)
    assert str(ours.disk_guid).upper() == theirs["id"]
    assert (ours.first_usable_lba, ours.last_usable_lba) == (theirs["firstlba"], theirs["lastlba"])
    assert [
        (
            one.number,
            one.first_lba,
            one.last_lba - one.first_lba + 1,
            str(one.kind).upper(),
            str(one.guid).upper(),
            one.name,
            one.attributes,
        )
        for one in ours.partitions
    ] == [
        (
            number(one),
            one["start"],
            one["size"],
            one["type"],
            one["uuid"],
            one.get("name", ""),
            attributes(one.get("attrs", "")),
        )
        for one in theirs["partitions"]
    ]


@pytest.mark.parametrize("name", TABLES)
def test_the_backup_says_the_same(world: World, name: str) -> None:
    image, size = world.image(name), TABLES[name]
    first = gpt.read_table(image, 1, size)
    backup = gpt.read_table(image, first.alternate_lba, size)
    assert (backup.disk_guid, backup.partitions) == (first.disk_guid, first.partitions)
    assert backup.alternate_lba == 1
    assert first.alternate_lba == len(image) // size - 1


@pytest.mark.parametrize("name", [name for name, size in TABLES.items() if size == 512])
def test_tables_are_what_sgdisk_says(world: World, name: str) -> None:
    ours = gpt.read_table(world.image(name), 1)
    said = world.said(name, "sgdisk")
    assert f"Disk identifier (GUID): {str(ours.disk_guid).upper()}" in said
    assert (
        f"First usable sector is {ours.first_usable_lba}, last usable sector is {ours.last_usable_lba}"
        in said
    )
    assert "No problems found." in said
    rows = re.findall(r"^ +(\d+) +(\d+) +(\d+) +[\d.]+ \w+ +[0-9A-F]{4} +(.*)$", said, re.MULTILINE)
    assert rows == [
        (str(one.number), str(one.first_lba), str(one.last_lba), one.name) for one in ours.partitions
    ]


@pytest.mark.parametrize("name", MBRS)
def test_mbr_partitions_are_what_sfdisk_says(world: World, name: str) -> None:
    theirs = table_of(world, name)
    assert theirs["label"] == "dos"
    assert [
        (one.number, one.bootable, one.kind, one.first_lba, one.size)
        for one in gpt.read_mbr(world.image(name))
    ] == [
        (number(one), one.get("bootable", False), int(one["type"], 16), one["start"], one["size"])
        for one in theirs["partitions"]
        if one["type"] != "0"
    ]
