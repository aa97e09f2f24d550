"""The command `installer-iso` of the installed package: it is the `./doit` of the project around it."""

import os
import sys
from pathlib import Path

from pipeline.cli import entry
from pipeline.project.manifest import PATH


def project_around(folder: Path) -> Path | None:
    """Return the nearest of `folder` and the folders around it that is a project: it has a manifest."""
    return next((each for each in (folder, *folder.parents) if (each / PATH).is_file()), None)


def main() -> int:
    """Run what the arguments ask for; return the exit status. `inspect` and `verify` need no project."""
    here, arguments = Path.cwd(), sys.argv[1:]
    os.environ.setdefault("INSTALLER_ISO_CALLED_FROM", str(here))
    root = project_around(here)
    if root is None and arguments[:1] not in (["inspect"], ["verify"]):
        sys.stderr.write(
            f"error: {here} is in no project: no {PATH} in it or above it\n"
            "  hint: change to one; `installer-iso inspect FILE` needs none\n"
        )
        return 1
    return entry.main(root or here, arguments)
