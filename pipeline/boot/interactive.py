"""Booting in a terminal, to look around: a step's `run`, in the boot container with a terminal attached."""

import os
from dataclasses import replace

from pipeline.steps.runner import Context
from pipeline.vm import disks, machine
from pipeline.vm.machine import Disk, Machine

LEAVE = "Ctrl-A X ends the machine, Ctrl-A C switches between its console and QEMU's monitor."
MEMORY_MIB = 1536  # of a machine that is installed to


def run(ctx: Context) -> None:
    """Become QEMU: boot `inputs.iso` in the way `params.way`, with `params.accel` (auto, kvm or tcg).

    `params.disk` is how many bytes an empty disk has that the machine gets besides, 0 for none. Raises
    PipelineError when there is no such way, no firmware, or no KVM where it is demanded.
    """
    way = machine.way(ctx.params["way"])
    firmware = machine.find_firmware()
    accel, *_ = machine.accelerators(ctx.params["accel"], kvm=machine.can_open_kvm())
    booting = machine.booting(way, ctx.inputs["iso"], firmware, ctx.work, accel)
    also = ""
    if size := ctx.params["disk"]:
        target = Disk("target", disks.blank(ctx.work / "disk.img", size), "nvme", serial="DISK0001", turn=0)
        booting = _with_disk(booting, target)
        also = f", beside an empty disk of {size} bytes that is gone afterwards"
    command = machine.argv(booting, machine.terminal())
    print(f"Booting from {way.medium} with {accel}{also}. {LEAVE}", flush=True)
    os.execvp(command[0], command)  # noqa: S606 - nothing of ours is left to outlive it


def _with_disk(booting: Machine, disk: Disk) -> Machine:
    """Return the machine with a disk that is tried before the medium: what is installed to it, starts."""
    (medium,) = booting.disks
    return replace(booting, disks=(disk, replace(medium, turn=1)), memory=MEMORY_MIB)
