"""Owns the boot test: each way of booting on a machine of its own, and the verdict over all of them.

A step's `run`, in the boot container. Must not know how an ISO is made.
"""

import asyncio
import shutil
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pipeline.boot import outcome as report
from pipeline.boot.drive import FAILURE, Boot
from pipeline.boot.outcome import Failure, Outcome
from pipeline.boot.watch import Stopped, Watch
from pipeline.errors import PipelineError
from pipeline.steps.runner import Context
from pipeline.vm import machine, symptoms
from pipeline.vm.machine import Firmware, Way
from pipeline.vm.monitor import MonitorError, attached
from pipeline.vm.processes import running
from pipeline.vm.stages import Stage


@dataclass(frozen=True)
class Scenario:
    """What the boots of a test have in common: `words` must stand on the screen, `timeout` is in seconds."""

    medium: Path
    firmware: Firmware
    words: tuple[str, ...]
    timeout: float
    out: Path
    work: Path
    note: Callable[[str], None]


async def _stopped(scenario: Scenario, channel: socket.socket, watch: Watch, folder: Path) -> Stopped | None:
    """Drive the machine behind `channel` through the scenario; return what stopped it, if anything did."""
    try:
        async with attached(channel) as monitor:
            boot = Boot(monitor, watch, folder)
            try:
                await boot.drive(scenario.words, scenario.timeout)
            except Stopped as stopped:
                with suppress(MonitorError):
                    await boot.last_look()
                return stopped
    except MonitorError:
        return Stopped(symptoms.OFF)
    return None


async def boot(scenario: Scenario, way: Way, accel: str) -> Outcome:
    """Boot the medium once, leave logs and screenshots in the way's folder, and say how it went."""
    folder = scenario.out / way.name
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()

    def tell(stage: Stage, seconds: float) -> None:
        scenario.note(f"{way.name}: {stage} {seconds:.1f} s")

    watch = Watch(folder / "serial.log", accel, tell)
    ours, theirs = socket.socketpair()
    booting = machine.booting(way, scenario.medium, scenario.firmware, scenario.work, accel)
    command = machine.argv(booting, machine.watched(theirs.fileno()))
    async with running(command, fds=[theirs.fileno()]) as process:
        theirs.close()
        serial = cast("asyncio.StreamReader", process.stdout)
        messages = cast("asyncio.StreamReader", process.stderr)
        listening = asyncio.gather(watch.hear(serial), watch.overhear(messages))
        stopped = await _stopped(scenario, ours, watch, folder)
    await listening
    failure = None
    if stopped is not None:
        screenshot = FAILURE if (folder / FAILURE).exists() else None
        failure = Failure(watch.diagnose(stopped.cause), screenshot, watch.complaints)
    outcome = Outcome(
        way.name, accel, watch.times, watch.timeline, watch.serial, watch.screen, watch.missing, failure
    )
    report.write(outcome, folder)
    return outcome


async def boot_all(scenario: Scenario, ways: Sequence[Way], accelerators: Sequence[str]) -> list[Outcome]:
    """Boot each way with the first of `accelerators` that works here; KVM may open and yet be broken."""
    task = cast("asyncio.Task[object]", asyncio.current_task())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    left = list(accelerators)
    outcomes = []
    for way in ways:
        outcome = await boot(scenario, way, left[0])
        while outcome.failure and outcome.failure.cause is symptoms.KVM_BROKEN and len(left) > 1:
            scenario.note(f"{way.name}: {outcome.failure.cause.sentence} Going on with {left[1]}.")
            del left[0]
            outcome = await boot(scenario, way, left[0])
        scenario.note(report.summary(outcome))
        outcomes.append(outcome)
    return outcomes


def run(ctx: Context) -> None:
    """Boot the ISO in `inputs.iso` each of `params.ways`; raise PipelineError when any of them fails.

    Parameters: `ways` (names of machine.WAYS), `accel` (auto, kvm or tcg), `timeout` (seconds for each
    way), `product` and `version` (must stand on the screen beside Welcome), `folder` (what the user calls
    the output folder). Writes `<way>/` with serial.log, screenshots, timeline.json and result.json.
    """
    params = ctx.params
    scenario = Scenario(
        medium=ctx.inputs["iso"],
        firmware=machine.find_firmware(),
        words=("Welcome", *params["product"].split(), params["version"]),
        timeout=params["timeout"],
        out=ctx.out,
        work=ctx.work,
        note=ctx.note,
    )
    ways = [machine.way(name) for name in params["ways"]]
    accelerators = machine.accelerators(params["accel"], kvm=machine.can_open_kvm())
    outcomes = asyncio.run(boot_all(scenario, ways, accelerators))
    failed = [(outcome, outcome.failure) for outcome in outcomes if outcome.failure]
    if failed:
        messages = [report.explain(outcome, failure, params["folder"]) for outcome, failure in failed]
        hints = dict.fromkeys(failure.cause.hint for _, failure in failed)
        raise PipelineError("\n".join(messages), "; ".join(hints))
