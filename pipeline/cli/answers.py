"""The host's side of `./doit answers`: which program judges the file, and what its words become.

What an answer file may say is for the installer to judge (docs/unattended.md).
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.build.build import run_uncached
from pipeline.build.builder import Builder
from pipeline.errors import PipelineError
from pipeline.inspection.open import located
from pipeline.plan.step import Output, Source, Step
from pipeline.project.checkout import Project
from pipeline.project.product import product_of
from pipeline.report import Line
from pipeline.steps import check_answers

CONTAINER = "imager"
"""Where the program runs: any of our containers will do for a static one, and an ISO needs this one."""


@dataclass(frozen=True)
class Verdict:
    """Whether the installer would follow a file, and what it says of it."""

    good: bool
    text: str


def check(
    project: Project, image: str, made: Output, builder: Builder, name: str, log: Path, line: Line
) -> Verdict:
    """Have the program `made` of `image` judge the file `name`, as it is called where ./doit was called.

    Raises PipelineError where there is no such file, StepError where the program cannot judge.
    """
    path = file_called(name)
    about = product_of(project.root, image, project.recipes[image])
    step = Step(
        name="answers",
        summary="Check an answer file.",
        container=project.lock_of(CONTAINER),
        inputs={
            check_answers.PROGRAM: made,
            check_answers.FILE: Source(path),
            **({check_answers.ABOUT: Source(about)} if about else {}),
        },
        outputs=(),
        run=check_answers.check,
    )
    with builder.store.scratch() as out:
        run_uncached(step, builder, out, log, line, known_as="the check")
        verdict = Verdict(**json.loads((out / check_answers.VERDICT).read_text()))
    return Verdict(verdict.good, called(verdict.text, name))


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
