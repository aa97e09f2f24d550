"""The program that a sandbox starts with: it takes a step's files, runs the step, and gives what that made.

Its text is what Python is started with (`-c`), as there are no files yet, so it imports nothing but the
standard library; the one argument is `Given`'s JSON. It is in no step's key. Standard input is a tar of what
is to lie below `build`; the log goes to standard error; standard output ends as a tar of `out/`. Where it is
given a terminal, its files lie there already, and what is made stays.

It begins as root, with no other capabilities than those to give two folders and itself to the step's user:
so a step finds inputs that it cannot change.
"""

import contextlib
import importlib
import json
import os
import select
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

MADE_HERE = ("out", "work")
"""Folders that belong to the step."""


def load(names: list[str]) -> None:
    """Load what steps need, as long as nothing comes to be done: no container has Python's bytecode.

    Others add to the bytecode that this leaves.
    """
    os.umask(0)
    for name in names:
        with contextlib.suppress(ImportError):
            if select.select([sys.stdin], [], [], 0)[0]:
                return
            importlib.import_module(name)


def take(build: Path, stream: IO[bytes]) -> None:
    """Unpack the tar that comes: this project made it, and it may hold links to anywhere.

    The stream stays open behind it, so no more than tar's own records may be waited for.
    """
    with tarfile.open(fileobj=stream, mode="r|", bufsize=tarfile.RECORDSIZE) as tar:
        tar.extractall(build, filter="fully_trusted")  # noqa: S202


def become(user: int, build: Path) -> None:
    """Give the step's folders to its user, and be that user, without any right of root's from now on."""
    for name in MADE_HERE:
        os.chown(build / name, user, user)
    os.setgroups([group for group in os.getgroups() if group])
    os.setgid(user)
    os.setuid(user)


def clean(environment: Mapping[str, str], kept: list[str]) -> None:
    """Take the variables away that engines add; `kept` names those that stay besides the step's own."""
    own = dict(environment) | {name: os.environ[name] for name in kept if name in os.environ}
    os.environ.clear()
    os.environ.update(own)
    time.tzset()


def give(build: Path, stream: IO[bytes]) -> None:
    """Write what the step made as a tar."""
    with tarfile.open(fileobj=stream, mode="w|", bufsize=1 << 16) as tar:
        tar.add(build / "out", "out")


def step(build: Path, environment: Mapping[str, str], kept: list[str]) -> int:
    """Call the step's function, then give what it made, also where it failed; return the exit status."""
    clean(environment, kept)
    sys.path.insert(0, str(build / "src"))  # no variable: Python heeds none, as an engine may bring some
    importlib.invalidate_caches()
    runner = importlib.import_module("pipeline.steps.runner")
    if sys.stdout.isatty():
        return int(runner.main(build))
    made = os.dup(1)  # no program that the step runs has it
    os.dup2(2, 1)
    try:
        return int(runner.main(build))
    finally:
        sys.stdout.flush()
        with os.fdopen(made, "wb", 0) as stream:
            give(build, stream)


def enter(build: Path, user: int, names: list[str]) -> None:
    """Take the step's files, and be its user."""
    if not sys.stdin.isatty():
        load(names)
        os.umask(0o022)
        take(build, sys.stdin.buffer)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    become(user, build)


def main(given: Mapping[str, Any]) -> int:
    """Run what is given: the step's function, or the Python code `instead` of it, which finds all of this.

    Without a `user`, it is inside already.
    """
    build = Path(given["build"])
    sys.dont_write_bytecode, sys.pycache_prefix = False, given["bytecode"]
    if given["user"] is not None:
        enter(build, given["user"], given["load"])
    if given["instead"]:
        exec(given["instead"], globals() | {"given": given})  # noqa: S102
        return 0
    return step(build, given["environment"], given["kept"])


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
