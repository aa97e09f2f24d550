"""What git says of a checkout: the project's own, or that of a crate in it."""

import os
import shlex
import subprocess
from pathlib import Path

from pipeline.errors import PipelineError

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


def checkout_of(path: Path) -> Path | None:
    """Return the top folder of the innermost checkout that a file or folder lies in, None where in none."""
    return next((folder for folder in (path, *path.parents) if (folder / ".git").exists()), None)


def _run(top: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=top,
            env={name: value for name, value in os.environ.items() if name not in OTHERS},
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise PipelineError(
            "git is not installed, and is needed to tell what is checked out", "install git"
        ) from None


def _complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode(errors="replace").strip().partition("\n")[0]


def ask(top: Path, *question: str) -> list[str]:
    """Return the words of git's answer, between which are NULs. Raises PipelineError where it has none."""
    done = _run(top, *question)
    if done.returncode:
        raise PipelineError(
            f"git does not say what is in the checkout: {_complaint(done)}",
            f"run `git status` in {top}; where somebody else owns it, it says why, and "
            f"`git config --global --add safe.directory {shlex.quote(str(top))}` has git trust it",
        )
    return [os.fsdecode(word) for word in done.stdout.split(b"\0") if word]


def has_commit(top: Path) -> bool:
    """Tell whether a commit is checked out: in a new repository none is."""
    return _run(top, "rev-parse", "--verify", "--quiet", "HEAD").returncode != 1


def head(top: Path) -> str:
    """Return the commit that is checked out. Raises PipelineError where there is none."""
    if not has_commit(top):
        raise PipelineError(f"{top}: its git repository has no commit yet", "commit what is in it")
    return ask(top, "rev-parse", "--verify", "HEAD")[0].strip()


def tags(top: Path, *which: str) -> list[str]:
    """Return tags, as git-tag(1) lists them with these options. Raises PipelineError as `ask` does.

    Sorted by version, v1.0.0-rc1 comes before v1.0.0.
    """
    said = ask(top, "-c", "versionsort.suffix=-", "tag", "--list", *which)
    return [line for word in said for line in word.splitlines()]


def tag(top: Path, name: str, message: str) -> None:
    """Tag the commit that is checked out. Raises PipelineError where git does not."""
    done = _run(top, "tag", "--message", message, name)
    if done.returncode:
        raise PipelineError(f"git does not tag {name}: {_complaint(done)}", f"`git tag {name}` says why")
