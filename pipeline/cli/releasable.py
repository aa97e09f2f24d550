"""Whether what lies in artifacts/ may be released: all that is in the way, a sentence each."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pipeline.build.record import made
from pipeline.build.session import Session
from pipeline.checks.quoting import sentence
from pipeline.cli import boot_test
from pipeline.cli.commands import product, sources
from pipeline.cli.realise import RECORD
from pipeline.errors import ConfigError, PipelineError
from pipeline.plan import tracked
from pipeline.project import git, outputs, versions
from pipeline.release import verify
from pipeline.release.bom import licence_lock
from pipeline.release.layout import BUILD, SIGNATURES
from pipeline.release.trust import Trust

TAG = re.compile(r"[A-Za-z0-9]+([._+-][A-Za-z0-9]+)*")
"""What of a version can be part of a tag (git-check-ref-format(1)) and of a file's name, anywhere."""

SHOWN = 5
STATUS = ("status", "--porcelain", "-z", "--no-renames", *versions.EVERYTHING)


BEFORE = ("--merged", "HEAD", "--no-contains", "HEAD", "--sort=-version:refname", "v[0-9]*")


def tag_of(session: Session) -> str:
    """Return the tag of the version that the manifest names."""
    return f"v{session.project.manifest.product.version}"


def tag_before(session: Session) -> str:
    """Return the tag of the release before, of which the commit is a successor; "" for the first."""
    top = git.checkout_of(session.root)
    found = git.tags(top, *BEFORE) if top and git.has_commit(top) else []
    return next((each for each in found if each != tag_of(session)), "")


def reasons(session: Session, before: Path | None = None) -> list[str]:
    """Return why what is built is no release, all reasons at once; none where it is one.

    `before` is said to be the folder of the release before.
    """

    def compared(_session: Session) -> Iterator[str]:
        yield from _before(tag_before(session), before)

    asked: tuple[Callable[[Session], Iterator[str]], ...] = (
        _tree,
        _version,
        _built,
        _locked,
        _licensed,
        _booted,
        compared,
    )
    found: dict[str, None] = {}
    for ask in asked:
        try:
            for reason in ask(session):  # those before an error count
                found[reason] = None
        except ConfigError as error:
            found |= dict.fromkeys(error.mistakes)
        except PipelineError as error:
            found[error.message] = None
    return list(found)


def faults(folder: Path) -> list[str]:
    """Return what is wrong with the folder of a release, but for its signatures: whose they are is not asked.

    Raises PipelineError for a folder that cannot be read.
    """
    return [
        sentence(f"{each.subject} {each.sentence}")
        for each in verify.examine(folder, Trust())
        if each.good is False and each.subject not in SIGNATURES
    ]


def _few(names: Sequence[str]) -> str:
    """Return some names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _tree(session: Session) -> Iterator[str]:
    """Yield in what the files differ from those of a commit."""
    top = git.checkout_of(session.root)
    if top is None:
        yield "this is not a git checkout: a release names the commit that it is made from"
        return
    if not git.has_commit(top):
        yield "git has no commit yet: a release names the commit that it is made from"
        return
    if changed := [state[3:] for state in git.ask(top, *STATUS)]:
        yield f"the git tree is not clean: {_few(changed)}"
    if strange := [name for name in tracked.untracked(session.root, sources(session)) if name not in changed]:
        yield f"the image contains files that git does not track: {_few(strange)}"
    project = session.project
    yield from versions.commit_mistakes(session.root, project.recipes, project.manifest.versions)


def _version(session: Session) -> Iterator[str]:
    """Yield why the version cannot be released, or not any more."""
    version, tag = session.project.manifest.product.version, tag_of(session)
    if not TAG.fullmatch(version) or version.endswith(".lock"):
        yield (
            f"the version {version!r} cannot name a tag: take letters, digits and single . _ + -, "
            "and no .lock at the end"
        )
    top = git.checkout_of(session.root)
    if top is None or not git.has_commit(top):
        return
    here = git.tags(top, "--points-at", "HEAD")
    if tag in git.tags(top) and tag not in here:
        yield f"{version} was released before: the tag {tag} names another commit"
    if others := [each for each in here if re.match(r"v[0-9]", each) and each != tag]:
        yield f"this commit is tagged {_few(others)}, but the manifest says {version}"


def _built(session: Session) -> Iterator[str]:
    """Yield what is not built, is built of something else, or obeys no rules."""
    unchecked, stale = dict[str, None](), dict[str, None]()
    for image, steps in session.images.items():
        folder = session.folder(image)
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            is_releasable, unpinned = record["releasable"], dict(record["unpinned"])
        except (OSError, ValueError, KeyError, TypeError):  # or of another layout
            yield f"{image} is not built: run `./doit iso`"
            continue
        if not is_releasable:
            what = ", ".join(f"the {part} {path}" for part, path in unpinned.items())
            yield f"{image} is built of what is not pinned: {what or 'a debug image'}; run `./doit iso`"
            continue
        for step in steps:
            result = session.builder.result(step)
            if result and result.checked != session.builder.checks_digest(step):
                unchecked[step.name] = None
            elif not session.builder.is_current(step, folder):
                stale[step.name] = None
    if unchecked:
        yield f"checks have not passed as they are now, of {_few([*unchecked])}: run `./doit iso`"
    if stale:
        yield f"artifacts are not what this checkout makes, of {_few([*stale])}: run `./doit iso`"


def _locked(session: Session) -> Iterator[str]:
    """Yield in what is built differs from the outputs that are locked."""
    locked = outputs.read(session.root)
    try:
        found = made(session.images, session.builder)
    except PipelineError:  # `_built` has said it
        return
    yield from outputs.differences(locked, product(session), found)


def _licensed(session: Session) -> Iterator[str]:
    """Yield why the licences of packages are not known."""
    project = session.project
    try:
        licence_lock.read(project)
    except ConfigError as error:
        yield from (f"{mistake}: {error.hint}" for mistake in error.mistakes)


def _booted(session: Session) -> Iterator[str]:
    """Yield which boot tests have not passed with these very bytes."""
    for image in session.proved:
        if lacking := boot_test.unproved(session, image):
            yield (
                f"{image}: {_few(lacking)} did not pass, or not with these very bytes: run `./doit boot-test`"
            )


def _before(tag: str, folder: Path | None) -> Iterator[str]:
    """Yield why a release cannot be compared with that of `tag`, which `folder` should be."""
    if folder is None:
        if tag:
            yield f"{tag} was released before: name that release's folder by --since, to say what changed"
        return
    if wrong := faults(folder):
        yield from (f"--since {folder}: {fault}" for fault in wrong)
        return
    try:
        record = json.loads((folder / BUILD).read_text(encoding="utf-8"))
        version = str(record["product"]["version"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        yield f"--since {folder}: {BUILD} does not say of which version it is"
        return
    if f"v{version}" != tag:
        yield f"--since {folder}: is release {version}, the one before is {tag.removeprefix('v') or 'none'}"
