"""What surrounds a step's process without any step asking for it, and so stands in no key.

A plain build takes what the engine gives. `reproduce` varies it, and the bytes must not change.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.sandbox import inside
from pipeline.steps.runner import BUILD, ENVIRONMENT
from pipeline.steps.uki import BYTECODE

USER = 1000
NO_EMULATION = "this engine cannot run linux/amd64: install its emulation (`qemu-user-static` on Debian)"


LOADED = (
    "json", "pathlib", "subprocess", "typing",
    "configparser", "pefile", "pprint", "pydoc", "shlex", "textwrap", "uuid", "zstandard",
)  # fmt: skip
"""What every step loads, then what those that make images load, and ukify for itself: it takes as long as
their work."""


def _nobody_asks(_step: str, _seen: Mapping[str, object]) -> None:
    pass


@dataclass(frozen=True)
class Conditions:
    """A container's surroundings.

    `instead` is Python that runs in place of the step's function, see `inside`. `files` are given to it
    besides the step's, and `backwards` reverses the order of all. `env` is added to what it needs. What is
    told in `observed` events goes to `observe`, with the step's name.
    """

    instead: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    backwards: bool = False
    env: tuple[tuple[str, str], ...] = ()
    user: int = USER
    hostname: str = ""
    tmpfs: tuple[tuple[str, str], ...] = ()
    observe: Callable[[str, Mapping[str, object]], None] = _nobody_asks

    def argv(self, kept: Sequence[str]) -> tuple[str, ...]:
        """Return the command that a container starts with; `kept` names variables that stay as they are."""
        program = Path(inside.__file__).read_text(encoding="utf-8")
        return ("/usr/bin/python3", "-EP", "-c", program, json.dumps(self.given(kept)))

    def given(self, kept: Sequence[str]) -> dict[str, object]:
        """Return what `inside` is to be given."""
        return {
            "build": BUILD,
            "bytecode": BYTECODE,
            "environment": ENVIRONMENT,
            "instead": self.instead,
            "kept": list(kept),
            "load": LOADED,
            "user": self.user,
        }
