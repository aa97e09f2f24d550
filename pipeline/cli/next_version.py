"""The update that stories are given: the image as it would be in a version that follows."""

from collections.abc import Collection
from dataclasses import replace

from pipeline.build.build import build_step
from pipeline.build.session import Session
from pipeline.plan.image import plan
from pipeline.plan.step import Input, Step
from pipeline.plan.updates import following
from pipeline.project.proof import Acceptance

NEXT = "next"
"""What stories call it: a tar, as `update:<recipe>` makes it."""


def is_wanted(session: Session, image: str, stories: Collection[str]) -> bool:
    """Tell whether one of these stories is given an update of the image."""
    told = session.project.recipes[image].acceptance or Acceptance()
    return any(story in told.updates for story in stories)


def steps(session: Session, image: str) -> tuple[Step, ...]:
    """Return the steps that end in an update of the image; they publish nothing."""
    planned = plan(following(session.project), image)
    last = next(step for step in planned if step.name == f"update:{image}")
    needed, waiting = set[Step](), [last]
    while waiting:
        step = waiting.pop()
        if step not in needed:
            needed.add(step)
            waiting += step.needs()
    return tuple(replace(step, published={}) for step in planned if step in needed)


def make(session: Session, image: str) -> None:
    """Make the update. Raises PipelineError when it cannot be done."""
    logs = session.folder(image) / "logs" / NEXT
    for step in steps(session, image):
        with session.report.step(step.name, "Make it in the version that follows, for a story.") as line:
            build_step(step, session.builder, session.folder(image), line, logs=logs)


def inputs(session: Session, image: str) -> dict[str, Input]:
    """Return the update, by what stories call it."""
    last = steps(session, image)[-1]
    return {NEXT: last.output(last.outputs[0])}
