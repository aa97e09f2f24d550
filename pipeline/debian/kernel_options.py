"""The options that a kernel has, as its Debian source package (linux-source-…) says it without a build."""

import re
import tarfile
from pathlib import Path, PurePosixPath

from pipeline.debian.deb import open_archive

OPTION = re.compile(rb"^[ \t]*(?:menu)?config[ \t]+([A-Z0-9]\w*)[ \t]*(?:#.*)?$", re.MULTILINE)
ARCHITECTURE = "x86"


def options(package: Path) -> set[str]:
    """Return the names, without CONFIG_, of all options in the Kconfig files for x86 and for all machines.

    Raises FormatError for what is no Debian package, or has a source that is damaged.
    """
    found: set[str] = set()
    with open_archive(package) as archive:
        for member in archive:
            source = archive.extractfile(member) if ".tar" in PurePosixPath(member.name).name else None
            if source is None:
                continue
            with tarfile.open(fileobj=source, mode="r|*") as tree:
                for file in tree:
                    if _counts(PurePosixPath(file.name)) and (text := tree.extractfile(file)):
                        found |= {name.decode() for name in OPTION.findall(text.read())}
    return found


def _counts(path: PurePosixPath) -> bool:
    below = path.parts[1:]
    return path.name.startswith("Kconfig") and (
        below[:1] != ("arch",) or below[1:2] in ((ARCHITECTURE,), ("Kconfig",))
    )
