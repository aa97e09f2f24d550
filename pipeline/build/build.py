"""How a step becomes files: from the cache, or in its container, through its checks.

Outputs go to scratch, pass their checks, enter the store, and only then appear under their final names; so
whatever is killed leaves nothing that looks finished.
"""

import contextlib
import threading
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from pipeline.build.builder import Builder, LostError, here
from pipeline.build.rules import CheckError, check_rules
from pipeline.errors import PipelineError
from pipeline.plan.step import Entry, Output, Step, file_name
from pipeline.report import Line
from pipeline.sandbox.environment import NO_EMULATION
from pipeline.sandbox.run import Outcome, StepError, run
from pipeline.steps.runner import FAILED
from pipeline.store.cache import CommandLine, Result
from pipeline.store.files import copy_digested

LAST_LINES = 20
KILLED = 128 + 9


def build_step(
    step: Step,
    builder: Builder,
    folder: Path,
    line: Line,
    *,
    again: bool = False,
    logs: Path | None = None,
    here_only: bool = False,
) -> None:
    """Make the step's outputs, or take them from the cache or one elsewhere, and publish them into `folder`.

    The steps it needs have to be realised before; `again` says that another step will need a like
    container soon; `logs` is the folder for its log, if not the one beside what it publishes; `here_only`
    keeps it from asking caches elsewhere.
    Raises PipelineError when it cannot be done.
    """
    key = builder.key(step)
    if key is None:
        raise StepError(f"step {step.name}: something it needs has not been made yet")
    store = builder.store

    def known() -> Result | None:
        result = store.result(key)
        return None if here_only and result and result.fetched else result

    found = known()
    if found and all(store.holds(blob) for name, blob in found.outputs.items() if name in here(step, found)):
        # without a lock at first: a cache may be for reading only
        line.cached = _take(step, key, found, builder, folder, Line.silent())
    if line.cached:
        return
    with store.lock(key, lambda: line.note("another build makes this now; waiting for it")):
        line.cached = _take(step, key, known(), builder, folder, line)
        line.fetched = not (line.cached or here_only) and _take(
            step, key, builder.elsewhere(step, key), builder, folder, line
        )
        if line.cached or line.fetched:
            return
        if step.network and store.offline:
            from pipeline.store.download import lacking  # it takes longer to load than doing nothing

            raise lacking(store, f"what step {step.name} fetches")
        log = (logs or folder / "logs") / f"{file_name(step.name)}.log"
        try:
            made = _make_checked(step, key, builder, log, line, again=again)
        except LostError:
            _mend_inputs(step, builder, folder, line)
            made = _make_checked(step, key, builder, log, line, again=again)
        store.record(key, made)
        if not _publish(step, made, builder, folder, line):
            raise StepError(f"step {step.name}: the cache lost what was just stored", "look at its disk")


def run_uncached(
    step: Step, builder: Builder, out: Path, log: Path, line: Line, *, known_as: str, device: str = ""
) -> None:
    """Run a step whose outputs no other step takes: they come to the folder `out`, also when it fails.

    Raises StepError, with what it reported, unless it ends well; `known_as` is what people know it as.
    """
    work = builder.work(step, line, device=device)
    run(builder.sandbox, work, out, log).expect_success(known_as, log)


def _take(step: Step, key: str, result: Result | None, builder: Builder, folder: Path, line: Line) -> bool:
    """Publish what a cache knows of the step, if that is intact, obeys the rules and is not disproved."""
    if result is None or set(result.outputs) != set(step.outputs):
        return False
    if wrong := builder.disproof(key, result.outputs):
        line.note(f"the cache is wrong, this is made again: {wrong}")
        return False
    try:
        return _publish(step, result, builder, folder, line, checked=False)
    except CheckError as error:
        line.note(f"the cache is wrong, this is made again: {error.message}")
        return False


