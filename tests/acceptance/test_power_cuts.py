"""What a power cut may leave behind, on disks that are small and made by other writers than the installer."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from acceptance import offline, power_cuts
from pipeline.boot.stories import Lab
from pipeline.errors import FormatError, PipelineError
from pipeline.vm import disks, write_log
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
HALF = Part(b"anything", name=power_cuts.UNFINISHED)
FINISHED = (Part(SYSTEM, name="EFI"), DATA)


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """A product without a version: the tests' FAT has no names longer than 8.3."""
    return replace(lab, version="")


def image(folder: Path, parts: Sequence[Part]) -> Path:
    path = folder / "disk.img"
    path.write_bytes(disk(parts))
    return path


def was(folder: Path) -> dict[str, str]:
    return power_cuts._contents(image(folder, OTHER))


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        (OTHER, "old"),
        (
            (HALF, Part(b"", name=power_cuts.UNFINISHED)),
            "unfinished",
        ),
        ((HALF, DATA), "unfinished"),
        (FINISHED, "finished"),
    ],
)
def test_what_may_be_left(lab: Lab, tmp_path: Path, parts: Sequence[Part], state: str) -> None:
    before = was(tmp_path)
    assert power_cuts._state(lab, image(tmp_path, parts), before) == state


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
def test_what_must_not(lab: Lab, tmp_path: Path, parts: Sequence[Part], sentence: str) -> None:
    before = was(tmp_path)
    with pytest.raises(NotSeenError) as caught:
        power_cuts._state(lab, image(tmp_path, parts), before)
    assert str(caught.value) == sentence


def test_an_older_system_is_whole_or_another_one_is(lab: Lab, tmp_path: Path) -> None:
    def left(content: bytes, fallback: bytes) -> Path:
        return image(tmp_path, (Part(system(content, fallback), name="EFI"), DATA))

    before = power_cuts._contents(left(b"older", b"older"))
    assert power_cuts._state(lab, left(b"older", b"older"), before) == "old"
    assert power_cuts._state(lab, left(b"the system", b"the system"), before) == "finished"
    with pytest.raises(NotSeenError, match="the disk looks finished, but its system is not"):
        power_cuts._state(lab, left(b"the system", b"older"), before)


def test_firmware_reads_the_second_table_where_the_first_is_torn(lab: Lab, tmp_path: Path) -> None:
    path = image(tmp_path, FINISHED)
    whole = disks.as_firmware_reads(path)
    with path.open("r+b") as file:
        file.seek(512)
        file.write(bytes(512))
    assert disks.as_firmware_reads(path) == whole
    with pytest.raises(FormatError):
        disks.partitions(path, 512)
    with path.open("r+b") as file:
        file.seek(-512, 2)
        file.write(bytes(512))
    with pytest.raises(FormatError):
        disks.as_firmware_reads(path)


@pytest.fixture
def installer(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installer that says how it was called and what it finds."""
    monkeypatch.setattr(offline, "MKE2FS", lab.work / "mke2fs")
    lab.inputs["installer"].write_text(
        '#!/bin/sh\necho "$@" | sed "s,$2,ROOT,;s,$4,ANSWERS,"\n'
        'cat "$4" "$2/sys/block/vda/size" "$2/payload/TruthDB.efi.sha256"\n'
        'grep -q good "$4" || { echo "it does not fit" >&2; exit 1; }\n'
    )
    lab.inputs["installer"].chmod(0o755)
    return lab.inputs["installer"]


def test_the_installer_finds_a_machine_with_that_disk(lab: Lab, tmp_path: Path, installer: Path) -> None:
    said = offline.install(lab, disks.blank(tmp_path / "disk.img", 1 << 20), "good\n")
    assert said.splitlines() == [
        "--root ROOT --install ANSWERS",
        "good",
        "2048",
        "f64298560317243691b01c0d7fcc171b25fa65dc71285760253aa2e15d1cba72  TruthDB.efi",
    ]
    assert (lab.work / "root/dev/vda").samefile(tmp_path / "disk.img")


def test_an_installer_that_fails(lab: Lab, tmp_path: Path, installer: Path) -> None:
    with pytest.raises(PipelineError, match=r"failed with 1: (?s:.*)it does not fit"):
        offline.install(lab, disks.blank(tmp_path / "disk.img", 1 << 20), "bad\n")


def test_a_cut_that_is_not_recognised_says_which_one_it_was(
    lab: Lab, tmp_path: Path, installer: Path
) -> None:
    path = image(tmp_path, (HALF, DATA))
    with pytest.raises(NotSeenError, match=r"^cut 7: it is not recognised: --root(?s:.*)good"):
        power_cuts._finished(lab, Disk("target", path, "virtio-blk"), {}, "good\n", "cut 7")
    with pytest.raises(NotSeenError, match=r"^cut 7: (?s:.*)it does not fit"):
        power_cuts._finished(lab, Disk("target", path, "virtio-blk"), {}, "bad\n", "cut 7")


def test_disks_that_lost_power_are_the_same_for_a_seed(lab: Lab, tmp_path: Path) -> None:
    requests = [(number % 8, b"%c" % (97 + number) * SECTOR, 0) for number in range(8)]
    log = log_of(tmp_path, [*requests[:4], (0, b"", write_log.FLUSH), *requests[4:]])
    before = disks.blank(tmp_path / "before", 8 * SECTOR)

    def cut(seed: int) -> list[tuple[str, bytes, bool]]:
        disks = power_cuts._cut_disks(replace(lab, seed=seed), before, log, "a test")
        return [(name, disk.image.read_bytes(), to_boot) for name, disk, to_boot in disks]

    first = cut(7)
    assert first == cut(7)
    assert [data for _, data, _ in first] != [data for _, data, _ in cut(8)]
    assert len(first) == power_cuts.CUTS
    assert sum(to_boot for _, _, to_boot in first) == power_cuts.BOOTED
    assert re.fullmatch(r"cut 0 \(seed 7\), after write \d of 9", first[0][0])
    assert before.read_bytes() == bytes(8 * SECTOR)
