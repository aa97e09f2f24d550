"""`./doit watch`: tasks are made again whenever a file that they depend on changes."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from doit.cmd_base import DoitCmdBase, tasks_and_deps_iter
from doit.task import Task

import pipeline
from pipeline.build.session import Session
from pipeline.cli.graph import files
from pipeline.cli.tasks import all_tasks
from pipeline.plan.step import Source
from pipeline.plan.tracked import READ
from pipeline.report import Report

PAUSE = 0.5  # seconds between two looks at all files

START = """\
import sys
from pathlib import Path
sys.path.append(sys.argv[1])
from pipeline.cli import entry
sys.exit(entry.main(Path(sys.argv[2]), sys.argv[3:]))
"""
"""Starts a build with the code as it is then, whose files take no package's place, as in `dodo.py`."""

Stamps = dict[Path, tuple[int, int]]
"""Of each file: when it was changed (nanoseconds), and its size in bytes."""


class Watch(DoitCmdBase):  # type: ignore[misc]
    """The command of doit."""

    doc_purpose = "make tasks, and again whenever a file that they depend on changes; Ctrl-C ends it"
    doc_usage = "[TASK ...]"

    def _execute(self) -> int:
        session, names = self.loader.session, list(self.sel_tasks)
        looked = _look(session, self.task_list, names)
        while True:
            before = looked()  # of before the build: what changes while it runs is built after it
            _build(session.root, names)
            session.report.print("watching; Ctrl-C ends it")
            while looked() == before:
                time.sleep(PAUSE)
            session = Session(session.root, Report())
            looked = _look(session, all_tasks(session), names, looked)


def _look(
    session: Session, tasks: Iterable[Task], names: Sequence[str], otherwise: Callable[[], Stamps] = dict
) -> Callable[[], Stamps]:
    """Return a function that looks at the files that the tasks of these names depend on, in all.

    It lists folders each time, so a new file is a change. Where a recipe has a mistake, so that there are no
    steps, it looks at what it did before.
    """
    found = {task.name: task for task in tasks}
    if not found.keys() >= set(names) or not any(task.uptodate for task in found.values()):
        return lambda: otherwise() | _stamps(_read(session.root))
    needed = tasks_and_deps_iter(found, names)
    steps = [next(iter(session.steps[task.title()].values())) for task in needed if task.uptodate]
    folders = {each for step in steps for each in step.inputs.values() if isinstance(each, Source)}
    made = session.root / "artifacts"
    fixed = {path for step in steps for path in files(session, step) if not path.is_relative_to(made)}

    def look() -> Stamps:
        below = (path for source in folders for path in source.files().values())
        return _stamps((*fixed, *below, *_read(session.root)))

    return look


def _read(root: Path) -> Iterable[Path]:
    return (path for pattern in READ for path in root.glob(pattern))


def _stamps(paths: Iterable[Path]) -> Stamps:
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):  # it is gone, which is a change, too
            stat = path.lstat()
            found[path] = (stat.st_mtime_ns, stat.st_size)
    return found


def _build(root: Path, names: Sequence[str]) -> None:
    """Make the tasks in a process of its own; what stops this one ends that, by a signal none ignores."""
    code = Path(pipeline.__file__).parents[1]
    argv = [sys.executable, "-I", "-X", "utf8", "-c", START, str(code), str(root), *names]
    with subprocess.Popen(argv, start_new_session=True) as process:
        try:
            process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise
