"""How two builds are made that share nothing but the machine, each on its side of every variation."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from pipeline.build.session import Session
from pipeline.debian.deb import open_archive
from pipeline.debian.packages import download
from pipeline.errors import PipelineError
from pipeline.plan.step import LockedPackage, Step
from pipeline.project.checkout import copy_sources
from pipeline.report import Line
from pipeline.reproduce.rebuild import Made, Task
from pipeline.reproduce.variations import Side, Variation, sides
from pipeline.reproduce.vary import FAKETIME
from pipeline.sandbox.run import StepError
from pipeline.store.cache import Store

CONTAINER = "reproduce"
NAMES = ("first", "second")

START = """\
import sys
sys.path.append(sys.argv[1])
from pipeline.reproduce import rebuild
sys.exit(rebuild.main())
"""
"""Starts a build in the checkout that it is given, whose files take no package's place, as in `dodo.py`."""


@dataclass(frozen=True)
class Built:
    """What one build made, by step, on which side of the variations."""

    side: Side
    made: Mapping[str, Made]


def needed(steps: Sequence[Step], wanted: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps that others of `wanted` take something from, and that are not wanted themselves."""
    return tuple(step for step in before(steps, wanted) if step not in wanted)


def before(steps: Sequence[Step], later: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps that `later` ones depend on, directly or through others, in the order of `steps`."""
    found: set[str] = set()
    for step in reversed(steps):
        if step in later or step.name in found:
            found |= {need.name for need in step.needs()}
    return tuple(step for step in steps if step.name in found)


def build_twice(
    session: Session, image: str, wanted: Sequence[Step], variations: Sequence[Variation], scratch: Path
) -> tuple[Built, Built]:
    """Run both builds at once, each on its own copy of the checkout and its own cache below `scratch`.

    Raises StepError for one that fails.
    """
    packages = [path for step in wanted for path in _ensure(session, step)]
    library = scratch / FAKETIME
    library.write_bytes(faketime(session))
    given = sides(variations)

    def one(index: int) -> Built:
        folder = scratch / NAMES[index]
        root = folder / given[index].folder
        copy_sources(session.root, root)
        cache = folder / "cache"
        _seed(session, image, needed(session.whole(image), wanted), Store(cache))
        for path in packages:
            _give(Store(cache), path)
        answer = folder / "answer.json"
        names = tuple(step.name for step in wanted)
        task = Task(image, names, given[index], str(library), str(answer))
        return _run(session, NAMES[index], task, root, cache, running)

    running = Running()
    with ThreadPoolExecutor(2) as pool:
        try:
            first, second = pool.map(one, range(2))
        except BaseException:  # what stops this process reaches this thread alone
            running.stop()
            raise
    return first, second


class Running:
    """The processes of builds, which may be stopped, and the right to speak."""

    def __init__(self) -> None:
        self.told, self.guard = threading.Lock(), threading.Lock()
        self.processes: list[subprocess.Popen[str]] = []
        self.stopped = False

    def add(self, process: subprocess.Popen[str]) -> None:
        """Take note of a process; one that comes after the stop ends at once."""
        with self.guard:
            self.processes.append(process)
            if self.stopped:
                process.terminate()

    def stop(self) -> None:
        """End all of them; each removes its containers first."""
        with self.guard:
            self.stopped = True
            for process in self.processes:
                process.terminate()


def _run(session: Session, name: str, task: Task, root: Path, cache: Path, running: Running) -> Built:
    """Run one build in a process of its own, and pass on what it says."""
    env = os.environ | {
        "INSTALLER_ISO_CACHE": str(cache),
        "DOCKER_HOST": session.containers.engine.address,
        **task.side.env,
    }
    with subprocess.Popen(
        [sys.executable, "-I", "-X", "utf8", "-c", START, str(root)],
        cwd=root,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        umask=task.side.umask,
    ) as process:
        running.add(process)
        stdin, stdout = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        stdin.write(task.to_json())
        stdin.close()
        last = ""
        for line in stdout:
            last = line.rstrip("\n")
            with running.told:
                session.report.print(f"{name:7}{last}")
    try:
        answer = json.loads(Path(task.answer).read_text())
    except (OSError, ValueError):
        raise StepError(f"the {name} build ended with status {process.returncode}: {last}") from None
    if "error" in answer:
        raise StepError(f"the {name} build: {answer['error']}", answer["hint"])
    made = {step: Made(**fields) for step, fields in answer["made"].items()}
    return Built(task.side, made)


def _ensure(session: Session, step: Step) -> list[Path]:
    """Have a step's container in the engine; return the packages that it takes: no build downloads any."""
    if step.container is not None:
        session.containers.image(step.container, lambda *_: None)
    packages = [each.package for each in step.inputs.values() if isinstance(each, LockedPackage)]
    return download(packages, session.project.sources(), session.store, lambda *_: None)


def _give(cache: Store, path: Path) -> None:
    with cache.scratch() as scratch:
        shutil.copyfile(path, scratch / "blob")
        cache.add(scratch / "blob")


def _seed(session: Session, image: str, steps: Sequence[Step], cache: Store) -> None:
    """Give a build's cache the results of steps that it does not make itself."""
    for step in steps:
        key, result = session.builder.key(step), session.builder.result(step)
        if key is None or result is None:
            raise StepError(f"step {step.name} of {image} has not been made", "run `./doit iso`")
        for blob in result.outputs.values():
            path = session.builder.obtain(blob, f"an output of step {step.name}", Line.silent())
            if path is None:
                raise StepError(f"step {step.name}: the cache lost {blob.sha256}", "run `./doit iso`")
            _give(cache, path)
        cache.record(key, replace(result, fetched=False))  # all of it is there


def faketime(session: Session) -> bytes:
    """Return the library that gives a process another clock, out of its locked Debian package."""
    lock = session.project.lock_of(CONTAINER)
    packages = [package for package in lock.packages if package.name == "libfaketime"]
    if not packages:
        raise PipelineError(
            f"containers/{CONTAINER}.toml names no libfaketime", "add it, then run `./doit lock`"
        )
    (path,) = download(packages, session.project.sources(), session.store, lambda *_: None)
    with open_archive(path) as archive:
        for member in archive:
            if member.name.endswith("/libfaketimeMT.so.1") and (file := archive.extractfile(member)):
                return file.read()
    raise PipelineError("Debian's package libfaketime has no libfaketimeMT.so.1", "lock another version")
