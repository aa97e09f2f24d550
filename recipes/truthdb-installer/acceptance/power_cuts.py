"""Power cuts: at any moment a disk holds what booted before, or an installation that can be finished.

One whole installation is recorded in the virtual machine, write by write and flush by flush. Out of that come
disks that lost power at points chosen by chance, which the installer then has to finish.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from acceptance import offline, screens
from acceptance.installation import (
    DATA,
    GOOD,
    check_disk,
    comes_up,
    install,
    systems,
    unattended,
    with_answers,
)
from pipeline.boot.stories import SERIAL, SIZE, Lab, Story, must
from pipeline.errors import PipelineError
from pipeline.vm import disks, write_log
from pipeline.vm.machine import Disk
from pipeline.vm.session import NotSeenError

CUTS = 50
BOOTED = 3  # of the disks that were finished, in the virtual machine
OURS = ["EFI", DATA]
UNFINISHED = "TRUTHDB_UNFINISHED"


async def _recorded(lab: Lab, before: Path, answers: str) -> Path:
    """Run a whole installation on a copy of `before`, and return the log of its writes, which is whole."""
    log = lab.work / "writes.log"
    log.unlink(missing_ok=True)
    log.touch()
    disk = replace(lab.disk("virtio-blk"), image=disks.copy(before, lab.work / "recorded.img"), log=log)
    await unattended(lab, with_answers(lab, lab.machine(lab.medium(), disk), answers), "recorded")
    again = disks.copy(before, lab.work / "again.img")
    write_log.replay(log, again, ((write, write.size) for write in write_log.read_log(log)))
    must(disks.digest(again) == disks.digest(disk.image), "the log of the writes is not all that was written")
    return log


def _cut_disks(lab: Lab, before: Path, log: Path, what: str) -> Iterator[tuple[str, Disk, bool]]:
    """Yield disks that lost power while that was written to `before` which `log` recorded, one at a time.

    Each with what it is called, and whether it is one of those to be started once it is finished.
    """
    lab.note(f"power cuts of {what}: chosen by chance, which `--seed {lab.seed}` repeats")
    chance = random.Random(lab.seed)  # noqa: S311 - chance, not secrets
    writes = write_log.read_log(log)
    disk = Disk("target", lab.work / "cut.img", "virtio-blk", serial=SERIAL)
    chosen = write_log.cuts(writes, CUTS, chance)
    to_boot = chance.sample(range(len(chosen)), BOOTED)
    for number, cut in enumerate(chosen):
        disks.copy(before, disk.image)
        write_log.replay(log, disk.image, write_log.survivors(writes, cut, chance))
        yield f"cut {number} (seed {lab.seed}), after write {cut} of {len(writes)}", disk, number in to_boot


def _contents(image: Path) -> dict[str, str]:
    """Return what the partitions hold that firmware finds on a disk: name to digest."""
    places = disks.as_firmware_reads(image)
    return {place.name: disks.digest(image, place.start, place.size) for place in places}


def _state(lab: Lab, image: Path, was: Mapping[str, str]) -> str:
    """Return what a cut left behind: "old", "unfinished" or "finished". Raises NotSeenError for all else.

    Old is a disk whose partitions are to their last byte what they were; one that is finished starts,
    whatever has become of its second partition table.
    """
    places = disks.as_firmware_reads(image)
    names = [place.name for place in places]
    if names == list(was):
        if _contents(image) == was:
            return "old"
        must(names == OURS, "the disk looks as before, but the other system was changed")
    if UNFINISHED in names:
        return "unfinished"
    must(names == OURS, f"the disk holds {names}")
    found, system = disks.files(image, places[0]), lab.inputs["payload"].read_bytes()
    whole = all(found.get(path.upper()) == system for path in systems(lab))
    must(whole, "the disk looks finished, but its system is not")
    return "finished"


def _age(lab: Lab, image: Path) -> None:
    """Put another system in the place of the installed one, so that a cut while it is written again shows."""
    older = lab.work / "older.efi"
    older.write_bytes(lab.inputs["payload"].read_bytes()[::-1])
    start = disks.partitions(image, 512)[0].start
    for path in systems(lab):
        disks.run("mcopy", "-o", "-i", f"{image}@@{start}", str(older), f"::{path}")


async def of_an_install(lab: Lab) -> None:
    """An installation over another system is cut off: that one is whole, or the next run finishes."""
    before = disks.foreign_system(lab.work / "before.img", SIZE, lab.work)
    was = _contents(before)
    answers = screens.answers(GOOD, erase=SERIAL, allowed=["erase_foreign_data", "replace_installation"])
    log = await _recorded(lab, before, answers)
    seen = Counter[str]()
    for name, disk, to_boot in _cut_disks(lab, before, log, "an install"):
        seen[_finished(lab, disk, was, answers, name)] += 1
        if to_boot:
            await comes_up(lab, disk, boots=1, name=f"cut-{seen.total()}", fresh=True, cut=False)
    lab.note(f"power cuts of an install: {dict(seen)}")


async def of_a_reinstall(lab: Lab) -> None:
    """A reinstallation that keeps data is cut off: the data are the same to the last byte, always."""
    before = lab.disk("virtio-blk", node="before").image
    first = Disk("target", before, "virtio-blk", serial=SERIAL)
    await install(lab, first)
    await comes_up(lab, first, boots=1, name="before", fresh=True, cut=False)
    data = check_disk(lab, first)[1]
    kept = disks.digest(before, data.start, data.size)
    _age(lab, before)
    was = _contents(before)
    answers = screens.answers(GOOD, task="keep-data")
    log = await _recorded(lab, before, answers)
    seen = Counter[str]()
    for name, disk, to_boot in _cut_disks(lab, before, log, "a reinstall"):
        now = disks.digest(disk.image, data.start, data.size)
        must(now == kept, f"{name}: the data differ after the cut")
        seen[_finished(lab, disk, was, answers, name)] += 1
        now = disks.digest(disk.image, data.start, data.size)
        must(now == kept, f"{name}: the data differ after the next run")
        if to_boot:
            await comes_up(lab, disk, boots=2, name=f"cut-{seen.total()}", fresh=True, cut=False)
    lab.note(f"power cuts of a reinstall: {dict(seen)}")


def _finished(lab: Lab, disk: Disk, was: Mapping[str, str], answers: str, name: str) -> str:
    """Let the next run finish what was cut off; return what it found, as `_state` does."""
    try:
        state = _state(lab, disk.image, was)
        said = offline.install(lab, disk.image, answers)
        must(state != "unfinished" or "unfinished: true" in said, f"it is not recognised: {said}")
        check_disk(lab, disk)
    except (NotSeenError, PipelineError) as error:
        raise NotSeenError(f"{name}: {error}") from error
    return state


POWER_CUTS: dict[str, Story] = {"cuts-install": of_an_install, "cuts-reinstall": of_a_reinstall}
