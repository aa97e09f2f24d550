"""What each command does, between doit, which calls it, and the modules that do the work.

Heavy modules are imported where they are used: doing nothing has to take no time.
"""

from pathlib import Path

from pipeline.build.record import build_record, made, rows
from pipeline.build.session import Session
from pipeline.cli.realise import RECORD
from pipeline.debian.lock import REPOSITORY
from pipeline.errors import ConfigError, PipelineError
from pipeline.plan.step import Output, Source
from pipeline.project import checkout, outputs, versions
from pipeline.report import Line, size_text
from pipeline.sandbox.run import StepError
from pipeline.steps.check_answers import PROGRAM


def tell_untracked(session: Session) -> None:
    """Name what goes into the images and is not in git.

    Raises ConfigError for a crate of which another commit is checked out than the manifest names.
    """
    from pipeline.plan import tracked

    if session.debug:  # whose files are copies
        return
    project = session.project
    if wrong := versions.commit_mistakes(session.root, project.recipes, project.manifest.versions):
        raise ConfigError(wrong, "check out and clean what the manifest names, or name what is checked out")

    steps = (next(iter(each.values())) for each in session.steps.values())
    sources = [source for step in steps for source in step.inputs.values() if isinstance(source, Source)]
    tracked.tell(session.root, sources, lambda text: session.report.print(text, style="yellow"))


def judge_iso(**options: object) -> None:
    """Raise PipelineError for options that `program` has left to doit, which takes abbreviations, too."""
    for name, value in options.items():
        if value:
            raise PipelineError(f"--{name} is abbreviated, or there twice", f"write `--{name}` once, in full")


def summarise(session: Session, **_options: object) -> None:
    """Write build.json, and print what there is now and what to do with it."""
    report = session.report
    for image, steps in session.images.items():
        folder = session.folder(image)
        build_record(
            steps, session.builder, folder / RECORD, session.cached, session.unpinned, debug=session.debug
        )
        report.print("")
        report.table(("artifact", "size:", "SHA-256", "seconds:"), rows(steps, session.builder))
        if session.project.recipes[image].iso is None:
            continue
        iso = session.shown(folder / f"{image}.iso")
        report.print(f"\n{iso}", style="bold")
        report.print(
            f"  to a USB stick:  sudo dd if={iso} of=/dev/sdX bs=4M oflag=direct conv=fsync status=progress"
        )
    report.print("")
    for what, path in session.unpinned.items():
        report.print(f"unpinned, not releasable: the {what} is {path}", style="yellow")
    if session.debug:
        report.print(
            "a debug image, not releasable: it talks, and gives a shell to everybody", style="yellow"
        )
    if not (session.unpinned or session.debug):
        verify_outputs(session)


def verify_outputs(session: Session) -> bool:
    """Say whether what was built is, byte for byte, what the outputs' lock says; return that.

    Raises ConfigError for a lock with mistakes.
    """
    report = session.report
    found = made(session.images, session.builder)
    try:
        locked = outputs.read(session.root)
    except outputs.StaleError as error:
        report.print(f"not compared with what is locked: {error}", style="yellow")
        return False
    wrong = outputs.differences(locked, product(session), found)
    for sentence in wrong:
        report.print(f"not what is locked: {sentence}", style="yellow")
    if wrong:
        report.print(f"  if that is what you changed: `./doit lock {outputs.NAME}`")
        return False
    report.print(f"byte for byte what {outputs.PATH} says of {product(session)}", style="green")
    if unproved := outputs.unproved(locked, found):
        report.print(f"  of other inputs than locked: {', '.join(unproved)}; `./doit lock {outputs.NAME}`")
    return True


def product(session: Session) -> str:
    """Return the product and its version, as people say it."""
    named = session.project.manifest.product
    return f"{named.name} {named.version}"


def lock(
    session: Session,
    names: list[str],
    check: bool = False,
    downgrade: bool = False,
    trust_mirror: bool = False,
) -> bool:
    """Resolve containers anew; or write down what was built; or, to check, write nothing and compare."""
    from pipeline.build.builder import Builder
    from pipeline.cli.lock import Consent, check_locks, make_locks
    from pipeline.sandbox.containers import Containers

    good = True
    if outputs.NAME in names and check:
        good = verify_outputs(session)
    elif outputs.NAME in names:
        outputs.write(session.root, product(session), made(session.images, session.builder))
        session.report.print(f"written: {outputs.PATH}")
    containers = [name for name in names if name != outputs.NAME]
    if names and not containers:
        return good
    project = checkout.load(session.root, match_locks=False)
    builder = Builder(session.store, lambda: Containers(session.store, project.sources()))
    consent = Consent(downgrade, trust_mirror)
    if check:
        return check_locks(project, builder, containers, session.report, consent) and good
    make_locks(project, builder, containers, session.report, consent)
    return good


def reproduce(session: Session, vary: str, step: str, without: str, diffoscope: bool) -> bool:
    """Build everything twice in hostile surroundings, and compare all bytes."""
    from pipeline.reproduce.command import reproduce as prove

    return prove(session, vary, step, without, full_report=diffoscope)


def boot_test(session: Session, only: str, accel: str, seed: int) -> None:
    """Boot each image in virtual machines, and install from it: all ways and stories, or some.

    `seed` repeats what an earlier test left to chance; 0 leaves it to chance.
    """
    from pipeline.cli import boot_test as boots

    summary = "boot it in virtual machines, and install from it"
    names = _names(only)
    for image in session.media:
        folder = session.folder(image)
        try:
            with session.report.step(f"boot-test:{image}", summary) as line:
                boots.test(session, image, names, accel, seed, line)
        except StepError:
            tell_boots(session, folder)
            raise
        tell_boots(session, folder)


