"""One run of a step's function: what it is given, what it says while it runs, and how that ends.

Where it runs is behind `Sandbox`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import PipelineError
from pipeline.plan.step import Entry, Step
from pipeline.report import Line, plain
from pipeline.sandbox.environment import Conditions
from pipeline.steps.runner import RECORD_SEPARATOR
from pipeline.store.cache import CommandLine
from pipeline.store.files import explained

MOST_LOG = 1 << 28
"""Characters of a log: who says more than that says the same over and over."""

MOST_COMMANDS = 1 << 20
"""Characters of all events that tell commands: they are read whenever the result is."""

LEFT_OUT = "what follows is left out: it would fill the disk\n"

EVENTS: Mapping[str, Mapping[str, type]] = {
    "command": {"argv": list, "cwd": str, "env": dict},
    "progress": {"done": int, "total": int, "unit": str},
    "note": {"text": str},
    "observed": {"seen": dict},
    "error": {"message": str, "hint": str},
}
"""What a step may tell, and what stands in each."""


class StepError(PipelineError):
    """A step that failed, with the last lines of its log in the message."""


@dataclass(frozen=True)
class Work:
    """A step, and what it is given: `files` are its inputs that are single files; folders are read in place.

    `expect_read` is called with what was read of each input and of each module, before the step can begin;
    it raises StepError where that is not what the step's key stands for. `line` is told of its progress.
    `device` is one of the machine's, given where there is one; `port` is one of its loopback that leads into
    the sandbox; `again` says that a like sandbox comes next; `room` is how many bytes it may leave
    beyond what any step makes.
    """

    step: Step
    files: Mapping[str, Path]
    expect_read: Callable[[Mapping[str, Mapping[str, Entry]], Mapping[str, str]], None]
    line: Line
    device: str = ""
    port: int = 0
    again: bool = False
    room: int = 0


class Sandbox(Protocol):
    """Where a step runs apart from this machine: it finds its inputs and nothing else."""

    conditions: Conditions

    def run(self, work: Work, out: Path, on_line: Callable[[str], None]) -> int:
        """Run the step to its end; what it makes comes to the folder `out`, each line it says to `on_line`.

        Returns its exit status.
        """

    def attach(self, work: Work, out: Path | None = None) -> int:
        """Run the step with this process's terminal as its own; return its exit status.

        What it makes comes to the folder `out`, if there is one, also where an exception ends it.
        """

    def stop(self) -> None:
        """Have what runs end now, with an error, and let nothing begin any more."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its exit status, the error that it reported, if any, and what it ran."""

    status: int
    error: Mapping[str, str] | None = None
    commands: tuple[CommandLine, ...] = ()

    def expect_success(self, name: str, log: Path) -> None:
        """Raise StepError unless what people know as `name` ended well: it says what was reported."""
        if self.status != 0:
            said = self.error or {"message": f"{name} ended with status {self.status}", "hint": ""}
            raise StepError(said["message"], said["hint"] or f"its log: {log}")


def read_event(step: str, line: str) -> Mapping[str, Any]:
    """Return the event of a line that begins as one. Raises StepError for anything else."""
    try:
        event = json.loads(line[1:])
        good = all(isinstance(event[name], kind) for name, kind in EVENTS[event["event"]].items())
        words = [*event.get("argv", ()), *event.get("env", {}).values()]
        good = good and all(isinstance(word, str) for word in words)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        good = False
    if not good:
        raise StepError(
            f"step {step} sent an event that cannot be read: {line[1:101]!r}",
            "a program in its container writes what only the step itself may: a record separator (0x1E)",
        )
    return dict(event)


def run(sandbox: Sandbox, work: Work, out: Path, log: Path) -> Outcome:
    """Run the step; what it makes comes to the folder `out`, what it says to the file `log`."""
    error: Mapping[str, str] | None = None
    left, left_of_commands = MOST_LOG, MOST_COMMANDS
    commands: list[CommandLine] = []
    with explained(log, "write", cache=False):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as log_file:

            def take(text: str) -> None:
                nonlocal error, left, left_of_commands
                if not text.startswith(RECORD_SEPARATOR):
                    # cargo's progress bars end in a carriage return, what is worth keeping follows
                    said = plain(text.rstrip("\r").rpartition("\r")[2]) + "\n"
                    if left > 0:
                        log_file.write(said if len(said) <= left else LEFT_OUT)
                    left -= len(said)
                    return
                event = read_event(work.step.name, text)
                match event["event"]:
                    case "command":
                        left_of_commands -= len(text)
                        if left_of_commands > 0:
                            commands.append(CommandLine(tuple(event["argv"]), event["cwd"], event["env"]))
                    case "progress":
                        work.line.progress(event["done"], event["total"], event["unit"])
                    case "note":
                        work.line.note(event["text"])
                    case "observed":
                        sandbox.conditions.observe(work.step.name, event["seen"])
                    case "error":
                        error = event
                        log_file.write(f"{plain(event['message'])}\n")

            status = sandbox.run(work, out, take)
    return Outcome(status, error, tuple(commands))
