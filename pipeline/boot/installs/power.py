"""Power cuts: at any moment a disk holds what booted before, or an installation that can be finished.

One whole installation is recorded in the virtual machine, write by write and flush by flush. Out of that come
disks that lost power at points chosen by chance, which the installer then has to finish.
"""

import random
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.boot.installs import bench_machine, media, steps, write_log
from pipeline.boot.installs.guest import Disk
from pipeline.boot.installs.stage import GOOD, SERIAL, SIZE, Stage, by_oem_string, check_disk, must

Story = Callable[[Stage], Awaitable[None]]

CUTS = 50
BOOTED = 3  # of the disks that were finished, in the virtual machine
UNFINISHED = "TRUTHDB_UNFINISHED"


def _copy(source: Path, target: Path) -> Path:
    """Copy a disk, with its holes."""
    target.unlink(missing_ok=True)
    subprocess.run(["cp", "--sparse=always", str(source), str(target)], check=True)
    return target


async def _recorded(stage: Stage, before: Path, answers: str) -> Path:
    """Run a whole installation on a copy of `before`, and return the log of its writes."""
    log = stage.work / "writes.log"
    log.unlink(missing_ok=True)
    log.touch()
    disk = replace(stage.disk("virtio-blk"), image=_copy(before, stage.work / "recorded.img"), log=log)
    await by_oem_string(stage, answers, stage.medium(), disk, name="recorded")
    return log


def _chance(stage: Stage) -> random.Random:
    stage.note(f"power cuts: chosen by chance, which `--seed {stage.seed}` repeats")
    return random.Random(stage.seed)  # noqa: S311 - chance, not secrets


def _contents(image: Path) -> dict[str, str]:
    """Return what the partitions hold that firmware finds on a disk: name to digest."""
    places = media.as_firmware_reads(image)
    return {place.name: media.digest(image, place.start, place.size) for place in places}


def _state(stage: Stage, image: Path, was: Mapping[str, str], when: str) -> str:
    """Return what a cut left behind: "old", "unfinished" or "finished". Raises NotSeenError for all else.

    Old is a disk that is to its last byte what it was, with the partitions `was`; one that is finished
    starts, whatever has become of its second partition table.
    """
    places = media.as_firmware_reads(image)
    names = [place.name for place in places]
    if was and names == list(was):
        must(_contents(image) == was, f"{when}: the disk looks as before, but the other system was changed")
        return "old"
    if UNFINISHED in names:
        return "unfinished"
    must(names == ["EFI", "TRUTHDB_DATA"], f"{when}: the disk holds {names}")
    system = media.files(image, places[0]).get("EFI/BOOT/BOOTX64.EFI", b"")
    must(system == stage.payload.read_bytes(), f"{when}: the disk looks finished, but its system is not")
    return "finished"


async def of_an_install(stage: Stage) -> None:
    """An installation over another system is cut off: that one is whole, or the next run finishes."""
    before = media.foreign_system(stage.work / "before.img", SIZE, stage.work)
    was = _contents(before)
    answers = steps.answers(GOOD, erase=SERIAL)
    log = await _recorded(stage, before, answers)
    chance = _chance(stage)
    writes = write_log.read_log(log)
    disk = Disk("target", stage.work / "cut.img", "virtio-blk", serial=SERIAL)
    chosen = write_log.cuts(writes, CUTS, chance)
    to_boot = chance.sample(range(len(chosen)), BOOTED)
    seen: dict[str, int] = {}
    for number, cut in enumerate(chosen):
        _copy(before, disk.image)
        write_log.replay(log, disk.image, write_log.survivors(writes, cut, chance))
        state = _state(stage, disk.image, was, f"cut {cut}")
        seen[state] = seen.get(state, 0) + 1
        said = bench_machine.install(stage, disk.image, answers)
        must(state != "unfinished" or "unfinished: true" in said, f"cut {cut}: not recognised: {said}")
        check_disk(stage, disk)
        if number in to_boot:
            await _boots(stage, disk, f"cut-{number}", 1)
    stage.note(f"power cuts of an install: {len(chosen)}, of {len(writes)} writes: {seen}")


async def of_a_reinstall(stage: Stage) -> None:
    """A reinstallation that keeps data is cut off: the data are the same to the last byte, always."""
    before = stage.disk("virtio-blk", node="before").image
    first = Disk("target", before, "virtio-blk", serial=SERIAL)
    await by_oem_string(stage, steps.answers(GOOD, erase=SERIAL), stage.medium(), first)
    await _boots(stage, first, "before", 1)
    data = check_disk(stage, first)[1]
    kept = media.digest(before, data.start, data.size)
    answers = steps.answers(GOOD, task="keep-data")
    log = await _recorded(stage, before, answers)
    chance = _chance(stage)
    writes = write_log.read_log(log)
    disk = Disk("target", stage.work / "cut.img", "virtio-blk", serial=SERIAL)
    chosen = write_log.cuts(writes, CUTS, chance)
    to_boot = chance.sample(range(len(chosen)), BOOTED)
    seen: dict[str, int] = {}
    for number, cut in enumerate(chosen):
        _copy(before, disk.image)
        write_log.replay(log, disk.image, write_log.survivors(writes, cut, chance))
        state = _state(stage, disk.image, {}, f"cut {cut}")
        seen[state] = seen.get(state, 0) + 1
        for moment in ("after the cut", "after the next run"):
            now = media.digest(disk.image, data.start, data.size)
            must(now == kept, f"cut {cut}: the data differ {moment}")
            if moment == "after the cut":
                bench_machine.install(stage, disk.image, answers)
        check_disk(stage, disk)
        if number in to_boot:
            await _boots(stage, disk, f"cut-{number}", 2)
    stage.note(f"power cuts of a reinstall: {len(chosen)}, of {len(writes)} writes: {seen}")


async def _boots(stage: Stage, disk: Disk, name: str, boots: int) -> None:
    """Start the disk with a firmware that knows nothing of it, and wait for the appliance."""
    async with stage.playing(stage.guest(disk, network=True), name) as play:
        await steps.appliance(play, boots)


CUT: dict[str, Story] = {"cuts-install": of_an_install, "cuts-reinstall": of_a_reinstall}
