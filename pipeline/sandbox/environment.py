"""What surrounds a step's process without any step asking for it, and so stands in no key.

A plain build takes what the engine gives. `reproduce` varies it, and the bytes must not change.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipeline.steps.runner import BUILD, WAIT
from pipeline.steps.uki import BYTECODE

USER = 1000
NO_EMULATION = "this engine cannot run linux/amd64: install its emulation (`qemu-user-static` on Debian)"


LOADED = ("configparser", "pefile", "pprint", "pydoc", "shlex", "tarfile", "textwrap", "uuid", "zstandard")
"""What steps that make images load, and ukify for itself: that takes as long as their work."""

LOAD = f"""\
import contextlib, os, sys
sys.path.insert(0, "{BUILD}/src")  # Python heeds no variable: an engine may bring some
sys.dont_write_bytecode, sys.pycache_prefix = False, {BYTECODE!r}
for name in {LOADED!r}:
    with contextlib.suppress(ImportError):
        os.path.exists("{BUILD}/go") or __import__(name)
{WAIT}"""
"""Waits as WAIT does, and compiles meanwhile what may be needed, as no container has Python's bytecode."""


def _nobody_asks(_step: str, _seen: Mapping[str, object]) -> None:
    pass


@dataclass(frozen=True)
class Conditions:
    """A container's surroundings.

    `bootstrap` is the Python that it starts with, `place` where its files appear for that; `files` are given
    to it besides the step's, and `backwards` reverses the order of all. `env` is added to what it needs. What
    the bootstrap tells in `observed` events goes to `observe`, with the step's name.
    """

    bootstrap: str = LOAD
    place: str = BUILD
    files: Mapping[str, bytes] = field(default_factory=dict)
    backwards: bool = False
    env: tuple[tuple[str, str], ...] = ()
    user: int = USER
    hostname: str = ""
    tmpfs: tuple[tuple[str, str], ...] = ()
    observe: Callable[[str, Mapping[str, object]], None] = _nobody_asks
