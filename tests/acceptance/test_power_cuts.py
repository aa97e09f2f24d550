"""What a power cut may leave behind, on disks that are small and made by other writers than the installer."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.acceptance import offline as bench_machine
from pipeline.acceptance import power_cuts as power
from pipeline.acceptance.lab import Stage
from pipeline.errors import FormatError, PipelineError
from pipeline.vm import disks as media
from pipeline.vm import write_log
from pipeline.vm.machine import Disk
from pipeline.vm.session import NotSeenError
from tests.fixtures.disk import Part, disk
from tests.fixtures.fat import fat
from tests.vm.test_write_log import SECTOR, log_of


def system(content: bytes, fallback: bytes) -> bytes:
    return fat({"EFI/TRUTHDB/TRUTHDB-.EFI": content, "EFI/BOOT/BOOTX64.EFI": fallback})


SYSTEM = system(b"the system", b"the system")
OTHER = (Part(fat({"EFI/OTHER/OTHER.EFI": b"another"}), name="esp"), Part(b"its data", name="root"))
DATA = Part(b"events", name="TRUTHDB_DATA")
FINISHED = (Part(SYSTEM, name="EFI"), DATA)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """A product without a version: the tests' FAT has no names longer than 8.3."""
    return replace(stage, version="")


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
    assert power._state(stage, image(tmp_path, parts), before) == state


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            (OTHER[0], replace(OTHER[1], contents=b"Its data")),
            "the disk looks as before, but the other system was changed",
        ),
        ((Part(SYSTEM, name="EFI"),), "the disk holds ['EFI']"),
        ((), "the disk holds []"),
        (
            (Part(system(b"the system", b"the syst\0\0"), name="EFI"), DATA),
            "the disk looks finished, but its system is not",
        ),
        (
            (Part(system(b"the syst\0\0", b"the system"), name="EFI"), DATA),
            "the disk looks finished, but its system is not",
        ),
        ((Part(fat({}), name="EFI"), DATA), "the disk looks finished, but its system is not"),
    ],
)
def test_what_must_not(stage: Stage, tmp_path: Path, parts: Sequence[Part], sentence: str) -> None:
    before = was(tmp_path)
    with pytest.raises(NotSeenError) as caught:
        power._state(stage, image(tmp_path, parts), before)
    assert str(caught.value) == sentence


def test_an_older_system_is_whole_or_another_one_is(stage: Stage, tmp_path: Path) -> None:
    def left(content: bytes, fallback: bytes) -> Path:
        return image(tmp_path, (Part(system(content, fallback), name="EFI"), DATA))

    before = power._contents(left(b"older", b"older"))
    assert power._state(stage, left(b"older", b"older"), before) == "old"
    assert power._state(stage, left(b"the system", b"the system"), before) == "finished"
    with pytest.raises(NotSeenError, match="the disk looks finished, but its system is not"):
        power._state(stage, left(b"the system", b"older"), before)


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
    with pytest.raises(PipelineError, match=r"failed with 1: (?s:.*)it does not fit"):
        bench_machine.install(stage, media.blank(tmp_path / "disk.img", 1 << 20), "bad\n")


def test_a_cut_that_is_not_recognised_says_which_one_it_was(
    stage: Stage, tmp_path: Path, installer: Path
) -> None:
    path = image(tmp_path, (Part(b"anything", name=power.UNFINISHED), DATA))
    with pytest.raises(NotSeenError, match=r"^cut 7: it is not recognised: --root(?s:.*)good"):
        power._finished(stage, Disk("target", path, "virtio-blk"), {}, "good\n", "cut 7")
    with pytest.raises(NotSeenError, match=r"^cut 7: (?s:.*)it does not fit"):
        power._finished(stage, Disk("target", path, "virtio-blk"), {}, "bad\n", "cut 7")


def test_disks_that_lost_power_are_the_same_for_a_seed(stage: Stage, tmp_path: Path) -> None:
    requests = [(number % 8, b"%c" % (97 + number) * SECTOR, 0) for number in range(8)]
    log = log_of(tmp_path, [*requests[:4], (0, b"", write_log.FLUSH), *requests[4:]])
    before = media.blank(tmp_path / "before", 8 * SECTOR)

    def cut(seed: int) -> list[tuple[str, bytes, bool]]:
        disks = power._cut_disks(replace(stage, seed=seed), before, log, "a test")
        return [(name, disk.image.read_bytes(), to_boot) for name, disk, to_boot in disks]

    first = cut(7)
    assert first == cut(7)
    assert [data for _, data, _ in first] != [data for _, data, _ in cut(8)]
    assert len(first) == power.CUTS
    assert sum(to_boot for _, _, to_boot in first) == power.BOOTED
    assert re.fullmatch(r"cut 0 \(seed 7\), after write \d of 9", first[0][0])
    assert before.read_bytes() == bytes(8 * SECTOR)
