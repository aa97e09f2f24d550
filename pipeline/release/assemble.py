"""How the folder of a release is made: beside its place, whole, and the same bytes each time."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.release.artifacts import artifacts
from pipeline.release.documents import RUN_TEXTS, TEXTS, Draft
from pipeline.release.layout import RUN_SUMS, RUNS, SIGNATURES, SUMS, place, sums_text
from pipeline.store.files import copy_digested, explained, replacing, sha256_of, write_atomically


def assemble(session: Session, before: Path | None = None) -> tuple[Path, bool]:
    """Make the release of what is built; return its folder, and whether it is new.

    `before` is the folder of the release before, with which it is compared.

    One that is there already stays as it is, with its signatures. Raises PipelineError where that has other
    bytes, and for what cannot be written.
    """
    target = place(session.root, session.project.manifest.product.version)
    with explained(target, "write", cache=False):
        target.parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent)
    with made as scratch:
        folder = Path(scratch, target.name)
        with explained(target, "write", cache=False):
            folder.mkdir()
            folder.chmod(0o755)
        _fill(Draft(session, folder, artifacts(session), before))
        if not os.path.lexists(target):
            with explained(target, "write", cache=False):
                folder.rename(target)
            return target, True
        with explained(target, "read", cache=False):
            changed = differences(target, folder)
        if changed:
            raise PipelineError(
                f"{target} is there already, and differs in {', '.join(changed)}",
                "what is released stays as it is: give the product another version in the manifest; "
                "if nobody has that folder yet, remove it",
            )
    return target, False


def _fill(draft: Draft) -> None:
    """Write all files of a release into the draft's folder."""
    digests = {}
    for name, artifact in draft.artifacts.items():
        with explained(artifact.path, "copy", cache=False), replacing(draft.folder / name) as file:
            digests[name] = copy_digested(artifact.path, file)
        if digests[name] != artifact.blob.sha256:
            raise PipelineError(
                f"{artifact.path}: is not what step {artifact.step.name} made", "run `./doit iso`"
            )
    for name, text in TEXTS.items():
        _write(draft, name, text)
        digests[name] = sha256_of(draft.folder / name)
    _write(draft, SUMS, lambda _draft: sums_text(digests))
    for name, text in RUN_TEXTS.items():
        _write(draft, name, text)
    of_run = {name: sha256_of(draft.folder / name) for name in (SUMS, *RUN_TEXTS)}
    _write(draft, RUN_SUMS, lambda _draft: sums_text(of_run))


def _write(draft: Draft, name: str, text: Callable[[Draft], str]) -> None:
    try:
        words = text(draft)
    except OSError as error:
        raise PipelineError(
            f"{error.filename}: cannot be read: {error.strerror or error}",
            f"make it readable for this user: {name} tells of it",
        ) from error
    with explained(draft.folder / name, "write", cache=False):
        write_atomically(draft.folder / name, words)


def differences(old: Path, new: Path) -> list[str]:
    """Return the names of files in which two releases differ, but for signatures and what tells of a run."""
    listings = [_digests(old), _digests(new)]
    names = sorted({*listings[0], *listings[1]} - {*RUNS, RUN_SUMS, *SIGNATURES})
    return [name for name in names if listings[0].get(name) != listings[1].get(name)]


def _digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder; "" for what is no file."""
    return {
        path.name: sha256_of(path) if path.is_file() and not path.is_symlink() else ""
        for path in folder.iterdir()
    }
