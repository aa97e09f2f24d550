"""Whether git tracks the files that go into images: one that it does not is in nobody else's image."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.plan.step import Source
from pipeline.project import engine, git

READ = ("recipes/*/recipe.toml", "containers/*.toml", "roots/*.toml", "manifests/*.toml", "manifests/*.json")
"""What says what to build of what, and is no step's input."""


def untracked(root: Path, sources: Iterable[Source]) -> list[str]:
    """Return the files of `sources` and of READ that git does not know, ignored ones too.

    Those in a checkout of its own below `root`, such as a submodule, are known to that one.
    None where there is no git. Raises PipelineError where git does not say.
    """
    if not (root / ".git").exists() or shutil.which("git") is None:
        return []
    taken = {root: {file for pattern in READ for file in root.glob(pattern)}}
    for source in sources:
        if root == engine.TREE or not source.path.is_relative_to(engine.TREE):
            files = taken.setdefault(git.checkout_of(source.path) or root, set())
            files |= set(source.files().values())
    found = []
    for top, files in taken.items():
        known = git.ask(top, "ls-files", "--cached", "-z")
        strange = {file.relative_to(top).as_posix() for file in files}.difference(known)
        found += [(top / name).relative_to(root).as_posix() for name in strange]
    return sorted(found)


def tell(root: Path, sources: Iterable[Source], note: Callable[[str], None]) -> None:
    """Name each file that `untracked` finds. Raises PipelineError for one where `CI` is set."""
    try:
        found = untracked(root, sources)
    except PipelineError as error:
        if os.environ.get("CI"):
            raise
        note(str(error))
        return
    if found and os.environ.get("CI"):
        raise PipelineError(
            "the image contains files that git does not track:\n    " + "\n    ".join(found),
            "add them to git or remove them; where CI is not set this is a note",
        )
    for name in found:
        note(f"the image contains {name!r}, which git does not track")
