"""What a boot test leaves behind and says of each boot: result.json, timeline.json, one line."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.vm.stages import Stage
from pipeline.vm.symptoms import Cause


@dataclass(frozen=True)
class Outcome:
    """How one way of booting went. Times are seconds since power-on.

    `failure` is what a person is told of one that failed, and "" where it passed; `cause` is why.
    """

    way: str
    accel: str
    times: Mapping[Stage, float]
    timeline: Sequence[tuple[float, str]]
    failure: str = ""
    cause: Cause | None = None


def summary(outcome: Outcome) -> str:
    """Return one line: the way, every stage with its time, the accelerator, and whether it failed."""
    stages = sorted((stage, at) for stage, at in outcome.times.items() if stage is not Stage.POWER)
    steps = [f"{stage} {at:.1f} s" for stage, at in stages]
    if outcome.failure:
        steps.append("failed")
    return f"{outcome.way}: {' · '.join(steps)} ({outcome.accel})"


def write(outcome: Outcome, folder: Path) -> None:
    """Write result.json and timeline.json, both with times in seconds to the millisecond."""
    result = {
        "way": outcome.way,
        "accel": outcome.accel,
        "passed": not outcome.failure,
        "stage": str(max(outcome.times)),
        "seconds": {str(stage): round(at, 3) for stage, at in sorted(outcome.times.items())},
        "cause": outcome.cause and outcome.cause.sentence,
        "hint": outcome.cause and outcome.cause.hint,
        "failure": outcome.failure.splitlines(),
    }
    timeline = [{"seconds": round(at, 3), "event": event} for at, event in outcome.timeline]
    for name, value in (("result.json", result), ("timeline.json", timeline)):
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
