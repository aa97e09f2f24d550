"""What each command does, between doit, which calls it, and the modules that do the work.

Heavy modules are imported where they are used: doing nothing has to take no time.
"""

from pipeline.build.record import build_record, made, rows
from pipeline.build.session import Session
from pipeline.cli import burn
from pipeline.cli.realise import RECORD, realise, taken_after_all
from pipeline.debian.lock import REPOSITORY
from pipeline.errors import ConfigError, PipelineError
from pipeline.plan.step import Output, Source, Step
from pipeline.plan.trusted import signatures_of, unsigned_images
from pipeline.project import checkout, outputs, versions
from pipeline.report import size_text
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

    tracked.tell(session.root, sources(session), lambda text: session.report.print(text, style="yellow"))


def sources(session: Session) -> set[Source]:
    """Return what all steps take of the project's files."""
    steps = (next(iter(each.values())) for each in session.steps.values())
    return {source for step in steps for source in step.inputs.values() if isinstance(source, Source)}


def judge_iso(**options: object) -> None:
    """Raise PipelineError for options that `program` has left to doit, which takes abbreviations, too."""
    for name, value in options.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise PipelineError(f"{option} is abbreviated, or there twice", f"write `{option}` once, in full")


def summarise(session: Session, **_options: object) -> None:
    """Write build.json, and print what there is now and what to do with it."""
    report = session.report
    for image, steps in session.images.items():
        _tell_image(session, image, steps)
    report.print("")
    taken = taken_after_all(session)
    if session.remotes and (fetched := session.fetched | taken):
        size = size_text(session.remotes.taken)
        report.print(f"fetched ({size}): {', '.join(sorted(fetched))}")
    if left := session.left - taken:
        report.print(f"left in the caches, as nothing needs it: {', '.join(sorted(left))}")
    if session.built:
        report.print(f"built: {', '.join(sorted(session.built))}")
    for what, path in session.unpinned.items():
        report.print(f"unpinned, not releasable: the {what} is {path}", style="yellow")
    tell_unsigned(session)
    if session.debug:
        report.print(
            "a debug image, not releasable: it talks, and gives a shell to everybody", style="yellow"
        )
    if not (session.unpinned or session.debug):
        verify_outputs(session)


def tell_unsigned(session: Session) -> None:
    """Say of which images there is no signature, though their recipe has `[trust]`."""
    for name in session.images:
        if unsigned := unsigned_images(session.project, name):
            session.report.print(
                f"unsigned: {', '.join(unsigned)}, of which {signatures_of(session.project, name)} has no "
                "signature: `./doit sign --secure-boot --key KEY`, then this again",
                style="yellow",
            )


def _tell_image(session: Session, image: str, steps: tuple[Step, ...]) -> None:
    """Write the build.json of an image, and print what there is of it, and how its medium is written."""
    report, folder = session.report, session.folder(image)
    build_record(
        steps,
        session.builder,
        folder / RECORD,
        session.cached | session.fetched | session.left,
        session.unpinned,
        debug=session.debug,
    )
    report.print("")
    report.table(("artifact", "size:", "SHA-256", "seconds:"), rows(steps, session.builder))
    if session.project.recipes[image].iso is None:
        return
    iso = session.shown(folder / f"{image}.iso")
    report.print(f"\n{iso}", style="bold")
    for line in burn.commands(iso):
        report.print(f"  to a USB stick:  {line}")


