"""Owns booting in a terminal, to look around: the serial console is the terminal.

A step's `run`, in the boot container with a terminal attached. Must not watch or judge the machine.
"""

import os

from pipeline.steps.runner import Context
from pipeline.vm import machine

LEAVE = "Ctrl-A X ends the machine, Ctrl-A C switches between its console and QEMU's monitor."


def run(ctx: Context) -> None:
    """Become QEMU: boot `inputs.iso` in the way `params.way`, with `params.accel` (auto, kvm or tcg).

    Raises PipelineError when there is no such way, no firmware, or no KVM where it is demanded.
    """
    way = machine.way(ctx.params["way"])
    firmware = machine.find_firmware()
    accel, *_ = machine.accelerators(ctx.params["accel"], kvm=machine.can_open_kvm())
    booting = machine.booting(way, ctx.inputs["iso"], firmware, ctx.work, accel)
    command = machine.argv(booting, machine.terminal())
    print(f"Booting from {way.medium} with {accel}. {LEAVE}", flush=True)
    os.execvp(command[0], command)  # noqa: S606 - nothing of ours is left to outlive it
