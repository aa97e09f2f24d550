"""What a power cut may leave behind, on disks that are small and made by other writers than the installer."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.boot.installs import bench_machine, media, power
from pipeline.boot.installs.play import NotSeenError
from pipeline.boot.installs.stage import Stage
from pipeline.errors import FormatError
from tests.fixtures.disk import Part, disk
from tests.fixtures.fat import fat

SYSTEM = fat({"EFI/BOOT/BOOTX64.EFI": b"the system"})
OTHER = (Part(fat({"EFI/OTHER/OTHER.EFI": b"another"}), name="esp"), Part(b"its data", name="root"))
DATA = Part(b"events", name="TRUTHDB_DATA")
FINISHED = (Part(SYSTEM, name="EFI"), DATA)


def image(folder: Path, parts: Sequence[Part]) -> Path:
    path = folder / "disk.img"
    path.write_bytes(disk(parts))
    return path


def was(folder: Path) -> dict[str, str]:
    return power._contents(image(folder, OTHER))


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        (OTHER, "old"),
        ((Part(b"anything", name=power.UNFINISHED), Part(b"", name=power.UNFINISHED)), "unfinished"),
        ((Part(b"anything", name=power.UNFINISHED), DATA), "unfinished"),
        (FINISHED, "finished"),
    ],
)
def test_what_may_be_left(stage: Stage, tmp_path: Path, parts: Sequence[Part], state: str) -> None:
    before = was(tmp_path)
    assert power._state(stage, image(tmp_path, parts), before, "cut 7") == state


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            (OTHER[0], replace(OTHER[1], contents=b"Its data")),
            "cut 7: the disk looks as before, but the other system was changed",
        ),
        ((Part(SYSTEM, name="EFI"),), "cut 7: the disk holds ['EFI']"),
        ((), "cut 7: the disk holds []"),
        (
            (Part(fat({"EFI/BOOT/BOOTX64.EFI": b"the syst\0\0"}), name="EFI"), DATA),
            "cut 7: the disk looks finished, but its system is not",
        ),
        ((Part(fat({}), name="EFI"), DATA), "cut 7: the disk looks finished, but its system is not"),
    ],
)
def test_what_must_not(stage: Stage, tmp_path: Path, parts: Sequence[Part], sentence: str) -> None:
    before = was(tmp_path)
    with pytest.raises(NotSeenError) as caught:
        power._state(stage, image(tmp_path, parts), before, "cut 7")
    assert str(caught.value) == sentence


def test_a_disk_without_a_system_before_has_no_old_state(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(NotSeenError, match="the disk holds"):
        power._state(stage, image(tmp_path, ()), {}, "cut 7")


def test_firmware_reads_the_second_table_where_the_first_is_torn(stage: Stage, tmp_path: Path) -> None:
    path = image(tmp_path, FINISHED)
    whole = media.as_firmware_reads(path)
    with path.open("r+b") as file:
        file.seek(512)
        file.write(bytes(512))
    assert media.as_firmware_reads(path) == whole
    with pytest.raises(FormatError):
        media.partitions(path, 512)
    with path.open("r+b") as file:
        file.seek(-512, 2)
        file.write(bytes(512))
    with pytest.raises(FormatError):
        media.as_firmware_reads(path)


@pytest.fixture
def installer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installer that says how it was called and what it finds."""
    monkeypatch.setattr(bench_machine, "MKE2FS", stage.work / "mke2fs")
    stage.installer.write_text(
        '#!/bin/sh\necho "$@" | sed "s,$2,ROOT,;s,$4,ANSWERS,"\n'
        'cat "$4" "$2/sys/block/vda/size" "$2/payload/TruthDB.efi.sha256"\n'
        'grep -q good "$4" || { echo "it does not fit" >&2; exit 1; }\n'
    )
    stage.installer.chmod(0o755)
    return stage.installer


def test_the_installer_finds_a_machine_with_that_disk(stage: Stage, tmp_path: Path, installer: Path) -> None:
    said = bench_machine.install(stage, media.blank(tmp_path / "disk.img", 1 << 20), "good\n")
    assert said.splitlines() == [
        "--root ROOT --install ANSWERS",
        "good",
        "2048",
        "f64298560317243691b01c0d7fcc171b25fa65dc71285760253aa2e15d1cba72  TruthDB.efi",
    ]
    assert (stage.work / "root/dev/vda").samefile(tmp_path / "disk.img")


def test_an_installer_that_fails(stage: Stage, tmp_path: Path, installer: Path) -> None:
    with pytest.raises(NotSeenError, match=r"the installer ended with 1: (?s:.*)it does not fit"):
        bench_machine.install(stage, media.blank(tmp_path / "disk.img", 1 << 20), "bad\n")
