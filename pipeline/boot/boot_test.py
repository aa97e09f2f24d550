"""The boot test, a step's `run` in the boot container: each way of booting on a machine of its own."""

import asyncio
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from pipeline.boot.drive import Greeting, drive
from pipeline.boot.outcome import Outcome, summary, write
from pipeline.errors import PipelineError
from pipeline.steps.runner import Context
from pipeline.vm import machine, symptoms
from pipeline.vm.machine import Firmware, Way
from pipeline.vm.session import NotSeenError, Session
from pipeline.vm.stages import Stage
from pipeline.vm.watch import Watch

SLOWER = 5
"""How many times as long as a medium a system may take, which starts more than one program."""


@dataclass(frozen=True)
class Scenario:
    """What the boots of a test have in common: `media` by what ways are `of`; `timeout` is in seconds."""

    media: Mapping[str, Path]
    firmware: Firmware
    greeting: Greeting
    timeout: float
    out: Path
    work: Path
    note: Callable[[str], None]

    def greeting_of(self, way: Way) -> Greeting:
        """Return how what a way starts greets: a medium shows its welcome, too, and can be left."""
        if way.of == machine.DISK:
            return replace(self.greeting, leave="")
        shown = dict.fromkeys((*self.greeting.welcome.split(), *self.greeting.words))
        return replace(self.greeting, words=tuple(shown))


async def boot(scenario: Scenario, way: Way, accel: str) -> Outcome:
    """Boot the medium once, leave logs and screenshots in the way's folder, and say how it went."""
    folder = scenario.out / way.name
    if folder.exists():
        shutil.rmtree(folder)

    def tell(stage: Stage, seconds: float) -> None:
        scenario.note(f"{way.name}: {stage} {seconds:.1f} s")

    watch, is_system = Watch(tell, scenario.greeting.welcome), way.of == machine.DISK
    booting = machine.booting(way, scenario.media[way.of], scenario.firmware, scenario.work, accel)
    failure, cause = "", None
    try:
        async with Session(booting, folder, watch).running() as vm:
            await drive(vm, scenario.greeting_of(way), scenario.timeout * (SLOWER if is_system else 1))
    except NotSeenError as error:
        failure, cause = str(error), error.cause or symptoms.OFF
    outcome = Outcome(way.name, accel, watch.times, watch.timeline, failure, cause)
    write(outcome, folder)
    return outcome


async def boot_all(scenario: Scenario, ways: Sequence[Way], accelerators: Sequence[str]) -> list[Outcome]:
    """Boot each way with the first of `accelerators` that works here; KVM may open and yet be broken."""
    task = cast("asyncio.Task[object]", asyncio.current_task())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    left = list(accelerators)
    outcomes = []
    for way in ways:
        outcome = await boot(scenario, way, left[0])
        while outcome.cause is symptoms.KVM_BROKEN and len(left) > 1:
            scenario.note(f"{way.name}: {outcome.cause.sentence} Going on with {left[1]}.")
            del left[0]
            outcome = await boot(scenario, way, left[0])
        scenario.note(summary(outcome))
        outcomes.append(outcome)
    return outcomes


def run(ctx: Context) -> None:
    """Boot the ISO in `inputs.iso`, its UKI `inputs.uki` or a system's `inputs.disk`, each of `params.ways`.

    Raises PipelineError when any of them fails.

    Parameters: `ways` (names of machine.way), `accel` (auto, kvm or tcg), `timeout` (seconds for each
    way of a medium), `welcome`, `words` (those besides the welcome) and `leave` (see Greeting), `folder`
    (what the user calls the output folder).
    Writes `<way>/` with serial.log, screenshots, timeline.json and result.json.
    """
    params = ctx.params
    scenario = Scenario(
        media=ctx.inputs,
        firmware=machine.find_firmware(),
        greeting=Greeting(params["welcome"], tuple(params["words"]), params["leave"]),
        timeout=params["timeout"],
        out=ctx.out,
        work=ctx.work,
        note=ctx.note,
    )
    ways = [machine.way(name) for name in params["ways"]]
    accelerators = machine.accelerators(params["accel"], kvm=machine.can_open_kvm())
    failed = [one for one in asyncio.run(boot_all(scenario, ways, accelerators)) if one.failure]
    if failed:
        hints = dict.fromkeys(one.cause.hint for one in failed if one.cause)
        seen = f"logs and screenshots: {params['folder']}/{failed[0].way}"
        raise PipelineError("\n".join(one.failure for one in failed), "; ".join([*hints, seen]))
