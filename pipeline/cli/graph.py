"""Steps as tasks of doit: what each is called, on which files it depends, which it makes.

Whether one is current is for its key to say, whatever the files' times and digests in doit's eyes.
"""

import functools
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from doit.task import Task

from pipeline.build.session import Session
from pipeline.cli import realise
from pipeline.cli.reporter import told
from pipeline.debian import lock
from pipeline.errors import ConfigError
from pipeline.plan.step import LockedPackage, Output, Pinned, Source, Step

TRACKED = "_tracked"
ISO = "iso"
"""The task that needs all others; it has the steps of this kind for parts, also where there is only one."""


@dataclass(frozen=True)
class Current:
    """What doit asks whether a step's task is up to date: its key, its result, and what it has published."""

    session: Session
    step: str

    def __call__(self) -> bool:
        """Tell whether there is nothing to do."""
        return realise.is_current(self.session, self.step)

    def __repr__(self) -> str:
        return f"the result for the key of step {self.step}, and what it publishes"


def kind_of(step: str) -> str:
    """Return the first part of a step's name, which all steps of its kind have."""
    return step.partition(":")[0]


def task_names(session: Session, taken: Collection[str]) -> dict[str, str]:
    """Return the task of each step: its whole name, or its kind alone where no other step is of that kind.

    Raises ConfigError for a kind that is called like a command, which are `taken`.
    """
    count = Counter(map(kind_of, session.steps))
    if clashes := sorted(set(count) & set(taken)):
        raise ConfigError(
            [f"a step is called {clash!r}, as a command is" for clash in clashes],
            "steps are named after programs and the folders of their crates: give those another name",
        )
    return {
        step: kind_of(step) if count[kind_of(step)] == 1 and kind_of(step) != ISO else step
        for step in session.steps
    }


def step_tasks(session: Session, names: dict[str, str], *, listed: bool) -> Iterator[Task]:
    """Yield the tasks of all steps, and of each kind that has several, in the plans' order.

    Files that they depend on are `listed` where people look at them: to make tasks, doit asks their keys.
    """
    groups: dict[str, list[str]] = {}
    for step in names:
        groups.setdefault(kind_of(step), []).append(step)
    for kind, steps in groups.items():
        members = [names[step] for step in steps]
        if members != [kind] and kind != ISO:
            yield Task(kind, None, task_dep=members, has_subtask=True, doc=_first(session, steps[0]).summary)
        group = kind if members != [kind] else None
        yield from (_step_task(session, step, names, group, listed=listed) for step in steps)


def _first(session: Session, name: str) -> Step:
    return next(iter(session.steps[name].values()))


def _step_task(
    session: Session, name: str, names: dict[str, str], group: str | None, *, listed: bool
) -> Task:
    step = _first(session, name)
    task = Task(
        names[name],
        [told(session, functools.partial(realise.realise_step, session, name))],
        targets=[_shown(session, path) for path in published(session, name)],
        task_dep=[TRACKED, *(names[each.name] for each in step.needs())],
        uptodate=[Current(session, name)],
        clean=True,
        doc=step.summary,
        io={"capture": False},
        subtask_of=group,
        title=lambda _: name,
    )
    # In doit a set, whose order would be another one at each `list --deps`; it only looks through it.
    found = files(session, step) if listed else ()
    task.file_dep = dict.fromkeys(sorted(_shown(session, path) for path in found))
    return task


def _shown(session: Session, path: Path) -> str:
    """Return a path as doit knows it: relative to the checkout, where it lies in there."""
    return str(path.relative_to(session.root)) if path.is_relative_to(session.root) else str(path)


def published(session: Session, name: str) -> list[Path]:
    """Return the files that people get of a step, in all images."""
    return [
        session.folder(image) / file for image, it in session.steps[name].items() for file in it.published
    ]


def files(session: Session, step: Step) -> Iterator[Path]:
    """Yield the files that a step depends on: sources, its container's lock, its code, what others publish.

    What it takes of steps that publish nothing of it lies in the cache only.
    """
    for source in step.inputs.values():
        match source:
            case Source():
                yield from source.files().values()
            case Pinned(path=Path() as path):
                yield path
            case LockedPackage(lock=path_of_lock):
                yield session.root / path_of_lock
            case Output(made_by, name):
                yield from (path for path in published(session, made_by.name)[:1] if path.name == name)
    if step.container is not None:
        yield session.root / lock.path_of(step.container.name)
    yield from step.modules().values()
