"""Which real media a machine starts, and by which way: what the answers of `inspect` are measured by.

The programs of iPXE and Memtest86+ are those on their media, so they are not started once more.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.steps import efi_image
from tests.fixtures import world_boot
from tests.fixtures.specimens import SPECIMENS
from tests.fixtures.workshop import Content, Workshop

pytestmark = pytest.mark.boot

TIMEOUT = 100  # seconds; a loaded machine without KVM needs a third of them
MISSED = {"uefi": "Interactive Shell", "bios": "No bootable device"}
MEDIA = [one for one in SPECIMENS if one.kind == "iso"]
PROGRAMS = [one for one in SPECIMENS if one.shows and one.kind != "iso"]
WAYS = [("uefi", "cd"), ("uefi", "disk"), ("bios", "cd"), ("bios", "disk")]
ONE_IS_ENOUGH = {"grub-floppy.img": ("bios", "disk"), "memtest-ia32.iso": ("uefi", "cd")}
"""Media that another one is just like: the way in which they might differ."""


def seen(workshop: Workshop, trials: list[dict[str, object]], inputs: dict[str, Content]) -> list[str]:
    out, said = workshop.run("boot", world_boot.start, inputs, trials=trials, timeout=TIMEOUT)
    assert (out / "seen.json").exists(), said
    found: list[str] = json.loads((out / "seen.json").read_text())
    return found


def test_media_start_by_the_ways_that_the_table_says(workshop: Workshop, real: Mapping[str, Path]) -> None:
    expected = {
        (one.name, firmware, way): f"{firmware}_{way}" in one.starts
        for one in MEDIA
        for firmware, way in WAYS
        if ONE_IS_ENOUGH.get(one.name, (firmware, way)) == (firmware, way)
    }
    shows = {one.name: list(one.shows) for one in MEDIA}
    trials: list[dict[str, object]] = [
        {"medium": name, "firmware": firmware, "way": way, "words": [*shows[name], MISSED[firmware]]}
        for name, firmware, way in expected
    ]
    found = seen(workshop, trials, {one.name: real[one.name] for one in MEDIA})
    assert "" not in found
    started = [word in shows[name] for word, (name, _, _) in zip(found, expected, strict=True)]
    assert dict(zip(expected, started, strict=True)) == expected


def test_programs_start_from_a_fat_image(workshop: Workshop, real: Mapping[str, Path]) -> None:
    media: dict[str, Content] = {
        one.name: workshop.make(efi_image.build, "efi.img", {"BOOTX64.EFI": real[one.name]})
        for one in PROGRAMS
    }
    trials: list[dict[str, object]] = [
        {"medium": one.name, "firmware": "uefi", "way": "disk", "words": [*one.shows, MISSED["uefi"]]}
        for one in PROGRAMS
    ]
    found = seen(workshop, trials, media)
    assert [word in one.shows for word, one in zip(found, PROGRAMS, strict=True)] == [True] * len(PROGRAMS)
