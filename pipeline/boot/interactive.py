"""Booting in a terminal, to look around: a step's `run`, in the boot container with a terminal attached."""

import os
import shutil
from dataclasses import replace

from pipeline.steps.runner import Context
from pipeline.vm import disks, machine
from pipeline.vm.machine import Disk, Machine, Way

LEAVE = "Ctrl-A X ends the machine, Ctrl-A C switches between its console and QEMU's monitor."
MEMORY_MIB = 1536  # of a machine that is installed to
DISK = "disk.qcow2"
VNC_PORT = 5900
"""Of the container's display :0 (RFC 6143)."""

KEPT = (machine.VARIABLES, DISK)
"""What is kept of a machine: inputs where there was one, and outputs where it is to be kept.

In the order in which they appear: where the disk is, all is.
"""


def run(ctx: Context) -> None:
    """Become QEMU: boot the input that the way `params.way` is of, or without a way the kept disk.

    Parameters: `accel` (auto, kvm or tcg); `disk`, the bytes of a disk to install to, 0 for none, or what a
    system's own is grown to; `keep`, whether it and the firmware's variables come out as KEPT; `display`,
    `none` or `vnc`, and with that `port`, which leads to it from outside. Raises PipelineError when there is
    no such way, no firmware, or no KVM where it is demanded.
    """
    params, display = ctx.params, "none"
    way = machine.way(params["way"]) if params["way"] else None
    accel, *_ = machine.accelerators(params["accel"], kvm=machine.can_open_kvm())
    booting = _machine(ctx, way, accel)
    if params["display"] == "vnc":
        display = f"vnc=0.0.0.0:{params['port'] - VNC_PORT}"
        print(f"Its screen is at vnc://127.0.0.1:{params['port']}.")
    print(f"Booting from {_said(ctx, way)} with {accel}. {LEAVE}", flush=True)
    command = machine.argv(booting, machine.terminal(display))
    os.execvp(command[0], command)  # noqa: S606 - nothing of ours is left to outlive it


def _machine(ctx: Context, way: Way | None, accel: str) -> Machine:
    """Return the machine; what of it is to be kept lies in the folder for outputs."""
    firmware = machine.find_firmware()
    place = ctx.out if ctx.params["keep"] else ctx.work
    medium: tuple[Disk, ...] = ()
    variables = machine.fresh_variables(firmware, place)
    booting = Machine((), firmware.code, variables, accel)
    if way is not None:
        booting = machine.booting(way, ctx.inputs[way.of], firmware, ctx.work, accel)
        booting, medium = replace(booting, variables=variables), tuple(booting.disks)
    if way is not None and way.of == machine.DISK:
        if size := ctx.params["disk"]:
            disks.run("qemu-img", "resize", "-q", str(medium[0].image), str(size))
        return booting
    if not (ctx.params["disk"] or way is None):
        return booting
    image = place / DISK
    if DISK in ctx.inputs:
        for name in KEPT:
            shutil.copyfile(ctx.inputs[name], ctx.work / name).replace(place / name)
    else:
        disks.run("qemu-img", "create", "-q", "-f", "qcow2", str(image), str(ctx.params["disk"]))
    # An empty disk is tried first, so that what is installed to it starts; one with something on it is not.
    is_empty = DISK not in ctx.inputs
    target = Disk("target", image, "nvme", serial="DISK0001", kind="qcow2", turn=0 if is_empty else 1)
    parts = (target, *(replace(each, turn=1 if is_empty else 0) for each in medium))
    return replace(booting, disks=parts, memory=MEMORY_MIB)


def _said(ctx: Context, way: Way | None) -> str:
    """Return what is booted from, and what else there is, as people read it."""
    if way is None:
        return "the disk that was kept"
    if way.of == machine.DISK:
        return f"{way.medium}; what is written to it is gone afterwards"
    if not ctx.params["disk"]:
        return way.medium
    if DISK in ctx.inputs:
        return f"{way.medium}, beside the disk that was kept"
    fate = "kept" if ctx.params["keep"] else "gone"
    return f"{way.medium}, beside an empty disk of {ctx.params['disk']} bytes that is {fate} afterwards"
