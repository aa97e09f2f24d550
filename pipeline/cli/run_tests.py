"""`doit test`: the linters and test runners of both languages, in the order in which they are quick."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.build.build import build_step
from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.plan.programs import built_crate, check_inputs, crate_inputs, fetched_crates
from pipeline.plan.step import Step
from pipeline.project.checkout import Project
from pipeline.project.crates import Crate, packages
from pipeline.steps import rust

AT_ONCE = ("--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile")
"""How pytest is told to use all processors: what tests of a file share is made once."""


def python_commands(*, fast: bool) -> list[list[str]]:
    """Return what is run on the Python code; `fast` leaves out what needs a container.

    What takes minutes runs at night, by name: `pytest -m nightly`.
    """
    chosen = "not container and not boot and not nightly" if fast else "not nightly"
    return [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy"],
        ["pytest", *AT_ONCE, "-m", chosen],
    ]


def crate_tests(session: Session) -> list[Step]:
    """Return a step for each workspace that runs rustfmt, clippy and its tests in the rust container.

    They are those of crates that programs are built from, and of what these take by path.
    """
    project = session.project
    programs = ((name, called) for name, recipe in project.recipes.items() for called in recipe.programs)
    crates = {built_crate(project, name, called) for name, called in programs} - {None}
    found = {
        Crate(session.root, each)
        for crate in crates
        if crate and crate.tree == session.root  # those that come with the pipeline have been tested there
        for each in packages(crate.tree, crate.folder)
    }
    workspaces: dict[Path, list[Crate]] = {}
    for crate in sorted(found, key=lambda crate: crate.folder):
        workspaces.setdefault(crate.workspace, []).append(crate)
    return [_workspace_tests(project, members) for members in workspaces.values()]


def _workspace_tests(project: Project, members: Sequence[Crate]) -> Step:
    first = members[0]
    crates, name = fetched_crates(project, first), first.place(first.workspace)
    return Step(
        name=f"crate-tests:{name}",
        summary="cargo fmt, clippy and test, in the rust container",
        container=crates.container,
        inputs={
            "crates.tar": crates.output("crates.tar"),
            **crate_inputs(*members),
            **check_inputs(first),
        },
        outputs=("passed",),
        params={"workspace": name},
        run=rust.check_sources,
    )


def _run(session: Session, command: Sequence[str]) -> bool:
    session.report.print("$ " + " ".join(command), style="bold")
    argv = [sys.executable, "-I", "-X", "utf8", "-m", *command]
    return subprocess.run(argv, cwd=session.root, check=False).returncode == 0


def run_tests(session: Session, *, fast: bool) -> bool:
    """Run everything, also after a failure, so that one run tells all; return whether all passed."""
    # A project for another product brings no Python of its own but stories, which `boot-test` plays.
    commands = python_commands(fast=fast) if (session.root / "pyproject.toml").is_file() else []
    passed = [_run(session, command) for command in commands]
    for step in [] if fast else crate_tests(session):
        try:
            count = _crate_passes(session, step)
        except PipelineError as error:
            session.report.error(error)
            passed.append(False)
        else:
            session.report.print(f"{step.name}: {count} passed, 0 failed")
    return all(passed)


def _crate_passes(session: Session, step: Step) -> int:
    """Return how many tests of a crate passed. Raises StepError when anything in it fails."""
    folder = session.folder("crate-tests")
    for each in (*step.needs(), step):
        with session.report.step(each.name, each.summary) as line:
            build_step(each, session.builder, folder, line)
    result = session.builder.result(step)
    path = session.store.find(result.outputs["passed"]) if result else None
    return int(path.read_text()) if path else 0
