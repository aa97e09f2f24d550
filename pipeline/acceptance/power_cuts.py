"""Power cuts: at any moment a disk holds what booted before, or an installation that can be finished.

One whole installation is recorded in the virtual machine, write by write and flush by flush. Out of that come
disks that lost power at points chosen by chance, which the installer then has to finish.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.acceptance import offline as bench_machine
from pipeline.acceptance import screens as steps
from pipeline.acceptance.lab import GOOD, SERIAL, SIZE, Stage, by_oem_string, check_disk, must
from pipeline.errors import PipelineError
from pipeline.vm import disks as media
from pipeline.vm import write_log
from pipeline.vm.machine import Disk
from pipeline.vm.session import NotSeenError

Story = Callable[[Stage], Awaitable[None]]

CUTS = 50
BOOTED = 3  # of the disks that were finished, in the virtual machine
OURS = ["EFI", "TRUTHDB_DATA"]
UNFINISHED = "TRUTHDB_UNFINISHED"


async def _recorded(stage: Stage, before: Path, answers: str) -> Path:
    """Run a whole installation on a copy of `before`, and return the log of its writes, which is whole."""
    log = stage.work / "writes.log"
    log.unlink(missing_ok=True)
    log.touch()
    disk = replace(stage.disk("virtio-blk"), image=media.copy(before, stage.work / "recorded.img"), log=log)
    await by_oem_string(stage, answers, stage.medium(), disk, name="recorded")
    again = media.copy(before, stage.work / "again.img")
    write_log.replay(log, again, ((write, write.size) for write in write_log.read_log(log)))
    must(media.digest(again) == media.digest(disk.image), "the log of the writes is not all that was written")
    return log


def _cut_disks(stage: Stage, before: Path, log: Path, what: str) -> Iterator[tuple[str, Disk, bool]]:
    """Yield disks that lost power while that was written to `before` which `log` recorded, one at a time.

    Each with what it is called, and whether it is one of those to be started once it is finished.
    """
    stage.note(f"power cuts of {what}: chosen by chance, which `--seed {stage.seed}` repeats")
    chance = random.Random(stage.seed)  # noqa: S311 - chance, not secrets
    writes = write_log.read_log(log)
    disk = Disk("target", stage.work / "cut.img", "virtio-blk", serial=SERIAL)
    chosen = write_log.cuts(writes, CUTS, chance)
    to_boot = chance.sample(range(len(chosen)), BOOTED)
    for number, cut in enumerate(chosen):
        media.copy(before, disk.image)
        write_log.replay(log, disk.image, write_log.survivors(writes, cut, chance))
        yield f"cut {number} (seed {stage.seed}), after write {cut} of {len(writes)}", disk, number in to_boot


def _contents(image: Path) -> dict[str, str]:
    """Return what the partitions hold that firmware finds on a disk: name to digest."""
    places = media.as_firmware_reads(image)
    return {place.name: media.digest(image, place.start, place.size) for place in places}


def _state(stage: Stage, image: Path, was: Mapping[str, str]) -> str:
    """Return what a cut left behind: "old", "unfinished" or "finished". Raises NotSeenError for all else.

    Old is a disk whose partitions are to their last byte what they were; one that is finished starts,
    whatever has become of its second partition table.
    """
    places = media.as_firmware_reads(image)
    names = [place.name for place in places]
    if names == list(was):
        if _contents(image) == was:
            return "old"
        must(names == OURS, "the disk looks as before, but the other system was changed")
    if UNFINISHED in names:
        return "unfinished"
    must(names == OURS, f"the disk holds {names}")
    found, system = media.files(image, places[0]), stage.payload.read_bytes()
    whole = all(found.get(path.upper()) == system for path in _systems(stage))
    must(whole, "the disk looks finished, but its system is not")
    return "finished"


def _systems(stage: Stage) -> tuple[str, str]:
    """Return where the EFI partition holds the system: what the boot entry names, and the fallback."""
    return f"EFI/TruthDB/truthdb-{stage.version}.efi", "EFI/BOOT/BOOTX64.EFI"


def _age(stage: Stage, image: Path) -> None:
    """Put another system in the place of the installed one, so that a cut while it is written again shows."""
    older = stage.work / "older.efi"
    older.write_bytes(stage.payload.read_bytes()[::-1])
    start = media.partitions(image, 512)[0].start
    for path in _systems(stage):
        media.run("mcopy", "-o", "-i", f"{image}@@{start}", str(older), f"::{path}")


async def of_an_install(stage: Stage) -> None:
    """An installation over another system is cut off: that one is whole, or the next run finishes."""
    before = media.foreign_system(stage.work / "before.img", SIZE, stage.work)
    was = _contents(before)
    answers = steps.answers(GOOD, erase=SERIAL, allowed=["erase_foreign_data", "replace_installation"])
    log = await _recorded(stage, before, answers)
    seen = Counter[str]()
    for name, disk, to_boot in _cut_disks(stage, before, log, "an install"):
        seen[_finished(stage, disk, was, answers, name)] += 1
        if to_boot:
            await _boots(stage, disk, f"cut-{seen.total()}", 1)
    stage.note(f"power cuts of an install: {dict(seen)}")


async def of_a_reinstall(stage: Stage) -> None:
    """A reinstallation that keeps data is cut off: the data are the same to the last byte, always."""
    before = stage.disk("virtio-blk", node="before").image
    first = Disk("target", before, "virtio-blk", serial=SERIAL)
    await by_oem_string(stage, steps.answers(GOOD, erase=SERIAL), stage.medium(), first)
    await _boots(stage, first, "before", 1)
    data = check_disk(stage, first)[1]
    kept = media.digest(before, data.start, data.size)
    _age(stage, before)
    was = _contents(before)
    answers = steps.answers(GOOD, task="keep-data")
    log = await _recorded(stage, before, answers)
    seen = Counter[str]()
    for name, disk, to_boot in _cut_disks(stage, before, log, "a reinstall"):
        now = media.digest(disk.image, data.start, data.size)
        must(now == kept, f"{name}: the data differ after the cut")
        seen[_finished(stage, disk, was, answers, name)] += 1
        now = media.digest(disk.image, data.start, data.size)
        must(now == kept, f"{name}: the data differ after the next run")
        if to_boot:
            await _boots(stage, disk, f"cut-{seen.total()}", 2)
    stage.note(f"power cuts of a reinstall: {dict(seen)}")


def _finished(stage: Stage, disk: Disk, was: Mapping[str, str], answers: str, name: str) -> str:
    """Let the next run finish what was cut off; return what it found, as `_state` does."""
    try:
        state = _state(stage, disk.image, was)
        said = bench_machine.install(stage, disk.image, answers)
        must(state != "unfinished" or "unfinished: true" in said, f"it is not recognised: {said}")
        check_disk(stage, disk)
    except (NotSeenError, PipelineError) as error:
        raise NotSeenError(f"{name}: {error}") from error
    return state


async def _boots(stage: Stage, disk: Disk, name: str, boots: int) -> None:
    """Start the disk with a firmware that knows nothing of it, until the appliance answers; end it in order.

    What is on it afterwards is no longer being written.
    """
    async with stage.playing(stage.guest(disk, network=True), name) as vm:
        await steps.appliance(vm, boots)
        await vm.switch_off()


CUT: dict[str, Story] = {"cuts-install": of_an_install, "cuts-reinstall": of_a_reinstall}
