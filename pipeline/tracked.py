"""Owns what git knows of the files that go into images: one that it does not know is in nobody else's image.

Must not know what the files are for.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import PipelineError

FOLDER = "recipes"
BUILT = re.compile(rf"{FOLDER}/[^/]+/[^/]+/target/")
"""What cargo leaves on the host: no step takes it."""


def untracked(root: Path) -> list[str]:
    """Return the files below FOLDER that git does not know, ignored ones too; none where there is no git.

    Raises PipelineError where git does not say.
    """
    if not (root / ".git").exists() or shutil.which("git") is None:
        return []
    done = subprocess.run(
        ["git", "ls-files", "--others", "-z", "--", FOLDER],
        cwd=root,
        env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise PipelineError(
            f"git does not say which files of {FOLDER}/ it knows: {said}", "run `git status` in the checkout"
        )
    names = done.stdout.decode(errors="backslashreplace").split("\0")
    return sorted(name for name in names if name and not BUILT.match(name))


def tell(root: Path, note: Callable[[str], None]) -> None:
    """Name each file of FOLDER that git does not know. Raises PipelineError for one where `CI` is set."""
    try:
        found = untracked(root)
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
