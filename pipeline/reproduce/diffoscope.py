"""The full report on two files that differ: which container makes it, and where it goes."""

import shutil
from pathlib import Path

from pipeline.build.build import run_uncached
from pipeline.build.session import Session
from pipeline.plan.step import Source, Step
from pipeline.reproduce.builds import CONTAINER
from pipeline.reproduce.verdict import Pair
from pipeline.sandbox.run import StepError
from pipeline.steps import diffoscope


def report(session: Session, pair: Pair, folder: Path) -> Path:
    """Write diffoscope's report on a pair into `folder`, and return its path. StepError when it fails."""
    step = Step(
        name="diffoscope",
        summary="Report on all that differs.",
        container=session.project.lock_of(CONTAINER),
        inputs={"first": Source(pair.first), "second": Source(pair.second)},
        outputs=("diffoscope.txt",),
        params={"name": pair.name},
        run=diffoscope.compare,
    )
    log = folder / "diffoscope.log"
    with session.store.scratch() as out, session.report.step(step.name, step.summary) as line:
        run_uncached(step, session.builder, out, log, line, known_as="diffoscope")
        made = out / "diffoscope.txt"
        if not made.is_file():
            raise StepError("diffoscope made no report", f"its log: {log}")
        return Path(shutil.copy(made, folder / made.name))
