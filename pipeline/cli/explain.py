"""`./doit explain` and `./doit shell`: what a step runs, and a terminal at the place where it would."""

import difflib
import shlex
import sys
from collections.abc import Iterator, Sequence

from pipeline.build.session import Session
from pipeline.cli import realise
from pipeline.cli.graph import kind_of
from pipeline.cli.program import FROM_SOURCE
from pipeline.debian.lock import Lock
from pipeline.errors import PipelineError
from pipeline.plan.step import Input, Output, Source, Step
from pipeline.report import Line
from pipeline.reproduce.builds import before
from pipeline.sandbox.containers import Containers
from pipeline.sandbox.environment import Conditions
from pipeline.steps.runner import BUILD, ENVIRONMENT
from pipeline.store.cache import CommandLine

LIST = "`./doit list` shows all"
ALL_OF_IT = "python3 -m pipeline.steps.runner"
UNKNOWN = f"# not built yet, so nobody knows its commands; all of it: {ALL_OF_IT}"
FETCHED = "# taken from a cache, which does not say its commands"

SHELLS = (
    ("/usr/bin/bash", "--norc"),
    ("/usr/bin/dash",),
    ("/usr/bin/python3", "-i"),
)
"""What a terminal gets: the first of these that the container has."""

SHELL = f"""\
with open("{BUILD}/step.json") as file:
    epoch = str(json.load(file)["epoch"])
own = {ENVIRONMENT!r} | {{"SOURCE_DATE_EPOCH": epoch, "PS1": "$ ", "TERM": os.environ.get("TERM", "linux")}}
os.chdir("{BUILD}/work")
argv = next(argv for argv in {SHELLS!r} if os.path.exists(argv[0]))
os.execve(argv[0], argv, own)
"""
"""Starts a shell in a container as `pipeline.steps.runner` starts a step's function."""


def chosen(session: Session, names: Sequence[str]) -> list[str]:
    """Return the steps of these names: of a kind, such as uki, all. Raises PipelineError for none."""
    if not names:
        raise PipelineError("no step is named", f"name one, such as uki; {LIST}")
    found = []
    for name in names:
        steps = [step for step in session.steps if name in (step, kind_of(step))]
        if not steps:
            close = difflib.get_close_matches(name, {*session.steps, *map(kind_of, session.steps)}, n=1)
            raise PipelineError(
                f"{name!r} is not a step", f"did you mean `{close[0]}`? {LIST}" if close else LIST
            )
        found += steps
    return list(dict.fromkeys(found))


def explain(session: Session, names: Sequence[str]) -> None:
    """Print the container, inputs and command lines of steps, as far as they are known: it makes none."""
    for name in chosen(session, names):
        for line in lines(session, next(iter(session.steps[name].values()))):
            session.report.print(line)


def shell(session: Session, names: Sequence[str]) -> None:
    """Give this terminal a shell in a container that holds what a step finds, its commands in sight.

    Raises PipelineError for a step without a container, for several, and where there is no terminal.
    """
    found = chosen(session, names)
    if len(found) > 1:
        raise PipelineError(
            f"a shell is for one step, these are {len(found)}", f"name one of {', '.join(found)}"
        )
    step = next(iter(session.steps[found[0]].values()))
    if step.run is None:
        raise PipelineError(f"step {step.name} runs nothing: it only copies files", LIST)
    if not sys.stdin.isatty():
        raise PipelineError(
            "standard input is not a terminal", f"`./doit explain {step.name}` prints what to run in one"
        )
    _prepare(session, step.name)
    for line in lines(session, step):
        session.report.print(line)
    work = session.builder.work(step, Line("shell", session.report))
    Containers(session.store, session.project.sources(), Conditions(instead=SHELL)).attach(work)


def lines(session: Session, step: Step) -> Iterator[str]:
    """Yield what can be pasted into a shell of the step's container, and as comments what it finds there."""
    yield f"# step {step.name}: {step.summary}"
    if step.run is None or step.container is None:
        yield "# nothing runs: it takes files as they are"
        return
    yield f"# container {step.container.container} ({step.container.tag})"
    yield f"# a shell in it: ./doit shell {step.name}"
    yield f"# inputs, in {BUILD}/in:"
    for name, source in step.inputs.items():
        yield f"#   {name}: {_origin(session, source)}"
    yield f"# outputs, to {BUILD}/out: {', '.join(step.outputs)}"
    code = f"{step.run.__module__}:{step.run.__qualname__}"
    yield f"# what is no command below is done by {code}; all of it: {ALL_OF_IT}"
    for variable, value in environment(step, step.container).items():
        yield f"export {variable}={shlex.quote(value)}"
    yield f"cd {BUILD}/work"
    known = session.builder.result(step)
    if known is None:
        yield UNKNOWN
        yield f"# to build it: ./doit {step.name}"
    elif known.commands is None:
        yield FETCHED
        yield f"# to build it, and all it needs: ./doit {step.name} {FROM_SOURCE}"
    else:
        yield from map(pasted, known.commands)


def environment(step: Step, container: Lock) -> dict[str, str]:
    """Return the variables that a step's commands find."""
    return ENVIRONMENT | {"SOURCE_DATE_EPOCH": str(step.params.get("epoch", container.epoch))}


def pasted(command: CommandLine) -> str:
    """Return a command as a line for a shell in the step's folder for scratch."""
    words = [f"{name}={shlex.quote(value)}" for name, value in command.env.items()]
    text = " ".join([*words, shlex.join(command.argv)])
    return text if command.cwd in ("", f"{BUILD}/work") else f"(cd {shlex.quote(command.cwd)} && {text})"


def _origin(session: Session, source: Input) -> str:
    match source:
        case Output(step, name):
            return f"{name} of step {step.name}"
        case Source(path):
            return str(path.relative_to(session.root) if path.is_relative_to(session.root) else path)
        case _:
            return source.what


def _prepare(session: Session, name: str) -> None:
    """Make what a step needs, one after the other."""
    image, step = next(iter(session.steps[name].items()))
    realise.realise(session, before(session.plans[image], [step]))
