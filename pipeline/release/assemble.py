"""How the folder of a release is made: beside its place, whole, and the same bytes each time."""

import contextlib
import datetime
import getpass
import json
import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.build.record import facts
from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.plan.step import distinct
from pipeline.project import git
from pipeline.release.artifacts import Artifact, artifacts
from pipeline.release.layout import BUILD, RUN, RUNS, SIGNATURES, SUMS, place, sums_text
from pipeline.store.files import copy_digested, explained, replacing, sha256_of, write_atomically

VERSION = 1
"""Of the layout of build.json and run.json: it grows when a reader would misunderstand."""


@dataclass(frozen=True)
class Draft:
    """A release that is being made in `folder`: its `artifacts` are there already."""

    session: Session
    folder: Path
    artifacts: Mapping[str, Artifact]


def build_text(draft: Draft) -> str:
    """Return what was built of what, by which commit: all that is the same for everybody."""
    session = draft.session
    product = session.project.manifest.product
    steps = distinct(step for steps in session.images.values() for step in steps)
    files = [
        {
            "name": name,
            "step": made.step.name,
            "output": made.output,
            "sha256": made.blob.sha256,
            "size": made.blob.size,
        }
        for name, made in draft.artifacts.items()
    ]
    record = {
        "version": VERSION,
        "product": {"name": product.name, "version": product.version},
        "commit": git.head(session.root),
        "source_date_epoch": session.project.manifest.source_date_epoch,
        "artifacts": files,
        "steps": [facts(step, session.builder) for step in steps],
    }
    return json.dumps(record, indent=2) + "\n"


def run_text(draft: Draft) -> str:
    """Return who made it, where, when and how fast, and how fast it booted."""
    session = draft.session
    results = {
        step.name: result.seconds
        for step in distinct(step for steps in session.images.values() for step in steps)
        if (result := session.builder.result(step))
    }
    user = ""
    with contextlib.suppress(OSError, KeyError):  # nobody gave the user a name
        user = getpass.getuser()
    record = {
        "version": VERSION,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "by": f"{user}@{platform.node()}",
        "machine": platform.platform(),
        "seconds": results,
        "boot_tests": {image: _boot_tests(session.folder(image) / "boot-test") for image in session.media},
    }
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def _boot_tests(folder: Path) -> dict[str, object]:
    """Return the results and timelines that a boot test has left, by their paths in its folder."""
    paths = [path for kind in ("result", "timeline") for path in folder.rglob(f"{kind}.json")]
    return {
        path.relative_to(folder).as_posix(): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(paths)
    }


TEXTS: dict[str, Callable[[Draft], str]] = {
    BUILD: build_text,
}
"""The documents of a release, in the order in which they are made: each finds the earlier ones there."""

RUN_TEXTS: dict[str, Callable[[Draft], str]] = {
    RUN: run_text,
}
"""What tells of this making of it."""


def assemble(session: Session) -> tuple[Path, bool]:
    """Make the release of what is built; return its folder, and whether it is new.

    One that is there already stays as it is, with its signatures. Raises PipelineError where that has other
    bytes, and for what cannot be written.
    """
    target = place(session.root, session.project.manifest.product.version)
    with explained(target, "write", cache=False):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
            folder = Path(scratch, target.name)
            folder.mkdir()
            folder.chmod(0o755)
            _fill(Draft(session, folder, artifacts(session)))
            if not os.path.lexists(target):
                folder.rename(target)
                return target, True
            if changed := differences(target, folder):
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
        with replacing(draft.folder / name) as file:
            digests[name] = copy_digested(artifact.path, file)
        if digests[name] != artifact.blob.sha256:
            raise PipelineError(
                f"{artifact.path}: is not what step {artifact.step.name} made", "run `./doit iso`"
            )
    for name, text in TEXTS.items():
        write_atomically(draft.folder / name, text(draft))
        digests[name] = sha256_of(draft.folder / name)
    write_atomically(draft.folder / SUMS, sums_text(digests))
    for name, text in RUN_TEXTS.items():
        write_atomically(draft.folder / name, text(draft))


def differences(old: Path, new: Path) -> list[str]:
    """Return the names of files in which two releases differ, apart from signatures and RUNS."""
    listings = [_digests(old), _digests(new)]
    names = sorted({*listings[0], *listings[1]} - {*RUNS, *SIGNATURES.values()})
    return [name for name in names if listings[0].get(name) != listings[1].get(name)]


def _digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder; "" for what is no file."""
    return {
        path.name: sha256_of(path) if path.is_file() and not path.is_symlink() else ""
        for path in folder.iterdir()
    }
