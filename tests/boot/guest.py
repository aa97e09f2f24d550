"""What test_stage1.py has done in the container of virtual machines: a root is made, and started."""

import asyncio
from pathlib import Path

from pipeline.steps.runner import Context
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
