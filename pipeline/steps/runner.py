"""Calls one step's function in a sandbox.

Below BUILD lie `src/` (the modules in the step's key, and no others), `step.json`, `in/`, `out/` and
`work/`. This module is in every step's key, and so is the environment, which stands here for that. It
imports only the standard library and `errors`: nothing else is sure to be in a container. What a step
prints is its log, in which lines that start with a record separator are events in JSON (RFC 7464 marks
its records so).
"""

import importlib
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError

BUILD = "/build"
"""Where the host's files appear: the one place of a container, besides /tmp, that can be written."""

ENVIRONMENT = {
    "HOME": f"{BUILD}/work",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/bin:/usr/sbin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": f"{BUILD}/src",
    "TZ": "UTC",
}

RECORD_SEPARATOR = "\x1e"
FAILED = 3
"""Exit status of a step that said why it failed in an `error` event."""

TAIL = 20  # lines of a failed command's output that its error quotes


def emit(event: str, **fields: Any) -> None:
    """Tell the host something: `event` is command, progress, note or error. A terminal gets none."""
    if not sys.stdout.isatty():
        print(RECORD_SEPARATOR + json.dumps({"event": event} | fields), flush=True)


class Context:
    """What a step's function gets: its inputs, parameters, and folders for outputs and scratch."""

    def __init__(self, inputs: Mapping[str, Path], params: Mapping[str, Any], out: Path, work: Path) -> None:
        self.inputs, self.params, self.out, self.work = inputs, params, out, work

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        on_line: Callable[[str], None] = lambda _: None,
    ) -> str:
        """Run a command and return what it says, on standard output and error; the log gets it, too.

        `env` is added to the container's environment; `on_line` sees each line as it comes.
        Raises PipelineError with the command's last lines when it fails or is not there.
        """
        print("+ " + " ".join(argv), flush=True)
        added = {name: value for name, value in (env or {}).items() if os.environ.get(name) != value}
        emit("command", argv=list(argv), cwd=str(cwd or ""), env=added)
        lines: list[str] = []
        last: deque[str] = deque(maxlen=TAIL)
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=os.environ | dict(env or {}),
                cwd=cwd or self.work,
            )
        except FileNotFoundError:
            raise PipelineError(
                f"{argv[0]}: not found in the builder container",
                "name the Debian package that has it in containers/*.toml, then run `./doit lock`",
            ) from None
        with process:
            for raw in process.stdout or ():
                line = raw.decode("utf-8", "replace")
                sys.stdout.write(line)
                on_line(line.rstrip("\n"))
                lines.append(line)
                last.append(line)
        if process.returncode:
            output = "".join(last).rstrip()
            raise PipelineError(f"{argv[0]} failed with status {process.returncode}:\n{output}")
        return "".join(lines)

    def progress(self, done: int, total: int, unit: str) -> None:
        """Show how far the step is: `done` of `total` `unit`s (objects, crates)."""
        emit("progress", done=done, total=total, unit=unit)

    def note(self, text: str) -> None:
        """Tell the user one line now, for what happens long before the step ends."""
        emit("note", text=text)


def require_machine(machine: str, made_for: str) -> None:
    """Raise PipelineError unless this container runs on the machine that everything in it is made for."""
    if machine != made_for:
        raise PipelineError(
            f"the builder container runs on {machine!r}, not on {made_for}",
            f"use an engine that runs containers of {made_for}",
        )


def main(root: Path) -> int:
    """Call the function that `step.json` names; return the exit status for the host."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        os.umask(0o022)  # what an engine gives is its own choice
        step = json.loads((root / "step.json").read_text())
        require_machine(os.uname().machine, step["machine"])
        function = getattr(importlib.import_module(step["module"]), step["function"])
        os.environ["SOURCE_DATE_EPOCH"] = str(step["epoch"])
        inputs = {path.name: path for path in (root / "in").iterdir()}
        function(Context(inputs, step["params"], root / "out", root / "work"))
    except PipelineError as error:
        if sys.stdout.isatty():  # nobody decodes events
            print(f"error: {error}")
        else:
            emit("error", message=error.message, hint=error.hint)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(BUILD)))
