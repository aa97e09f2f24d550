"""A step's way from its key to files in `artifacts/`, for all images that have it; and back."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.plan.step import Step

RECORD = "build.json"
"""What was built of an image, beside its artifacts."""


def places(session: Session, name: str) -> list[tuple[Path, Step]]:
    """Return the folders that a step publishes into, with the step as their images have it.

    One that publishes nothing at all gets that of the first image, for `build_step`.
    """
    found = [(session.folder(image), step) for image, step in session.steps[name].items()]
    return [place for place in found if place[1].published] or found[:1]


def is_current(session: Session, name: str) -> bool:
    """Tell whether there is nothing to do for the step of this name."""
    try:
        current = all(session.builder.is_current(step, folder) for folder, step in places(session, name))
    except PipelineError:
        return False  # making the step meets the same mistake, and says it
    if current:
        session.cached.add(name)
    return current


def realise_step(session: Session, name: str) -> None:
    """Make the outputs of the step of this name and publish them, into each image that has it.

    What it says comes to the logs of the first.
    """
    from pipeline.build.build import build_step

    again = False
    for image, step in session.steps[name].items():
        following = followers(session.whole(image), step)
        withdraw((step, *following), session.folder(image))
        forget_verdicts(session.folder(image))
        again = again or any(each.container == step.container for each in following)
    logs = session.folder(next(iter(session.steps[name]))) / "logs"
    with session.report.step(name, step.summary) as line:
        cached, fetched = True, False
        for folder, step in places(session, name):
            build_step(step, session.builder, folder, line, again=again, logs=logs)
            cached, fetched = cached and (line.cached or line.fetched), fetched or line.fetched
        line.cached, line.fetched = cached and not fetched, cached and fetched
        line.left = line.fetched and not any(step.published for _, step in places(session, name))
    if line.left:
        session.left.add(name)
    elif line.fetched:
        session.fetched.add(name)
    elif line.cached:
        session.cached.add(name)
    else:
        session.built.add(name)


def taken_after_all(session: Session) -> set[str]:
    """Return those names of `session.left` whose outputs, or some of them, a step that ran has fetched."""
    results = {
        name: session.builder.result(next(iter(session.steps[name].values()))) for name in session.left
    }
    return {
        name
        for name, result in results.items()
        if result and any(session.store.holds(blob) for blob in result.outputs.values())
    }


def realise(session: Session, steps: Iterable[Step]) -> None:
    """Make those of `steps` that are not current, one after the other."""
    for step in steps:
        if not is_current(session, step.name):
            realise_step(session, step.name)


def forget(session: Session, names: Iterable[str]) -> None:
    """Drop the results of the steps of these names from the cache: they are made again."""
    keys = {name: session.builder.key(next(iter(steps.values()))) for name, steps in session.steps.items()}
    for name in names:
        if key := keys.get(name):
            session.store.forget(key)


def followers(steps: tuple[Step, ...], changed: Step) -> tuple[Step, ...]:
    """Return the steps that depend on `changed`, directly or through others, in the plan's order."""
    found: dict[str, Step] = {}
    for step in steps:
        if any(needed.name == changed.name or needed.name in found for needed in step.needs()):
            found[step.name] = step
    return tuple(found.values())


def withdraw(steps: tuple[Step, ...], folder: Path) -> None:
    """Remove what these steps have published: it is no longer made of these inputs."""
    for step in steps:
        for name in step.published:
            (folder / name).unlink(missing_ok=True)


def forget_verdicts(folder: Path) -> None:
    """Remove what an earlier build and boot test said: it is about another image."""
    (folder / RECORD).unlink(missing_ok=True)
    shutil.rmtree(folder / "boot-test", ignore_errors=True)
