"""What doit remembers of tasks: nothing of its own, the cache of results has it all.

So there is no file of records that could be locked, damaged or out of date.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

OWN = ("deps:", "checker:", "result:", "ignore:", "_values_:")
"""What doit asks for besides the state of files, which it knows by their paths."""


class Unchanging:
    """Checks files for doit: what changed is told by the step's key, so no file ever is in doit's eyes."""

    CheckerError = OSError

    def exists(self, path: str) -> bool:
        """Tell whether a target is there; whether it has the right bytes is for the step's `uptodate`."""
        return Path(path).exists()

    def info(self, _path: str) -> None:
        """Return nothing: a file that is missing is told by the step that needs it."""

    def check_modified(self, _path: str, _info: None, _state: str) -> bool:
        """Tell that a file is as it was."""
        return False

    def get_state(self, _path: str, _state: str) -> None:
        """Return that there is nothing new to remember of a file."""


class Records:
    """A database backend of doit (https://pydoit.org/extending.html#database-backend).

    `forget` drops what is known of a task, None of all tasks.
    """

    name = ""

    def __init__(self, forget: Callable[[str | None], None]) -> None:
        self.forget = forget

    def get(self, _task: str, key: str) -> str | None:
        """Return something for every file, which has been seen before, and nothing else."""
        return None if key in OWN else ""

    def set(self, task: str, key: str, value: Any) -> None:
        """Remember nothing."""

    def in_(self, _task: str) -> bool:
        """Tell that no values of a task are known."""
        return False

    def remove(self, task: str) -> None:
        """Forget a task."""
        self.forget(task)

    def remove_all(self) -> None:
        """Forget all tasks."""
        self.forget(None)

    def dump(self) -> None:
        """Write nothing."""
