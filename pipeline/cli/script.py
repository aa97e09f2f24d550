"""The command `installer-iso` of the installed package: it is the `./doit` of the project around it."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli import entry
from pipeline.cli.entry import HELP
from pipeline.project.manifest import PATH

ALONE = ("new", "inspect", "diff", "verify", "doctor", "list", "help")
"""Commands that need no project: `diff` needs one for git revisions only."""


def project_around(folder: Path) -> Path | None:
    """Return the nearest of `folder` and the folders around it that is a project: it has a manifest."""
    return next((each for each in (folder, *folder.parents) if (each / PATH).is_file()), None)


def needs_none(arguments: Sequence[str]) -> bool:
    """Tell whether these arguments ask for something that works outside a project: help always does."""
    return any(name in ALONE for name in arguments[:1]) or not HELP.isdisjoint(arguments)


def main() -> int:
    """Run what the arguments ask for; return the exit status."""
    here, arguments = Path.cwd(), sys.argv[1:]
    os.environ.setdefault("INSTALLER_ISO_CALLED_FROM", str(here))
    root = project_around(here)
    if root is None and not needs_none(arguments):
        sys.stderr.write(
            f"error: {here} is in no project: no {PATH} in it or above it\n"
            "  hint: change to one; `installer-iso new FOLDER --product NAME` makes one\n"
        )
        return 1
    return entry.main(root or here, arguments)
