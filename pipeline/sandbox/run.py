"""Owns one run of a step's function in its container: what goes in, what it says, what comes out.

Must not know caches of results, checks or doit.
"""

import contextlib
import hashlib
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pipeline.build.builder import StepError, Surroundings
from pipeline.errors import PipelineError
from pipeline.plan.step import Entry, Source, Step
from pipeline.report import Line, plain
from pipeline.sandbox import image as containers
from pipeline.sandbox.docker import Job
from pipeline.sandbox.terminal import attach
from pipeline.sandbox.transfer import add_bytes, add_file, add_folder
from pipeline.steps.runner import ENVIRONMENT, RECORD_SEPARATOR
from pipeline.store.download import ca_bundle
from pipeline.store.files import explained


def proxies() -> list[tuple[str, str]]:
    """Return the proxies that this machine's environment names: a step with network goes through them."""
    names = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    return [(name, os.environ[name]) for name in names if name in os.environ]


MOST_LOG = 1 << 28
"""Characters of a log: who says more than that says the same over and over."""

LEFT_OUT = "what follows is left out: it would fill the disk\n"

EVENTS: Mapping[str, Mapping[str, type]] = {
    "progress": {"done": int, "total": int, "unit": str},
    "note": {"text": str},
    "observed": {"seen": dict},
    "error": {"message": str, "hint": str},
}
"""What a container may tell, and what stands in each."""


def read_event(step: str, line: str) -> Mapping[str, Any]:
    """Return the event of a line that begins as one. Raises StepError for what is none."""
    try:
        event = json.loads(line[1:])
        good = all(isinstance(event[name], kind) for name, kind in EVENTS[event["event"]].items())
    except (ValueError, KeyError, TypeError, RecursionError):
        good = False
    if not good:
        raise StepError(
            f"step {step} sent an event that cannot be read: {line[1:101]!r}",
            "a program in its container writes what only the step itself may: a record separator (0x1E)",
        )
    return dict(event)


def _job(step: Step, around: Surroundings, line: Line, device: str, *, tty: bool = False) -> Job:
    """Return what the engine is asked to run, after seeing to it that the container's image is there."""
    lock = step.container
    if lock is None:
        raise ValueError(f"step {step.name} has no container")
    if around.engine.warning:
        line.note(around.engine.warning)
        around.engine.warning = ""  # once is enough
    image = containers.ensure(around.engine, around.store, lock, around.sources, line.progress)
    found = device if device and around.engine.has_device(image, device) else ""
    kept = proxies() if step.network else []
    given = around.conditions
    return Job(
        image=image,
        argv=("/usr/bin/python3", "-P", "-c", given.bootstrap, *(name for name, _ in kept)),
        env=tuple((dict(ENVIRONMENT) | dict(given.env) | dict(kept)).items()),
        network=step.network,
        device=found,
        tty=tty,
        place=given.place,
        user=given.user,
        hostname=given.hostname,
        tmpfs=given.tmpfs,
    )


def run(
    step: Step,
    around: Surroundings,
    scratch: Path,
    log: Path,
    line: Line,
    *,
    device: str = "",
    again: bool = False,
) -> tuple[int, Mapping[str, str] | None]:
    """Run the step's function on its inputs; outputs come to `scratch/out`, what it says to `log`.

    Returns its exit status, and the error that it reported, if any. `device` is one of the engine's
    machine that it may use where there is one; `again` says that a like container will be needed next.
    """
    job = _job(step, around, line, device)
    error: Mapping[str, str] | None = None
    left = MOST_LOG
    with explained(log, "write", cache=False), contextlib.ExitStack() as stack:
        log.parent.mkdir(parents=True, exist_ok=True)
        log_file = stack.enter_context(log.open("w", encoding="utf-8"))
        files = stack.enter_context(_tree(step, around, scratch, line))

        def take(text: str) -> None:
            nonlocal error, left
            if not text.startswith(RECORD_SEPARATOR):
                # cargo's progress bars end in a carriage return, what is worth keeping follows
                said = plain(text.rstrip("\r").rpartition("\r")[2]) + "\n"
                if left > 0:
                    log_file.write(said if len(said) <= left else LEFT_OUT)
                left -= len(said)
                return
            event = read_event(step.name, text)
            match event["event"]:
                case "progress":
                    line.progress(event["done"], event["total"], event["unit"])
                case "note":
                    line.note(event["text"])
                case "observed":
                    around.conditions.observe(step.name, event["seen"])
                case "error":
                    error = event
                    log_file.write(f"{plain(event['message'])}\n")

        status = around.engine.run(job, files, scratch / "out", take, again=again, wanted=step.outputs)
    return status, error


def expect_success(name: str, status: int, error: Mapping[str, str] | None, log: Path) -> None:
    """Raise StepError unless what people know as `name` ended with status 0: it says what was reported."""
    if status != 0:
        said = error or {"message": f"{name} ended with status {status}", "hint": ""}
        raise StepError(said["message"], said["hint"] or f"its log: {log}")


def interact(step: Step, around: Surroundings, scratch: Path, line: Line, device: str = "") -> int:
    """Run the step's function with this process's terminal as its own; return its exit status.

    Raises PipelineError where the engine is reached through ssh, whose channel cannot be waited for.
    """
    if around.engine.address.startswith("ssh:"):
        raise PipelineError(
            f"{around.engine.address}: a terminal cannot be passed on through ssh://",
            "run this on that machine, or reach its engine by tcp://",
        )
    job = _job(step, around, line, device, tty=True)
    with _tree(step, around, scratch, line) as files, around.engine.container(job, files) as container:
        return attach(container)


@contextlib.contextmanager
def _tree(step: Step, around: Surroundings, scratch: Path, line: Line) -> Iterator[IO[bytes]]:
    """Give the tar of everything a step finds below /build: code, inputs, empty out and work."""
    run, lock = step.run, step.container
    if run is None or lock is None:
        raise ValueError(f"step {step.name} has no code, or no container")
    given = around.conditions
    what = {
        "module": run.__module__,
        "function": run.__qualname__,
        "params": dict(step.params),
        "epoch": step.params.get("epoch", lock.epoch),
    }
    small = {"step.json": json.dumps(what).encode(), **given.files}
    modules = {}
    for module, path in step.modules().items():
        name = module.replace(".", "/") + ("/__init__.py" if path.name == "__init__.py" else ".py")
        small[f"src/{name}"] = path.read_bytes()
        modules[module] = hashlib.sha256(small[f"src/{name}"]).hexdigest()
    large = {f"in/{name}": (name, "", path.resolve()) for name, path in around.files(step, line).items()}
    if step.network:
        small["in/ca.pem"] = Path(ca_bundle()).read_bytes()
    for name, source in step.inputs.items():
        if isinstance(source, Source) and source.path.is_dir():
            large |= {f"in/{name}/{below}": (name, below, path) for below, path in source.files().items()}
    read: dict[str, dict[str, Entry]] = {name: {} for name in step.inputs}
    with tempfile.TemporaryFile(dir=scratch) as file:
        with explained(scratch, "write"), tarfile.open(fileobj=file, mode="w") as tar:
            for name, owner in (("out", given.user), ("work", given.user), ("src", 0), ("in", 0)):
                add_folder(tar, name, owner)
            for name in sorted([*small, *large], reverse=given.backwards):
                if name in small:
                    add_bytes(tar, name, small[name])
                else:
                    whose, below, path = large[name]
                    read[whose][below] = add_file(tar, name, path)
            add_bytes(tar, "go", b"")  # last, for the bootstrap
        around.expect_read(step, read, modules)
        file.seek(0)
        yield file
