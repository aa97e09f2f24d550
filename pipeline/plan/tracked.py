"""Owns what git knows of the files that go into images: one that it does not know is in nobody else's image.

Must not know what the files are for.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.plan.step import Source
from pipeline.project import engine

READ = ("recipes/*/recipe.toml", "containers/*.toml", "roots/*.toml", "manifests/*.toml", "manifests/*.json")
"""What says what to build of what, and is no step's input."""

OTHERS = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)
"""Variables that lead to another repository, as they are set in git's hooks; others may be needed here."""


def untracked(root: Path, sources: Iterable[Source]) -> list[str]:
    """Return the files of `sources` and of READ that git does not know, ignored ones too.

    None where there is no git. Raises PipelineError where git does not say.
    """
    if not (root / ".git").exists() or shutil.which("git") is None:
        return []
    own = (source for source in sources if root == engine.TREE or not source.path.is_relative_to(engine.TREE))
    taken = {file for source in own for file in source.files().values()}
    taken |= {file for pattern in READ for file in root.glob(pattern)}
    done = subprocess.run(
        ["git", "ls-files", "--cached", "-z"],
        cwd=root,
        env={name: value for name, value in os.environ.items() if name not in OTHERS},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise PipelineError(
            f"git does not say which files it knows: {said}",
            f"run `git status` in the checkout; where somebody else owns it, it says why, and "
            f"`git config --global --add safe.directory {shlex.quote(str(root))}` has git trust it",
        )
    known = {os.fsdecode(name) for name in done.stdout.split(b"\0")}
    return sorted({file.relative_to(root).as_posix() for file in taken} - known)


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
            "git does not know these files, and the image is made of them:\n    " + "\n    ".join(found),
            "add them to git or remove them; where CI is not set this is a note",
        )
    for name in found:
        note(f"git does not know {name!r}, and the image is made of it")