def _names(only: str) -> list[str]:
    return [name for name in only.split(",") if name]


def judge_boot_test(session: Session, only: str, accel: str, **_other: object) -> None:
    """Raise PipelineError for an unknown name or accelerator."""
    from pipeline.cli import boot_test as boots

    boots.judge(session, _names(only), accel)


def judge_boot(session: Session, debug: bool, **options: object) -> None:
    """Raise PipelineError for options that are wrong, or do not go together."""
    from pipeline.cli import by_hand

    judge_iso(debug=debug)
    by_hand.Wish(**options).judge(session)  # type: ignore[arg-type]


def judge_answers(_session: Session, check: str, **_other: object) -> None:
    """Raise PipelineError where no file is named, or none that is there."""
    from pipeline.cli import answers

    answers.file_called(check)


def tell_boots(session: Session, folder: Path) -> None:
    """Print what the boot test of an image found, and where to look."""
    from pipeline.cli import boot_test as boots

    session.report.table(("boot test", "verdict", "seconds:", "of which"), boots.rows(folder))
    session.report.print(f"logs and screenshots: {session.shown(folder / 'boot-test')}")


def boot(session: Session, **options: object) -> bool:
    """Boot the first image in this terminal."""
    from pipeline.cli import by_hand

    return by_hand.look_around(session, by_hand.Wish(**options)) == 0  # type: ignore[arg-type]


def inspect(_session: Session, arguments: list[str]) -> None:
    """Say of boot images whether they will boot, confined as `entry` has it do so where it comes first.

    SystemExit with the exit status that it documents.
    """
    from pipeline.inspection import cli

    raise SystemExit(cli.command(arguments))


def installer(session: Session) -> tuple[str, Output]:
    """Return the first image that has an installer, and the output that is the program.

    Raises PipelineError where no recipe has one, and for mistakes in the recipes.
    """
    for image, steps in session.images.items():
        for step in steps:
            if PROGRAM in step.outputs:
                return image, step.output(PROGRAM)
    raise PipelineError(f"no recipe has the program {PROGRAM}", "add one that has to recipes/")


def answers(session: Session, check: str) -> bool:
    """Say what an answer file will make the installer do, or all that is wrong with it."""
    from pipeline.cli import answers

    image, program = installer(session)
    log = session.folder(image) / "logs" / "answers.log"
    line = Line("answers", session.report)
    verdict = answers.check(session.project, image, program, session.builder, check, log, line)
    session.report.print(verdict.text.rstrip("\n"))
    return verdict.good


def pin(session: Session, arguments: list[str]) -> None:
    """Measure a file from outside, and write its pin into the manifest."""
    from pipeline.cli.pin import pin

    pin(session, arguments)


def new(session: Session, product: str, arguments: list[str]) -> None:
    """Make a project for another product."""
    from pipeline.cli.new import new

    new(session, arguments, product)


def explain(session: Session, names: list[str]) -> None:
    """Print what a step runs, on what, and where."""
    from pipeline.cli import explain

    explain.explain(session, names)


def shell(session: Session, names: list[str]) -> None:
    """Give this terminal a shell where a step would run."""
    from pipeline.cli import explain

    explain.shell(session, names)


def doctor(session: Session) -> bool:
    """Say whether this machine can do all that."""
    from pipeline.cli.doctor import examine

    return examine(session)


def gc(session: Session, days: int) -> None:
    """Show what the cache holds; remove what no recent build used, also images that no lock here names.

    Builds of other projects count, as far as they share the cache; an image that none with this cache used
    is somebody else's.
    """
    from pipeline.sandbox.discovery import connect
    from pipeline.sandbox.docker import EngineError
    from pipeline.sandbox.image import digits_of

    store, report = session.store, session.report
    if days < 0:
        raise PipelineError(f"--days {days}: is negative", "`./doit gc --days 0` empties the cache")
    before = store.usage()
    report.print(f"{store.root}: {before.results} results, {before.blobs} blobs, {size_text(before.size)}")
    gone = store.clean(older_than=days * 86400)
    report.print(f"removed: {gone.results} results, {gone.blobs} blobs, {size_text(gone.size)}")
    wanted = {lock.tag for lock in checkout.load(session.root, match_locks=False).locks.values()}
    try:
        engine = connect()
    except EngineError:
        report.print("no container engine answers: its images are kept")
        return
    unused = store.unused_images(older_than=days * 86400)
    for tag in engine.images(REPOSITORY):
        if tag[tag.index(f"{REPOSITORY}/") :] not in wanted and digits_of(tag) in unused:
            try:
                engine.remove_image(tag)
            except EngineError as error:  # another project's build uses it at this moment
                report.print(f"kept: image {tag}: {error.message}")
            else:
                store.forget_image(digits_of(tag))
                report.print(f"removed: image {tag}")


def test(session: Session, fast: bool) -> bool:
    """Run all tests, or those that need no container."""
    from pipeline.cli.run_tests import run_tests

    return run_tests(session, fast=fast)


def judge_bench(_session: Session, only: str) -> None:
    """Raise PipelineError for what is not measured."""
    from pipeline.cli.bench import judge

    judge(only)


def bench(session: Session, only: str) -> None:
    """Measure, and write artifacts/bench.json."""
    from pipeline.cli.bench import measure

    measure(session, only)
