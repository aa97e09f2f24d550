"""Owns how a step becomes files: from the cache, or in its container, through its checks.

Must not know doit or recipes. Outputs go to scratch, pass their checks, enter the store, and only
then appear under their final names; so whatever is killed leaves nothing that looks finished.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline import sandbox
from pipeline.checks.finding import Severity
from pipeline.engine import NO_EMULATION
from pipeline.errors import PipelineError
from pipeline.inside import FAILED
from pipeline.report import Line
from pipeline.step import Step, file_name
from pipeline.store import Result
from pipeline.surroundings import StepError, Surroundings

LAST_LINES = 20
KILLED = 128 + 9


class CheckError(PipelineError):
    """An artifact that must not be used."""


def realise(step: Step, around: Surroundings, folder: Path, line: Line, *, again: bool = False) -> None:
    """Make the step's outputs, or take them from the cache, and publish them into `folder`.

    The steps it needs have to be realised before; `again` says that another step will need a like
    container soon. Raises PipelineError when it cannot be done.
    """
    key = around.key(step)
    if key is None:
        raise StepError(f"step {step.name}: something it needs has not been made yet")
    with around.store.lock(key, lambda: line.note("another build makes this now; waiting for it")):
        result = around.store.result(key)
        if result is not None and _publish(step, result, around, folder):
            line.cached = True
            return
        started = time.monotonic()
        with around.store.scratch() as scratch:
            out = scratch / "out"
            out.mkdir()
            log = folder / "logs" / f"{file_name(step.name)}.log"
            _make(step, around, scratch, log, line, again)
            if around.key_now(step) != key:
                raise StepError(f"step {step.name}: its inputs changed while it ran", "run it again")
            _check(step, {name: out / name for name in step.outputs}, line)
            blobs = {name: around.store.add(out / name) for name in step.outputs}
        made = Result(blobs, round(time.monotonic() - started, 2), step.checks_digest())
        around.store.record(key, made)
        if not _publish(step, made, around, folder):
            raise StepError(f"step {step.name}: the cache lost what was just put into it", "look at its disk")


def _publish(step: Step, result: Result, around: Surroundings, folder: Path) -> bool:
    """Copy what people get out of the store; False when the store lost or spoiled any output."""
    store = around.store
    paths = {name: store.find(result.outputs[name]) for name in step.outputs if name in result.outputs}
    intact = {name: path for name, path in paths.items() if path is not None}
    if len(intact) < len(step.outputs):
        return False
    if result.checked != step.checks_digest():
        _check(step, intact, Line.silent())
        key = around.key(step)
        if key is not None:
            store.record(key, replace(result, checked=step.checks_digest()))
    for blob in result.outputs.values():
        store.touch(blob)
    return all(store.copy(result.outputs[name], folder / name, mode) for name, mode in step.published.items())


def _check(step: Step, outputs: Mapping[str, Path], line: Line) -> None:
    """Apply the step's rules to its outputs. Raises CheckError with all that is wrong with them."""
    wrong = []
    for name, check in step.checks.items():
        for finding in check(outputs[name]):
            text = f"{name}: {finding.code}: {finding.message}"
            if finding.severity is Severity.ERROR:
                wrong.append(f"{text}\n      hint: {finding.hint}")
            else:
                line.note(f"{text} ({finding.hint})")
    if wrong:
        raise CheckError(
            f"step {step.name} made something that must not be used:\n    " + "\n    ".join(wrong)
        )


def _make(step: Step, around: Surroundings, scratch: Path, log: Path, line: Line, again: bool) -> None:
    if step.run is None:
        for name, path in around.files(step, line).items():
            (scratch / "out" / name).write_bytes(path.read_bytes())
        return
    status, error = sandbox.run(step, around, scratch, log, line, again=again)
    if status != 0:
        raise _failure(step, status, error, log)
    missing = [name for name in step.outputs if not (scratch / "out" / name).is_file()]
    if missing:
        raise StepError(f"step {step.name}: ended without making {', '.join(missing)}", f"its log: {log}")


def _failure(step: Step, status: int, error: Mapping[str, str] | None, log: Path) -> StepError:
    if status == FAILED and error:
        hint = f"{error['hint']}\n  log: {log}" if error["hint"] else f"its log: {log}"
        return StepError(f"step {step.name}: {error['message']}", hint)
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    lines = "\n    ".join(tail)
    hint = f"its log: {log}"
    if status == KILLED:
        hint = f"was there enough memory? {hint}"
    if "exec format error" in lines:
        hint = NO_EMULATION
    return StepError(f"step {step.name} ended with status {status}:\n    {lines}", hint)
