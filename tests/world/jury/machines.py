"""What runs in the container `boot`: machines that start one medium after the other, and what came of it.

Firmware goes on to its next boot option where a program returns an error, so one machine tries as many media
as it has ports. One that hangs over a medium is started again with those behind it. What takes the machine
over, as Linux does, has one to itself.
"""

import asyncio
import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from pipeline.boot import probe
from pipeline.steps.runner import Context, emit
from pipeline.vm import machine
from pipeline.vm.machine import Disk, Machine
from pipeline.vm.monitor import attached
from pipeline.vm.processes import running
from pipeline.vm.tpm import attached_tpm
from pipeline.vm.variables import SECURE_CODE
from tests.world.jury.stores import STORES

PATIENCE = 120.0  # seconds without a word, on a loaded machine without KVM
OF_BIOS = 40.0  # of a BIOS, which is quick
MAX_PATIENCE = 5  # times that, for one that does not stop talking
TAIL = 3000  # letters of what a machine said last

ESCAPES = re.compile(r"\x1b\[[0-9;=?]*[A-Za-z]|[\r\n]")
CMDLINE = "console=ttyS0 panic=-1 loglevel=4"


@dataclass(frozen=True)
class Way:
    """How media are started: by which firmware, on which bus, in which blocks (bytes), how many at once.

    A machine may have a `tpm`, a `store` of variables, and give a program without a bus these `options`.
    """

    firmware: str
    bus: str
    block: int
    at_once: int
    tpm: bool = False
    options: str = ""
    store: str = ""


WAYS = {
    "uefi_cd": Way("uefi", "cd", 2048, 6),
    "uefi_512": Way("uefi", "usb", 512, 10),
    "uefi_4096": Way("uefi", "nvme", 4096, 10),
    "bios_cd": Way("bios", "cd", 2048, 6),
    "bios_disk": Way("bios", "usb", 512, 1),
    "efi": Way("uefi", "usb", 512, 10),
    "uki": Way("uefi", "usb", 512, 1),
    "pcr": Way("uefi", "usb", 512, 1, tpm=True),
    "pcr_1": Way("uefi", "", 512, 1, tpm=True, options="@1"),
    "linux": Way("bios", "", 512, 1),
    "secure": Way("secure", "usb", 512, 10),
    "secure_uki": Way("secure", "usb", 512, 1),
    **{f"store_{name}": Way("secure", "usb", 512, 10, store=name) for name in STORES},
}
STOPPED = ("Verification failed", "SBAT self-check failed")  # what shim says when it refuses, and waits

Verdicts = dict[int, bool]
"""By a medium's place in the machine: whether what is on it was started."""

Judge = Callable[[str, int, str], Verdicts]


def by_uefi(said: str, count: int, word: str) -> Verdicts:
    """Read what the boot manager says of its options, which are named by their media's serial numbers.

    After the last one it starts again what can be started, without a word of its own.

    >>> by_uefi('BdsDxe: failed to load Boot0001 "UEFI JURY0 " from x: Not Found', 1, "WORD")
    {0: False}
    """
    lines = ESCAPES.sub("", said).split("BdsDxe: ")
    found: Verdicts = {}
    for line, behind in zip(lines, [*lines[1:], None], strict=True):
        named = re.match(r'(failed to load|starting) Boot[0-9A-F]{4} "[^"]*JURY(\d+)[^"]*"', line)
        if named and int(named[2]) < count:
            number = int(named[2])
            if word in line and named[1] == "starting":
                found[number] = True
            elif named[1] == "failed to load" or behind is not None or any(one in line for one in STOPPED):
                found.setdefault(number, False)
    if "No bootable option" in said or "Interactive Shell" in said:
        return {number: found.get(number, False) for number in range(count)}
    return found


def by_bios(said: str, count: int, word: str) -> Verdicts:
    """Read what SeaBIOS says of the media that it tries, in their order."""
    tried = said.split("Booting from ")[1:]
    found = {
        number: word in text
        for number, text in enumerate(tried[:count])
        if word in text or number + 1 < len(tried) or "No bootable device" in text or "Boot failed" in text
    }
    if "No bootable device" in said:
        return {number: found.get(number, False) for number in range(count)}
    return found


def by_linux(said: str, _count: int, word: str) -> Verdicts:
    """Read what Linux, or the program that it starts, says."""
    if word in said:
        return {0: True}
    if "Kernel panic" in said or "Interactive Shell" in said or "BdsDxe: failed to" in said:
        return {0: False}
    return {}


def _judge(way: str) -> Judge:
    return (
        by_linux
        if WAYS[way].at_once == 1 and way != "bios_disk"
        else (by_bios if WAYS[way].firmware == "bios" else by_uefi)
    )


def a_machine(way: Way, media: Sequence[Path], folder: Path, accel: str) -> Machine:
    """Return a machine with these media, in their order; with Secure Boot its variables are its own."""
    flash = None if way.firmware == "bios" else machine.find_firmware()
    secure = way.firmware == "secure"
    code = flash.code if flash else None
    disks = [
        Disk(
            f"medium{number}",
            path,
            way.bus,
            serial=f"JURY{number}",
            block=way.block,
            read_only=way.bus == "cd" or way.store != "",
            turn=number + 2,
        )
        for number, path in enumerate(media)
        if way.bus
    ]
    return Machine(
        disks,
        code.with_name(SECURE_CODE) if code and secure else code,
        machine.fresh_variables(flash, folder) if flash else folder,
        accel,
        processors=1,
        memory=512,
        smm=secure,
        graphics=flash is not None,
    )


