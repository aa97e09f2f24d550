"""Owns what git knows of the files that go into images: one that it does not know is in nobody else's image.

Must not know what the files are for.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.step import Source


def untracked(root: Path, sources: Iterable[Source]) -> list[str]:
    """Return the files of `sources` that git does not know, ignored ones too; none where there is no git.

    Raises PipelineError where git does not say.
    """
    if not (root / ".git").exists() or shutil.which("git") is None:
        return []
    taken = {file.relative_to(root).as_posix() for source in sources for file in source.files().values()}
    done = subprocess.run(
        ["git", "ls-files", "--cached", "-z"],
        cwd=root,
        env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise PipelineError(
            f"git does not say which files it knows: {said}", "run `git status` in the checkout"
        )
    known = {os.fsdecode(name) for name in done.stdout.split(b"\0")}
    return sorted(taken - known)


def tell(root: Path, sources: Iterable[Source], note: Callable[[str], None]) -> None:
    """Name each file of `sources` that git does not know. Raises PipelineError for one where `CI` is set."""
    try:
        found = untracked(root, sources)
    except PipelineError as error:
        if os.environ.get("CI"):
            raise
        note(error.message)
        return
    if found and os.environ.get("CI"):
        raise PipelineError(
            "git does not know these files, and they would go into the image:\n    " + "\n    ".join(found),
            "add them to git or remove them; where CI is not set this is a note",
        )
    for name in found:
        note(f"git does not know {name!r}, and it goes into the image")
