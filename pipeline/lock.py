"""Owns `manifests/*.lock.json`: exactly which Debian packages a builder container consists of.

Must not know doit or engines: `resolve` makes locks, this module reads, writes and matches them.
"""

import calendar
import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.config import STAMP_FORMAT, STRICT, DebianPackage, Name, RelativePath, Sha256, Text, Timestamp

REPOSITORY = "installer-iso"
"""What the names of builder images begin with."""


@dataclass(frozen=True)
class Intent:
    """`containers/<name>.toml`: the packages that a container's work needs.

    `links` are symbolic links that maintainer scripts would have made: path to target. `without` are
    patterns of paths that are left out: large, and of no use in there.
    """

    __pydantic_config__ = STRICT
    summary: Text
    packages: tuple[DebianPackage, ...]
    links: dict[RelativePath, Text] = field(default_factory=dict)
    without: tuple[RelativePath, ...] = ()

    def digest(self) -> str:
        """Return the SHA-256 of what matters of the intent: not comments, order or layout."""
        what = {"packages": sorted(self.packages), "links": self.links, "without": sorted(self.without)}
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Package:
    """One binary package: `path` is below the archive (`debian`, `debian-security`), `size` in bytes."""

    __pydantic_config__ = STRICT
    name: DebianPackage
    version: Text
    archive: Name
    path: RelativePath
    size: Annotated[int, Field(gt=0)]
    sha256: Sha256


@dataclass(frozen=True)
class Lock:
    """A container, pinned: `layer` is the diff ID of the one layer that must come out.

    The layer follows from the lock alone; `intent` only tells whether it is still what people want.
    """

    __pydantic_config__ = STRICT
    container: Name
    intent: Sha256
    snapshot: Timestamp
    layer: Sha256
    links: dict[RelativePath, Text]
    without: tuple[RelativePath, ...]
    packages: tuple[Package, ...]

    @property
    def epoch(self) -> int:
        """The snapshot's time in seconds since 1970: the date of every file in the container."""
        return calendar.timegm(time.strptime(self.snapshot, STAMP_FORMAT))

    @property
    def tag(self) -> str:
        """What the container's image is called in an engine."""
        return f"{REPOSITORY}/{self.container}:{self.layer[:16]}"


def path_of(container: str) -> str:
    """Return the path of a container's lock below the repository."""
    return f"manifests/{container}.lock.json"


def mismatches(lock: Lock, container: str, intent: Intent, snapshot: str) -> list[str]:
    """Return why `lock` is not the container's of this intent and snapshot, as sentences; none if it is."""
    name = path_of(container)
    found = []
    if lock.container != container:
        found.append(f"{name}: container: {lock.container!r} is not {container!r}")
    if lock.intent != intent.digest():
        found.append(f"{name}: was made from another containers/{container}.toml")
    if lock.snapshot != snapshot:
        found.append(f"{name}: is of the snapshot {lock.snapshot}, the manifest wants {snapshot}")
    return found


def write(lock: Lock, path: Path) -> None:
    """Write a lock in one rename, sorted and one package a line, so that its changes read well."""
    data = asdict(lock)
    packages = [json.dumps(package) for package in data.pop("packages")]
    head = json.dumps(data, indent=2).removesuffix("\n}")
    text = f'{head},\n  "packages": [\n    ' + ",\n    ".join(packages) + "\n  ]\n}\n"
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
