"""Stories that prove a product: where one happens, which ones are run, and what is said of them.

A recipe brings its own, in a package that has `STORIES` and a step's `run` that calls the one here.
"""

import asyncio
import json
import os
import shutil
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.steps.runner import Context
from pipeline.vm import disks, machine
from pipeline.vm.machine import Disk, Firmware, Machine
from pipeline.vm.session import NotSeenError, Session
from pipeline.vm.variables import SECURE_CODE, Trusting, trusting

LIMIT = 1800.0  # seconds for one story: fifty power cuts take some minutes
MOST_AT_ONCE = 4  # stories: a machine takes 1.5 GiB
PORT = 18080  # of the container's loopback, and those behind it

SIZE = 9 << 30
SERIAL = "TEST0001ABCD"
OTHER = "OTHER0002WXYZ"
"""The serial number of every disk but the target."""

TRUSTED_KEYS = "trusted-keys"
"""The input with the public halves of the keys that an image of trial is signed with."""

VMLINUZ, INITRAMFS = "firmware.vmlinuz", "firmware.initramfs"
"""The inputs that machines may have in place of firmware, where `acceptance.firmware` names some."""

DRIVERS = {"disk": "raw", "qcow2": "qcow2", "vhd": "vpc", "vmdk": "vmdk"}
"""What QEMU calls the formats of disks that it can start a machine from, by the names of inputs."""


@dataclass(frozen=True)
class Lab:
    """Where a story happens: the ISO and what it was made of, folders of its own, and how machines run.

    Of a whole system `inputs` has the raw `disk`, its `uki`, and each other format of the disk by its name;
    `port`, of the loopback, is what leads to the service; `seed` makes what is left to chance repeatable;
    `times` are seconds that were measured, by what they are. `shipped` is the firmware as it was before it
    was told whom it trusts.
    """

    inputs: Mapping[str, Path]
    version: str
    note: Callable[[str], None]
    firmware: Firmware
    accel: str
    out: Path
    work: Path
    port: int
    seed: int
    times: dict[str, float] = field(default_factory=dict)
    tpm_state: Path | None = None
    shipped: Firmware | None = None

    @property
    def variables(self) -> Path:
        """The firmware's store of all machines that are not fresh."""
        return self.work / machine.VARIABLES

    def disk(self, bus: str = "nvme", *, node: str = "target", size: int = SIZE, block: int = 512) -> Disk:
        """Return an empty disk."""
        image = disks.blank(self.work / f"{node}.img", size)
        return Disk(node, image, bus, serial=SERIAL if node == "target" else OTHER, block=block)

    def medium(self, bus: str = "cd") -> Disk:
        """Return the ISO, as a disc or as a stick."""
        serial = "MEDIUM" if bus == "usb" else ""
        return Disk("medium", self.inputs["iso"], bus, serial=serial, read_only=True, turn=0)

    def system(self, bus: str = "virtio-blk", *, of: str = "disk", size: int = 0) -> Disk:
        """Return a system's disk to write to, a copy that takes no more room than what is in it.

        `of` names the input that it is of, `size` are the bytes that it is grown to. What QEMU writes to
        another format than the raw one goes to a qcow2 on top of it. Raises PipelineError for an input that
        is no disk that QEMU can start, and for a size that is less than that of a raw one.
        """
        driver = DRIVERS.get(of.rpartition("-")[2])
        if driver is None or of not in self.inputs:
            there = ", ".join(name for name in self.inputs if name.rpartition("-")[2] in DRIVERS)
            raise PipelineError(f"{of!r} is no disk that can be started", f"there are: {there or 'none'}")
        image, kind = self.work / f"{of}.img", "raw"
        if driver == "raw":
            disks.grow(disks.copy(self.inputs[of], image), size)
        else:
            image, kind = disks.overlay(self.inputs[of], driver, image, size), "qcow2"
        return Disk("system", image, bus, serial=SERIAL, kind=kind)

    def machine(self, *parts: Disk, fresh: bool = True, network: bool = False) -> Machine:
        """Return a machine; a `fresh` one has the firmware's variables as they leave the factory."""
        if fresh or not self.variables.exists():
            machine.fresh_variables(self.firmware, self.work)
        return Machine(
            parts,
            self.firmware.code,
            self.variables,
            self.accel,
            port=self.port if network else 0,
            smm=self.firmware.code.name == SECURE_CODE,
            tpm_state=self.tpm_state,
        )

    def trusted(self, whom: Trusting, *, tpm: bool = False) -> "Lab":
        """Return the same place where firmware trusts somebody, and where machines have one TPM, or none.

        The vendor's keys are those of the input TRUSTED_KEYS.
        """
        self.variables.unlink(missing_ok=True)
        shipped = self.shipped or self.firmware
        firmware = trusting(whom, shipped, self.inputs.get(TRUSTED_KEYS), self.out)
        tpm_state = self.work / "tpm" if tpm else None
        return replace(self, firmware=firmware, shipped=shipped, tpm_state=tpm_state)

    def start(self, machine: Machine, name: str = "install") -> AbstractAsyncContextManager[Session]:
        """Return a run of a machine, whose logs and pictures go to the folder `name` of the story."""
        return Session(machine, self.out / name).running()

    def took(self, vm: Session, name: str, what: str) -> None:
        """Remember how long after power-on something was seen."""
        self.times[name] = vm.times[what]