def image(session: Session, names: list[str]) -> None:
    """Make all that the recipes of these names make, one step after the other, and print what there is then.

    Raises PipelineError where no recipe is named, or one that is not there.
    """
    known = ", ".join(sorted(session.plans))
    if not names:
        raise PipelineError("no recipe is named", f"name one of {known}; `./doit iso` makes all media")
    if unknown := [name for name in names if name not in session.plans]:
        raise PipelineError(f"{unknown[0]!r} is not a recipe", f"name one of {known}")
    for name in dict.fromkeys(names):
        realise(session, session.whole(name))
        _tell_image(session, name, session.whole(name))


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
    update: bool = False,
    downgrade: bool = False,
    trust_mirror: bool = False,
) -> bool:
    """Resolve containers anew; or write down what was built; or, to check, write nothing and compare.

    The licences of packages come along; by their name they are read anew. An update takes Debian as it is
    now, of all that is locked.
    """
    from pipeline.build.builder import Builder
    from pipeline.cli.lock import Consent, check_locks, make_locks, refuse_unknown
    from pipeline.cli.lock_licences import check_licences, write_licences
    from pipeline.cli.lock_pins import check_pins
    from pipeline.release.bom import licence_lock
    from pipeline.sandbox.containers import Containers

    if update:
        from pipeline.cli.lock_update import update as renew

        if names or check:
            raise PipelineError(
                "--update renews all locks, which have one snapshot", "name none, and no --check"
            )
        return renew(session, Consent(downgrade, trust_mirror))
    project = checkout.load(session.root, match_locks=False)
    containers = [name for name in names if name not in (outputs.NAME, licence_lock.NAME)]
    refuse_unknown(project, containers)
    good = True
    if outputs.NAME in names and check:
        good = verify_outputs(session)
    elif outputs.NAME in names:
        outputs.write(session.root, product(session), made(session.images, session.builder))
        session.report.print(f"written: {outputs.PATH}")
    licences, report = licence_lock.NAME in names, session.report
    if names and not (containers or licences):
        return good
    builder = Builder(session.store, lambda: Containers(session.store, project.sources()))
    consent = Consent(downgrade, trust_mirror)
    if check:
        if containers or not names:
            there = check_pins(project, containers, report, session.store.stopped)
            good = check_locks(project, builder, containers, report, consent) and there and good
        return check_licences(project, session.store, report, anew=licences) and good
    if containers or not names:
        make_locks(project, builder, containers, report, consent)
        project = checkout.load(session.root, match_locks=False)
    write_licences(project, session.store, report, anew=licences)
    return good


def reproduce(session: Session, vary: str, step: str, without: str, image: str, diffoscope: bool) -> bool:
    """Build everything twice in hostile surroundings, and compare all bytes."""
    from pipeline.reproduce.command import reproduce as prove

    return prove(session, vary, step, without, image, full_report=diffoscope)


def inspect(_session: Session, arguments: list[str]) -> None:
    """Say of boot images whether they will boot, confined as `entry` has it do so where it comes first.

    SystemExit with the exit status that it documents.
    """
    from pipeline.inspection import cli

    raise SystemExit(cli.command(arguments))


def diff(session: Session, arguments: list[str]) -> None:
    """Say how two versions differ, as `entry` does where it comes first.

    SystemExit with the exit status that it documents.
    """
    from pipeline.cli.diff import main

    raise SystemExit(main(session.root, arguments))


def measure(session: Session, arguments: list[str]) -> None:
    """Predict what a TPM says of an image, as `entry` does where it comes first.

    SystemExit with the exit status that it documents.
    """
    from pipeline.cli import measure

    raise SystemExit(measure.main(session.root, arguments))


def attest(session: Session, arguments: list[str]) -> None:
    """Say what runs on a machine, as `entry` has it do so where it comes first.

    SystemExit with the exit status that it documents.
    """
    from pipeline.cli import attest

    raise SystemExit(attest.main(session.root, arguments))


def verify(_session: Session, arguments: list[str]) -> None:
    """Say whether a release is whole, as `entry` has it do so where it comes first.

    SystemExit with its exit status.
    """
    from pipeline.cli import verify

    raise SystemExit(verify.command(arguments))


def installer(session: Session) -> tuple[str, Output]:
    """Return the first image that has an installer, and the output that is the program.

    Raises PipelineError where no recipe has one, and for mistakes in the recipes.
    """
    for image, steps in session.images.items():
        for step in steps:
            if PROGRAM in step.outputs:
                return image, step.output(PROGRAM)
    raise PipelineError(f"no recipe has the program {PROGRAM}", "add one that has to recipes/")


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
