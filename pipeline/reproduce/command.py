"""`doit reproduce`: two builds, the proof that their surroundings differed, the verdict on their bytes."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.build.build import build_step, run_uncached
from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.plan.step import Source, Step
from pipeline.report import size_text
from pipeline.reproduce.builds import CONTAINER, Built, before, build_twice, needed
from pipeline.reproduce.variations import Variation, chosen
from pipeline.reproduce.verdict import Pair, divergences, keep, plant
from pipeline.sandbox.run import StepError
from pipeline.steps import diffoscope


def reproduce(
    session: Session, vary: str, only: str, without: str, recipe: str, *, full_report: bool
) -> bool:
    """Build twice and compare; return whether all bytes are the same.

    `vary` is a list of variations, empty for all; `only` and `without` are steps, by the first part of
    their names. `recipe` is the one of which all that it makes is built twice, also what no image needs.
    Raises PipelineError for what cannot be done, and for a proof that would prove nothing.
    """
    variations = chosen(vary)
    same = True
    for image, steps in plans(session, recipe).items():
        wanted = select(steps, only, without)
        for step in prepared(steps, wanted):
            with session.report.step(step.name, step.summary) as line:
                build_step(step, session.builder, session.folder(image), line)
        with session.store.scratch() as scratch:
            built = build_twice(session, image, wanted, variations, scratch)
            session.report.print("")
            rows = surroundings(wanted, built, variations)
            session.report.table(("varied", "first build", "second build"), rows)
            session.report.print("")
            same = _judge(session, image, _pairs(wanted, built), scratch, full_report=full_report) and same
    return same


def plans(session: Session, recipe: str) -> dict[str, tuple[Step, ...]]:
    """Return the plans of which steps are built twice: of all images that no other carries, or of a recipe.

    Raises PipelineError for one that is not there.
    """
    if not recipe:
        return session.outermost
    if recipe not in session.plans:
        known = ", ".join(sorted(session.plans))
        raise PipelineError(f"{recipe!r} is not a recipe", f"name one of {known}")
    return {recipe: session.whole(recipe)}


def prepared(steps: Sequence[Step], wanted: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps to make before both builds: what these do not make, and all that it is made of."""
    given = needed(steps, wanted)
    names = {step.name for step in (*before(steps, given), *given)}
    return tuple(step for step in steps if step.name in names)


def select(steps: Sequence[Step], only: str, without: str) -> tuple[Step, ...]:
    """Return the steps that `--step` and `--without` leave. Raises PipelineError for an unknown name."""
    kinds = list(dict.fromkeys(_kind(step) for step in steps))
    for option, name in (("--step", only), ("--without", without)):
        if name and not any(_is(step, name) for step in steps):
            raise PipelineError(f"{option} {name}: unknown step", f"choose from {', '.join(kinds)}")
    return tuple(step for step in steps if not _is(step, without) and (not only or _is(step, only)))


def _is(step: Step, name: str) -> bool:
    """Tell whether a step is called so: `uki:RECIPE`, or `uki`, which all of its kind are.

    What prepares a kind, such as `kernel-config`, is of that kind, too: it takes the same sources apart.
    """
    kind = _kind(step)
    return name in (step.name, kind) or kind == f"{name}-config"


def _kind(step: Step) -> str:
    return step.name.partition(":")[0]


def surroundings(
    wanted: Sequence[Step], built: tuple[Built, Built], variations: Sequence[Variation]
) -> list[tuple[str, str, str]]:
    """Return what was different: the variation, and what the last step saw of it in each build.

    Raises StepError where any step saw the same in both: what is not in force proves nothing.
    """
    rows = []
    for variation in variations:
        first = second = ""
        for step in wanted:
            if step.container is None:
                continue
            first, second = (_seen(each, step.name, variation.name) for each in built)
            if first == second:
                raise StepError(
                    f"{variation.name} was not varied: step {step.name} saw {first!r} in both builds",
                    "name the others with --vary, if this machine cannot vary it",
                )
        rows.append((variation.name, first, second))
    return rows


def _seen(built: Built, step: str, variation: str) -> str:
    """Return what a step saw of a variation; of the checkout's path only the build itself sees anything."""
    if variation == "path":
        return built.side.folder
    value = built.made[step].seen.get(variation)
    if variation == "clock" and isinstance(value, int):
        return f"{value // 86400} days after 1970"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _pairs(wanted: Sequence[Step], built: tuple[Built, Built]) -> list[Pair]:
    first, second = (each.made for each in built)
    return [
        Pair(step.name, name, Path(first[step.name].outputs[name]), Path(second[step.name].outputs[name]))
        for step in wanted
        for name in step.outputs
    ]


def _judge(session: Session, image: str, pairs: Sequence[Pair], scratch: Path, *, full_report: bool) -> bool:
    """Print the verdict on every artifact, after a difference that was planted has been found."""
    report = session.report
    report.print(f"planted to see whether it is found: {plant(pairs, scratch).text()}")
    found = divergences(pairs)
    different = [each.pair for each in found]
    rows = [(p.step, p.name, size_text(p.size), p.sha256) for p in pairs if p not in different]
    if rows:
        report.table(("step", "the same in both builds", "size:", "SHA-256"), rows)
    folder = session.root / "artifacts" / "reproduce" / image
    keep(different, folder)
    for divergence in found:
        report.print(f"not the same: {divergence.text()}", style="bold red")
    if different:
        report.print(f"both files of each: {session.shown(folder)}")
    if different and full_report:
        path = _full_report(session, different[0], folder)
        report.print(f"the full report on the first: {session.shown(path)}")
    return not different


def _full_report(session: Session, pair: Pair, folder: Path) -> Path:
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