def _mend_inputs(step: Step, builder: Builder, folder: Path, line: Line) -> None:
    """Make again what the step needs and the cache has lost or spoiled since."""
    for source in step.inputs.values():
        if not isinstance(source, Output):
            continue
        try:
            builder.output(source, Line.silent())
        except LostError:
            line.note(f"the cache lost {source.name} of step {source.step.name}: it is made again")
            build_step(replace(source.step, published={}), builder, folder, Line.silent(), here_only=True)


def _make_checked(step: Step, key: str, builder: Builder, log: Path, line: Line, *, again: bool) -> Result:
    """Run the step, and put what obeys its rules and the lock into the store."""
    started = time.monotonic()
    with builder.store.scratch() as scratch:
        out = scratch / "out"
        out.mkdir()
        commands = _make(step, builder, scratch, log, line, again)
        if builder.key_now(step) != key:
            raise StepError(f"step {step.name}: its inputs changed while it ran", "run it again")
        check_rules(step, {name: out / name for name in step.outputs}, line)
        blobs = {name: builder.store.add(out / name) for name in step.outputs}
    if wrong := builder.disproof(key, blobs):
        raise StepError(
            f"step {step.name}: same inputs, other bytes: {wrong}",
            f"`./doit reproduce --step {step.name}` tells what it depends on; if the lock is what is wrong, "
            "delete the lines of this step from it, build, and run `./doit lock outputs`",
        )
    return Result(blobs, round(time.monotonic() - started, 2), builder.checks_digest(step), commands)


def _publish(
    step: Step, result: Result, builder: Builder, folder: Path, line: Line, *, checked: bool = True
) -> bool:
    """Copy what people get out of the store; False when an output was lost or spoiled, and no cache has it.

    What was not `checked` in this run obeys the rules first, whatever the cache says of it.
    """
    store = builder.store
    if not checked:
        intact = {}
        for name in here(step, result):
            path = builder.obtain(result.outputs[name], f"{name} of step {step.name}", line)
            if path is None:
                return False
            intact[name] = path
        check_rules(step, intact, Line.silent())
    key = builder.key(step)
    if key is not None and result.checked != builder.checks_digest(step):
        with contextlib.suppress(PipelineError):  # a cache may be for reading only
            store.record(key, replace(result, checked=builder.checks_digest(step)))
    for blob in result.outputs.values():
        store.touch(blob)
    return all(store.copy(result.outputs[name], folder / name, mode) for name, mode in step.published.items())


def _make(
    step: Step, builder: Builder, scratch: Path, log: Path, line: Line, again: bool
) -> tuple[CommandLine, ...]:
    """Have the step's outputs in the folder `out` of `scratch`; return the commands that it ran for them."""
    if step.run is None:
        _pass_on(step, builder, scratch / "out", line)
        return ()
    sandbox = builder.sandbox
    threading.Thread(target=_load_rules).start()  # while the step runs
    outcome = run(sandbox, builder.work(step, line, again=again), scratch / "out", log)
    if outcome.status != 0:
        raise _failure(step, outcome, log)
    missing = [name for name in step.outputs if not (scratch / "out" / name).is_file()]
    if missing:
        raise StepError(f"step {step.name}: ended without making {', '.join(missing)}", f"its log: {log}")
    return outcome.commands


def _load_rules() -> None:
    with contextlib.suppress(Exception):  # who applies one meets it, too
        import_module("pipeline.checks.catalog")


def _pass_on(step: Step, builder: Builder, out: Path, line: Line) -> None:
    """Copy the step's inputs to its outputs: exactly the bytes that its key stands for."""
    read: dict[str, dict[str, Entry]] = {}
    for name, path in builder.files(step, line).items():
        with (out / name).open("wb") as file:
            mode = "x" if path.stat().st_mode & 0o100 else "-"
            read[name] = {"": (mode, copy_digested(path, file))}
    builder.expect_read(step, read)


def _failure(step: Step, outcome: Outcome, log: Path) -> StepError:
    status, error = outcome.status, outcome.error
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
