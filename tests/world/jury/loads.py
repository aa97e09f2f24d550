"""What runs in the container `boot`: machines that load one program after the other, without starting them.

A machine trusts whom its variable store says. There the program `loads.c` asks firmware: any number of images
costs one start of a machine.
"""

import asyncio
import json
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.steps.runner import Context, emit
from tests.world.jury import machines

LOADED = "L"
STOPPED = {"S": "signer in dbx", "H": "digest in dbx", "D": "denied", "X": "no"}
"""What the program says: firmware loads the image; or why not: "no" is no reason of Secure Boot's."""

IMAGE = "IMAGE{:03}"
ORDERS = "ORDERS"
LOADER = "loader.efi"
VOLUME = 512 << 10  # KiB, of a sparse file


@dataclass(frozen=True)
class Order:
    """Which image to load, and which bits to change at one of its bytes before."""

    image: int
    offset: int = 0
    bits: int = 0


def written(sizes: Sequence[int], orders: Sequence[Order]) -> bytes:
    """Return what the program reads, for images of these sizes in bytes.

    >>> written([7, 9], [Order(1, 2, 4)]).hex(" ", 4)
    '01000000 01000000 09000000 02000000 04000000'
    """
    every = [struct.pack("<4I", one.image, sizes[one.image], one.offset, one.bits) for one in orders]
    return struct.pack("<I", len(every)) + b"".join(every)


def heard(said: str) -> str:
    """Return the letters that the program said.

    >>> heard("BdsDxe: starting Boot0001\\r\\nLOADS DLX\\r\\nJURY-STARTED")
    'DLX'
    """
    found = re.search(f"LOADS ([{LOADED}{''.join(STOPPED)}]*)", said)
    return found[1] if found else ""


def load(ctx: Context) -> None:
    """Write `said.json`: by the name of each of `params.ways` what its machine said.

    The inputs are the volume's files, `loader.efi`, and `NAME.fd` for each store.
    """
    medium, accel = ctx.work / "medium", machines.acceleration(ctx)
    ctx.run(["mkfs.vfat", "-F", "32", "-C", str(medium), str(VOLUME)])
    ctx.run(["mmd", "-i", str(medium), "::EFI", "::EFI/BOOT"])
    ctx.run(["mcopy", "-i", str(medium), str(ctx.inputs[LOADER]), "::EFI/BOOT/BOOTX64.EFI"])
    for name, path in ctx.inputs.items():
        if name == ORDERS or name.startswith(IMAGE.partition("{")[0]):
            ctx.run(["mcopy", "-i", str(medium), str(path), f"::{name}"])

    async def every() -> None:
        turn = asyncio.Semaphore(ctx.params.get("machines") or os.cpu_count() or 1)

        async def one(way: str) -> tuple[str, str]:
            async with turn:
                return way, (await machines.run(ctx, way, accel, [LOADER], [medium], ctx.work / way))[1]

        said = {}
        for done, each in enumerate(asyncio.as_completed([one(way) for way in ctx.params["ways"]]), 1):
            way, said[way] = await each
            emit("progress", done=done, total=len(ctx.params["ways"]), unit="machines")
        (ctx.out / "said.json").write_text(json.dumps(said))

    asyncio.run(every())
    (ctx.out / ctx.params["done"]).touch()