Story = Callable[[Lab], Awaitable[None]]


def must(holds: bool, sentence: str) -> None:
    """Raise NotSeenError with `sentence` unless it holds."""
    if not holds:
        raise NotSeenError(sentence)


def tell(name: str, story: Story, lab: Lab) -> str:
    """Play one story; return how it failed, "" where it held. Its disks are gone afterwards."""
    started = time.monotonic()
    failure = ""
    try:
        asyncio.run(_within(LIMIT, story(lab)))
    except TimeoutError as error:  # an OSError, too
        notes = getattr(error.__cause__, "__notes__", [])
        failure = "\n".join([f"it did not come to its end within {LIMIT:.0f} s", *notes])
    except (NotSeenError, PipelineError, OSError) as error:
        failure = str(error)
    except Exception as error:
        failure = "".join(traceback.format_exception(error)).strip()
    seconds = round(time.monotonic() - started, 1)
    record = {"story": name, "seconds": seconds, "times": lab.times, "seed": lab.seed, "failure": failure}
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (lab.out / "result.json").write_text(text, encoding="utf-8")
    with suppress(OSError):
        shutil.rmtree(lab.work)
    lab.note(f"install {name}: {'FAILED' if failure else 'ok'} {seconds:.1f} s")
    return failure


async def _within(seconds: float, story: Awaitable[None]) -> None:
    async with asyncio.timeout(seconds):
        await story


def _labs(ctx: Context, accel: str) -> Iterator[tuple[str, Lab]]:
    """Yield each story's name, and where it happens: a folder and a port of its own."""
    firmware = machine.find_firmware()
    speaking = threading.Lock()

    def note(text: str) -> None:
        with speaking:
            ctx.note(text)

    for number, name in enumerate(ctx.params["stories"]):
        out, work = ctx.out / name, ctx.work / name
        for folder in (out, work):
            folder.mkdir(parents=True)
        version, seed = ctx.params["version"], ctx.params["seed"]
        yield name, Lab(ctx.inputs, version, note, firmware, accel, out, work, PORT + number, seed)


def run(ctx: Context, stories: Mapping[str, Story]) -> None:
    """Play those of `stories` that `params.stories` names, with the ISO in `inputs.iso`.

    As many run at a time as there are processors: most of their time they wait. Parameters: `accel` (auto,
    kvm or tcg), `version` (of the product), `seed` (of what is left to chance), `folder` (what the user calls
    the output folder). Writes `<story>/` with result.json, and for each run of a machine serial.log and
    pictures. Raises PipelineError when a story does not hold.
    """
    accel = machine.accelerators(ctx.params["accel"], kvm=machine.can_open_kvm())[-1]
    with ThreadPoolExecutor(min(MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
        told = {name: pool.submit(tell, name, stories[name], lab) for name, lab in _labs(ctx, accel)}
    failed = {name: failure for name, future in told.items() if (failure := future.result())}
    if failed:
        said = "\n".join(f"{name}: {failure}" for name, failure in failed.items())
        raise PipelineError(said, f"logs and pictures: {Path(ctx.params['folder'])}/{next(iter(failed))}")