async def _listen(
    serial: asyncio.StreamReader, judge: Callable[[str], Verdicts], count: int, patience: float
) -> tuple[Verdicts, str]:
    """Return the verdicts as soon as they are complete, or when nothing more is said that is of use."""
    said, found = "", Verdicts()
    with suppress(TimeoutError):
        async with asyncio.timeout(patience * MAX_PATIENCE * count):
            while len(found) < count:
                data = await asyncio.wait_for(serial.read(1 << 16), patience)
                if not data:
                    break
                said += data.decode(errors="replace")
                found = judge(said)
    return found, said


async def run(
    ctx: Context, name: str, accel: str, names: Sequence[str], media: Sequence[Path], folder: Path
) -> tuple[Verdicts, str]:
    """Start one machine; return what is known of its media then, and what it said."""
    folder.mkdir(parents=True)
    way = WAYS[name]
    ours, theirs = socket.socketpair()
    given = a_machine(way, media, folder, accel)
    if given.smm:
        if way.store:
            shutil.copyfile(ctx.inputs[f"{way.store}.fd"], given.variables)
        else:
            told = ctx.inputs["variables.json"]
            ctx.run(["virt-fw-vars", "--inplace", str(given.variables), "--set-json", str(told)])
    if name == "linux":
        given = replace(given, kernel=ctx.inputs["vmlinuz"], initrd=media[0], append=CMDLINE)
    if way.options:
        given = replace(given, kernel=media[0], append=way.options)
    judge, word = _judge(name), ctx.params["words"][names[0]]
    async with AsyncExitStack() as stack:
        tpm = await stack.enter_async_context(attached_tpm(folder)) if way.tpm else None
        words = machine.argv(replace(given, tpm=tpm), machine.watched(theirs.fileno()))
        fds = [theirs.fileno()] if tpm is None else [theirs.fileno(), tpm]
        process = await stack.enter_async_context(running(words, fds=fds))
        theirs.close()
        async with attached(ours) as monitor:
            await monitor.power_on()
            serial = cast("asyncio.StreamReader", process.stdout)
            patience = (OF_BIOS if name.startswith("bios") else PATIENCE) * ctx.params.get("patience", 1)
            return await _listen(serial, lambda said: judge(said, len(media), word), len(media), patience)


def _medium(ctx: Context, name: str, way: str, folder: Path) -> Path:
    """Return what is plugged in: a program inside a FAT, all else as it is, in whole blocks."""
    path = folder / name
    if not WAYS[way].bus:
        return ctx.inputs[name]
    if way in ("efi", "uki", "pcr", "secure", "secure_uki"):
        program = ctx.inputs[name]
        kib = max(34_000, program.stat().st_size // 1024 + 4096)
        ctx.run(["mkfs.vfat", "-F", "32", "-s", "1", "-C", str(path), str(kib)])
        ctx.run(["mmd", "-i", str(path), "::EFI", "::EFI/BOOT"])
        ctx.run(["mcopy", "-i", str(path), str(program), "::EFI/BOOT/BOOTX64.EFI"])
    else:
        shutil.copyfile(ctx.inputs[name], path)
    block = WAYS[way].block
    os.truncate(path, -(-path.stat().st_size // block) * block)
    return path


async def _try(
    ctx: Context, way: str, names: Sequence[str], turn: asyncio.Semaphore, accel: str, folder: Path
) -> dict[str, Any]:
    """Start these media in one machine, and those behind one that hung in another."""
    found: dict[str, Any] = {}
    async with turn:
        folder.mkdir(parents=True)
        media = {name: _medium(ctx, name, way, folder) for name in names}
        round_ = 0
        while media:
            names = list(media)
            verdicts, said = await run(ctx, way, accel, names, list(media.values()), folder / str(round_))
            silent = next((number for number in range(len(names)) if number not in verdicts), None)
            for number, name in enumerate(names):
                if number in verdicts or number == silent:
                    found[f"{name}:{way}"] = {
                        "started": verdicts.get(number, False),
                        "hung": number == silent,
                        "said": said[-TAIL:] if len(names) == 1 or number == silent else "",
                    }
                    del media[name]
            round_ += 1
        shutil.rmtree(folder)
    return found


def acceleration(ctx: Context) -> str:
    """Return what runs a machine's code here: KVM where it works."""
    return "kvm" if machine.can_open_kvm() and not probe.fault(ctx.work, "kvm") else "tcg"


def start(ctx: Context) -> None:
    """Write `seen.json`: by `NAME:WAY` of each of `params.trials` (way to names) whether it was started.

    Those in `params.alone` have a machine each. `params.words` is by name what programs say, the same for
    those that share a machine; the input `vmlinuz` is the kernel for initramfs archives.
    `params.patience` is how many times longer than usual machines may say nothing.
    """
    accel = acceleration(ctx)
    cores = ctx.params.get("machines") or os.cpu_count() or 1

    async def every() -> None:
        turn = asyncio.Semaphore(cores)
        groups: list[tuple[str, list[str]]] = []
        for way, names in ctx.params["trials"].items():
            groups += [(way, [name]) for name in names if name in ctx.params["alone"]]
            others = [name for name in names if name not in ctx.params["alone"]]
            for first in range(0, len(others), WAYS[way].at_once):
                groups.append((way, others[first : first + WAYS[way].at_once]))
        tries = [
            _try(ctx, way, names, turn, accel, ctx.work / str(n)) for n, (way, names) in enumerate(groups)
        ]
        seen: dict[str, Any] = {}
        for done, each in enumerate(asyncio.as_completed(tries), 1):
            seen |= await each
            (ctx.out / "seen.json").write_text(json.dumps(seen, indent=1))
            emit("progress", done=done, total=len(tries), unit="machines")

    asyncio.run(every())
    (ctx.out / ctx.params["done"]).touch()
