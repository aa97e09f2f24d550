"""The host's side of `./doit answers`: which program judges the file, and what its words become.

What an answer file may say is for the installer to judge (docs/unattended.md).
"""

import json
import re
from pathlib import Path

from pipeline.build.build import run_uncached
from pipeline.build.session import Session
from pipeline.cli.commands import installer
from pipeline.errors import PipelineError
from pipeline.inspection.open import located
from pipeline.plan.step import Source, Step
from pipeline.project.product import product_of
from pipeline.report import Line
from pipeline.steps import check_answers

CONTAINER = "imager"
"""Where the program runs: any of our containers will do for a static one, and an ISO needs this one."""


def judge(_session: Session, check: str) -> None:
    """Raise PipelineError where no file is named, or none that is there."""
    file_called(check)


def answers(session: Session, check: str) -> bool:
    """Print what the file `check`, as it is called where ./doit was called, makes the installer do, or all
    that is wrong with it; return whether the installer would follow it.

    Raises PipelineError where there is no such file, StepError where the program cannot judge.
    """
    image, program = installer(session)
    project, path = session.project, file_called(check)
    about = product_of(project.root, image, project.recipes[image])
    step = Step(
        name="answers",
        summary="Check an answer file.",
        container=project.lock_of(CONTAINER),
        inputs={
            check_answers.PROGRAM: program,
            check_answers.FILE: Source(path),
            **({check_answers.ABOUT: Source(about)} if about else {}),
        },
        outputs=(),
        run=check_answers.check,
    )
    log, line = session.folder(image) / "logs" / "answers.log", Line("answers", session.report)
    with session.store.scratch() as out:
        run_uncached(step, session.builder, out, log, line, known_as="the check")
        verdict = json.loads((out / check_answers.VERDICT).read_text())
    session.report.print(called(verdict["text"], check).rstrip("\n"))
    return bool(verdict["good"])


def file_called(name: str) -> Path:
    """Return the file `name`, as it is called where ./doit was called.

    Raises PipelineError where there is none.
    """
    if not name:
        raise PipelineError("no file is named", "name one: `./doit answers --check install.toml`")
    path = located(name)
    if not path.is_file():
        raise PipelineError(f"{name}: no such file", "name an existing answer file")
    return path


def called(text: str, name: str) -> str:
    """Return what the program said, with the file's own name where it begins a line."""
    return re.sub(rf"^{re.escape(check_answers.FILE)}(?=:)", lambda _: name, text, flags=re.MULTILINE)
