"""Power cuts while a ready-made disk starts for the first time: what is left starts, and grows.

One start is recorded in the virtual machine, write by write and flush by flush; out of that come disks that
lost power at points chosen by chance.
"""

import random
from dataclasses import replace

from acceptance import screens
from acceptance.images import check_grown, ready_made
from pipeline.boot.stories import SERIAL, Lab, Story, must
from pipeline.formats import gpt
from pipeline.formats.fields import open_image
from pipeline.vm import disks, write_log
from pipeline.vm.machine import Disk

CUTS = 40
STARTED = 4  # of the disks that lost power


async def cut_off(lab: Lab) -> None:
    """At any moment the first table is whole, by which alone Linux goes; the next start does the rest."""
    before = ready_made(lab, "virtio-blk", node="before").image
    log = lab.work / "writes.log"
    log.touch()
    disk = replace(ready_made(lab, "virtio-blk"), log=log)
    async with lab.start(lab.machine(disk, network=True), "recorded") as vm:
        await screens.appliance(vm, 1)
        await vm.switch_off()
    old, new = (gpt.read_table(open_image(image), 1, 512).partitions for image in (before, disk.image))
    lab.note(f"power cuts of a first start: chosen by chance, which `--seed {lab.seed}` repeats")
    chance = random.Random(lab.seed)  # noqa: S311 - chance, not secrets
    writes = write_log.read_log(log)
    cuts = write_log.cuts(writes, CUTS, chance)
    started = chance.sample(range(len(cuts)), STARTED)
    image = lab.work / "cut.img"
    for number, cut in enumerate(cuts):
        disks.copy(before, image)
        write_log.replay(log, image, write_log.survivors(writes, cut, chance))
        found = gpt.read_table(open_image(image), 1, 512).partitions
        where = f"after cut {number} (seed {lab.seed}), at write {cut} of {len(writes)}"
        must(found in (old, new), f"{where}, the first table is {found}")
        if number in started:
            lab.note(f"starting {where}")
            again = Disk("system", image, "virtio-blk", serial=SERIAL)
            async with lab.start(lab.machine(again, network=True), f"cut-{number}") as vm:
                status, said = await vm.get("/healthz")
                must(status == 200, f"{where}, /healthz answers {status}: {said}")
                await vm.switch_off()
            check_grown(lab, again)


FIRST_START: dict[str, Story] = {"image-power-cuts": cut_off}
