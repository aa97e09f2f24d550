"""Owns what a boot test leaves behind and says: result.json, timeline.json, one line a boot, the failure.

Must not know the virtual machine.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.vm.stages import Stage
from pipeline.vm.symptoms import Cause

LAST_LINES = 40
FIRST_COMPLAINTS = 8  # what follows is a register dump


@dataclass(frozen=True)
class Failure:
    """Why a boot failed, and what there was to see when it did."""

    cause: Cause
    screenshot: str | None
    complaints: str


@dataclass(frozen=True)
class Outcome:
    """How one way of booting went. Times are seconds since power-on; `failure` is None when it passed."""

    way: str
    accel: str
    times: Mapping[Stage, float]
    timeline: Sequence[tuple[float, str]]
    serial: str
    screen: str
    missing: Sequence[str]
    failure: Failure | None

    @property
    def stage(self) -> Stage:
        """The furthest stage that was reached."""
        return max(self.times)


def summary(outcome: Outcome) -> str:
    """Return one line: the way, every stage with its time, the accelerator, and whether it failed."""
    stages = sorted((stage, at) for stage, at in outcome.times.items() if stage is not Stage.POWER)
    steps = [f"{stage} {at:.1f} s" for stage, at in stages]
    if outcome.failure:
        steps.append("failed")
    return f"{outcome.way}: {' · '.join(steps)} ({outcome.accel})"


def explain(outcome: Outcome, failure: Failure, folder: str) -> str:
    """Return what a user is told of a failure; `folder` is where the outputs lie, as the user calls it."""
    last = outcome.serial.splitlines()[-LAST_LINES:]
    parts = [
        f"{outcome.way}: reached {str(outcome.stage)!r} after {outcome.times[outcome.stage]:.1f} s"
        f" ({outcome.accel}), then failed: {failure.cause.sentence}"
    ]
    if failure.complaints:
        complaints = failure.complaints.splitlines()
        parts.append("QEMU says:\n" + _indented(complaints[:FIRST_COMPLAINTS]))
    if outcome.missing:
        parts.append("missing on the screen: " + ", ".join(map(repr, outcome.missing)))
    if outcome.screen.strip():
        parts.append("the screen reads:\n" + _indented(outcome.screen.splitlines()))
    if last:
        parts.append(f"serial console, last {len(last)} lines:\n" + _indented(last))
    else:
        parts.append("the serial console said nothing")
    if failure.screenshot:
        parts.append(f"screenshot: {folder}/{outcome.way}/{failure.screenshot}")
    return "\n".join(parts)


def _indented(lines: Iterable[str]) -> str:
    return "\n".join("    " + line for line in lines if line.strip())


def write(outcome: Outcome, folder: Path) -> None:
    """Write result.json and timeline.json, both with times in seconds to the millisecond."""
    failure = outcome.failure
    result = {
        "way": outcome.way,
        "accel": outcome.accel,
        "passed": failure is None,
        "stage": str(outcome.stage),
        "seconds": {str(stage): round(at, 3) for stage, at in sorted(outcome.times.items())},
        "cause": failure and failure.cause.sentence,
        "hint": failure and failure.cause.hint,
        "complaints": failure.complaints.splitlines() if failure else [],
        "screenshot": failure and failure.screenshot,
        "missing": list(outcome.missing),
        "screen": outcome.screen.splitlines(),
    }
    timeline = [{"seconds": round(at, 3), "event": event} for at, event in outcome.timeline]
    for name, value in (("result.json", result), ("timeline.json", timeline)):
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
