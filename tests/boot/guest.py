"""What tests have done in the container of virtual machines: a root is made, and started, also of a disk."""

import asyncio
import shutil
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.formats import gpt
from pipeline.formats.fields import open_image
from pipeline.steps.runner import Context
from pipeline.vm import machine
from pipeline.vm.machine import Disk, Machine
from pipeline.vm.session import Session

ROOT = "root.img"
TIMEOUT = 60  # seconds


def make_root(ctx: Context) -> None:
    """Write ROOT: ext4 with the label ROOT, in blocks of a hash tree's size, out of the input `tree`."""
    tree, image = str(ctx.inputs["tree"]), str(ctx.out / ROOT)
    ctx.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-L", "ROOT", "-d", tree, image, "16M"])


def start(ctx: Context) -> None:
    """Start the inputs `vmlinuz` and `initramfs` with `params.append`, a disk for each of `params.disks`, and
    wait for `params.hears` on the serial line.
    """
    disks = [Disk(name, ctx.inputs[name], "virtio-blk", read_only=True) for name in ctx.params["disks"]]
    guest = Machine(
        disks=disks,
        code=None,
        variables=Path(),
        accel="tcg",
        graphics=False,
        memory=512,
        kernel=ctx.inputs["vmlinuz"],
        initrd=ctx.inputs["initramfs"],
        append=f"console=ttyS0 no_timer_check quiet {ctx.params['append']}",
    )

    async def whole() -> None:
        async with Session(guest, ctx.out / "run").running() as vm:
            for text in ctx.params["hears"]:
                await vm.hear(text, timeout=TIMEOUT)

    asyncio.run(whole())
    print("heard all")


BLOCK = b"# GRUB Environment Block\n"


def _fat(ctx: Context, tool: str, disk: Path, *words: str) -> str:
    """Run one of mtools on the EFI system partition of a disk."""
    table = gpt.read_table(open_image(disk), 1)
    (esp,) = (one for one in table.partitions if one.kind == gpt.EFI_SYSTEM_PARTITION)
    return ctx.run([tool, "-i", f"{disk}@@{esp.first_lba * 512}", *words], env={"MTOOLS_SKIP_CHECK": "1"})


def start_disk(ctx: Context) -> None:
    """Start the input `disk` by BIOS, or with `params.uefi`, once for each of `params.rounds`.

    A round is what is chosen for this boot before it (an entry, "" for nothing), what stands on the serial
    line's screen, which keys are pressed then, and what Linux says. Afterwards nothing is chosen any more,
    but on a disk that is `params.locked`: nobody can write to it.
    """
    disk = ctx.work / "disk"
    shutil.copyfile(ctx.inputs["disk"], disk)
    firmware = machine.find_firmware()
    guest = Machine(
        disks=[Disk("disk", disk, "virtio-blk", turn=0, read_only=ctx.params["locked"])],
        code=firmware.code if ctx.params["uefi"] else None,
        variables=machine.fresh_variables(firmware, ctx.work),
        accel="tcg",
        memory=512,
    )
    place = f"::{ctx.params['block']}"

    async def play(number: int, sees: list[str], keys: list[str], hears: str) -> None:
        async with Session(guest, ctx.out / f"run-{number}").running() as vm:
            if sees:
                await vm.see(*sees, timeout=4 * TIMEOUT)
            for key in keys:
                await vm.press(key)
            await vm.hear(hears, timeout=6 * TIMEOUT)

    for number, (chosen, sees, keys, hears) in enumerate(ctx.params["rounds"]):
        if chosen:
            (ctx.work / "block").write_bytes((BLOCK + f"next_entry={chosen}\n".encode()).ljust(1024, b"#"))
            _fat(ctx, "mcopy", disk, "-o", str(ctx.work / "block"), place)
        asyncio.run(play(number, sees, keys, hears))
        left, expected = _fat(ctx, "mtype", disk, place), chosen if ctx.params["locked"] else ""
        if chosen and (f"next_entry={expected}\n" not in left or len(left) != 1024):
            raise PipelineError(f"round {number}: afterwards chosen is {left!r}, not {expected!r}")
    print("heard all")
