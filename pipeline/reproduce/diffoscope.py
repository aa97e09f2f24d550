"""Owns the full report on two files that differ: which container makes it, and where it goes."""

import shutil
from pathlib import Path

from pipeline.build.builder import StepError
from pipeline.build.session import Session
from pipeline.plan.step import Source, Step
from pipeline.reproduce.builds import CONTAINER
from pipeline.reproduce.verdict import Pair
from pipeline.sandbox import run as sandbox
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
    with session.store.scratch() as scratch, session.report.step(step.name, step.summary) as line:
        (scratch / "out").mkdir()
        status, error = sandbox.run(step, session.around, scratch, log, line)
        sandbox.expect_success("diffoscope", status, error, log)
        made = scratch / "out" / "diffoscope.txt"
        if not made.is_file():
            raise StepError("diffoscope made no report", f"its log: {log}")
        return Path(shutil.copy(made, folder / made.name))
