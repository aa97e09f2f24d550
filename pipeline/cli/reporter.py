"""What doit's user is told: the errors of tasks, defects, and how a key stops what runs.

It alone turns an error into output; everything below raises.
"""

import contextlib
import functools
import sys
import time
from collections.abc import Callable
from typing import Any

from doit.exceptions import BaseFail, TaskFailed

from pipeline.build.session import Session
from pipeline.errors import PipelineError

JUDGE = "judge"
"""Where a task has the function that judges its options, as doit passes them: it raises PipelineError."""

STOPPED = "stopped; what was finished is kept"
PATIENCE = 20  # seconds for steps that are stopped to remove what they leave
TICK = 0.1  # seconds

DISK = (
    "there has to be room, and a right to write, in artifacts/ and in the cache; `./doit doctor` says where"
)


class Reporter:
    """What doit tells its user, left to `Report` but for what doit alone knows."""

    def __init__(self, session: Session) -> None:
        self.session, self.report = session, session.report

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_: None

    def initialize(self, tasks: dict[str, Any], selected: list[str]) -> None:
        """Judge what the chosen commands were told, before anything that they need is made.

        SystemExit with status 1 where they cannot do it.
        """
        for task in (tasks[name] for name in selected):
            try:
                (task.meta or {}).get(JUDGE, dict)(**(task.options or {}))
            except PipelineError as error:
                self.report.error(error)
                raise SystemExit(1) from None

    def stop(self) -> None:
        """Stop the tasks that other threads run, and wait a moment for them to clean up after themselves.

        A key that stops the program reaches its first thread only.
        """
        give_up = time.monotonic() + PATIENCE
        with contextlib.suppress(KeyboardInterrupt):  # who presses it again does not want to wait
            while self.session.under_way and time.monotonic() < give_up:
                with contextlib.suppress(PipelineError):
                    self.session.stop()
                time.sleep(TICK)
        self.report.print(STOPPED)

    def skip_uptodate(self, task: Any) -> None:
        """Say that a step had nothing to do."""
        self.report.unchanged(task.title())

    def add_failure(self, _task: Any, fail: BaseFail) -> None:
        """Print what no `PipelineError` has told already: a defect of this program."""
        if not isinstance(fail, TaskFailed):
            sys.stderr.write(fail.get_msg())

    def runtime_error(self, message: str) -> None:
        """Print an error of doit itself."""
        sys.stderr.write(f"{message}\n")


def told(session: Session, action: Callable[..., bool | None]) -> Callable[..., bool]:
    """Return `action` with its errors told to the user, as doit wants actions: False is failure."""

    @functools.wraps(action)
    def run(*args: Any, **kwargs: Any) -> bool:
        this = object()
        session.under_way.add(this)
        try:
            return action(*args, **kwargs) is not False
        except PipelineError as error:
            if not session.stopping and session.said.setdefault(str(error), error) is error:
                session.report.error(error)
            return False
        except OSError as error:  # a disk that is full, or not to be written to, where nobody expected it
            where = error.filename or session.store.root
            session.report.error(PipelineError(f"{where}: {error.strerror or error}", DISK))
            return False
        except KeyboardInterrupt:
            session.report.print(STOPPED)
            raise SystemExit(130) from None
        finally:
            session.under_way.discard(this)

    return run
