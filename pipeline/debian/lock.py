"""`manifests/*.lock.json`: exactly which Debian packages a builder container, or a package set, is.

`resolve` makes locks; this module reads, writes and matches them.
"""

import calendar
import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, Field

from pipeline import config
from pipeline.config import (
    STAMP_FORMAT,
    DebianPackage,
    DebianVersion,
    Name,
    PoolPath,
    RelativePath,
    Sha256,
    Text,
    Timestamp,
)
from pipeline.store.files import write_atomically

REPOSITORY = "installer-iso"
"""What the names of builder images begin with."""

Architecture = Literal["amd64", "arm64"]
"""What Debian and container engines both call the machines that containers are locked for."""

AMD64: Architecture = "amd64"
"""Of what is built: every step that makes bytes runs on it."""


Component = Literal["main", "contrib", "non-free-firmware", "non-free"]
"""The parts of Debian's archive (Debian policy, section 2.2)."""

MAIN: Component = "main"


def _with_main(components: tuple[str, ...]) -> tuple[str, ...]:
    if MAIN not in components:
        raise ValueError(f"{list(components)} lacks {MAIN!r}, which the others depend on")
    return components


def _with_amd64(architectures: tuple[str, ...]) -> tuple[str, ...]:
    if AMD64 not in architectures:
        raise ValueError(f"{list(architectures)} lacks {AMD64!r}, on which all is built")
    return architectures


@dataclass(frozen=True)
class Intent:
    """`containers/<name>.toml`: the packages that a container's work needs.

    `links` are symbolic links that maintainer scripts would have made: path to target. `without` are
    patterns of paths that are left out: large, and of no use in there. There is a lock for each of
    `architectures`.
    """

    summary: Text
    packages: tuple[DebianPackage, ...]
    links: dict[RelativePath, Text] = field(default_factory=dict)
    without: tuple[RelativePath, ...] = ()
    architectures: Annotated[tuple[Architecture, ...], AfterValidator(_with_amd64)] = (AMD64,)

    def digest(self) -> str:
        """Return the SHA-256 of what matters to each lock: not comments, order, layout or other locks."""
        return _digest(packages=sorted(self.packages), links=self.links, without=sorted(self.without))


@dataclass(frozen=True)
class SetIntent:
    """`roots/<name>.toml`: the packages that images take files of, or root file systems are made of.

    With `essential`, those that Debian calls so join (Debian policy, section 3.8), and what they depend on:
    no package names them, and no root is one without them. `architecture` is that of the machine that has
    the files, `components` are the parts of the archive that packages may come from. `links` are what
    update-alternatives would have made, path to target: a root gets them, and no lock depends on them.
    """

    summary: Text
    packages: tuple[DebianPackage, ...]
    essential: bool = False
    architecture: Architecture = AMD64
    components: Annotated[tuple[Component, ...], AfterValidator(_with_main)] = (MAIN,)
    links: dict[RelativePath, Text] = field(default_factory=dict)

    def digest(self) -> str:
        """Return the SHA-256 of what matters to the lock; what is as it is without a word is not in it."""
        more = {
            "essential": self.essential,
            "architecture": self.architecture,
            "components": sorted(self.components),
        }
        usual = {"essential": False, "architecture": AMD64, "components": [MAIN]}
        return _digest(
            packages=sorted(self.packages),
            **{key: value for key, value in more.items() if value != usual[key]},
        )


def _digest(**what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Package:
    """One binary package: `path` is below the archive (`debian`, `debian-security`), `size` in bytes."""

    name: DebianPackage
    version: DebianVersion
    archive: Name
    path: PoolPath
    size: Annotated[int, Field(gt=0)]
    sha256: Sha256

    @property
    def architecture(self) -> str:
        """What it is for, by its file's name: an architecture of Debian, or `all`."""
        return self.path.removesuffix(".deb").rpartition("_")[2]


@dataclass(frozen=True)
class Lock:
    """A container, pinned: `layer` is the diff ID of the one layer that must come out.

    The layer follows from the lock alone; `intent` only tells whether it is still what people want.
    `indices` are the dates of Debian's indices that it was resolved against, by archive and suite.
    """

    container: Name
    intent: Sha256
    snapshot: Timestamp
    layer: Sha256
    links: dict[RelativePath, Text]
    without: tuple[RelativePath, ...]
    packages: tuple[Package, ...]
    indices: dict[Text, Timestamp] = field(default_factory=dict)
    architecture: Architecture = AMD64

    @property
    def name(self) -> str:
        """What the lock is called, see `name_of`."""
        return name_of(self.container, self.architecture)

    @property
    def epoch(self) -> int:
        """The snapshot's time in seconds since 1970: the date of every file in the container."""
        return _epoch(self.snapshot)

    @property
    def tag(self) -> str:
        """What the container's image is called in an engine."""
        return f"{REPOSITORY}/{self.container}:{self.layer[:16]}"


@dataclass(frozen=True)
class SetLock:
    """A package set, pinned; `intent` and `indices` are those of a container's lock."""

    set: Name
    intent: Sha256
    snapshot: Timestamp
    packages: tuple[Package, ...]
    indices: dict[Text, Timestamp] = field(default_factory=dict)
    architecture: Architecture = AMD64

    @property
    def epoch(self) -> int:
        """The snapshot's time in seconds since 1970: the date of every file of the set."""
        return _epoch(self.snapshot)


def _epoch(snapshot: str) -> int:
    return calendar.timegm(time.strptime(snapshot, STAMP_FORMAT))


AnyIntent = Intent | SetIntent
AnyLock = Lock | SetLock
LockT = TypeVar("LockT", Lock, SetLock)


def name_of(container: str, architecture: str) -> str:
    """Return what a container's lock for an architecture is called: `boot`, or `boot.arm64`."""
    return container if architecture == AMD64 else f"{container}.{architecture}"


def meant_by(name: str) -> tuple[str, Architecture]:
    """Return of which container, or set, a lock of this name is, and for which architecture."""
    for architecture in get_args(Architecture):
        if name.endswith(f".{architecture}"):
            return name.removesuffix(f".{architecture}"), architecture
    return name, AMD64


def path_of(name: str) -> str:
    """Return the path of the lock of a container, or of a set, below the repository."""
    return f"manifests/{name}.lock.json"


def intent_path_of(name: str, intent: AnyIntent) -> str:
    """Return the path of the intent of the lock `name` below the repository."""
    return f"{'containers' if isinstance(intent, Intent) else 'roots'}/{meant_by(name)[0]}.toml"


def mismatches(lock: AnyLock, name: str, intent: AnyIntent, snapshot: str) -> list[str]:
    """Return why `lock` is not that of `name` with this intent and snapshot, as sentences; none if it is."""
    path = path_of(name)
    kind, said = ("container", lock.name) if isinstance(lock, Lock) else ("set", lock.set)
    found = []
    if said != name:
        found.append(f"{path}: {kind}: {said!r} is not {name!r}")
    if lock.intent != intent.digest():
        found.append(f"{path}: was made from another {intent_path_of(name, intent)}")
    else:
        found += [f"{path}: {what}" for what in _not_of(lock, intent)]
    if lock.snapshot != snapshot:
        found.append(f"{path}: is of the snapshot {lock.snapshot}, the manifest wants {snapshot}")
    return found


def _not_of(lock: AnyLock, intent: AnyIntent) -> list[str]:
    """Return in what a lock is not of the intent whose digest it bears: whoever edited one kept the other."""
    names = [package.name for package in lock.packages]
    found = [f"packages: {name!r} is missing" for name in intent.packages if name not in names]
    found += [f"packages: {name!r} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    wanted = lock.architecture if isinstance(intent, Intent) else intent.architecture
    found += [
        f"packages: {package.name!r} is for {package.architecture}, not for {wanted}"
        for package in lock.packages
        if package.architecture not in (wanted, "all")
    ]
    if isinstance(lock, SetLock) or isinstance(intent, SetIntent):
        return found
    for what, said, meant in (
        ("links", lock.links, intent.links),
        ("without", sorted(lock.without), sorted(intent.without)),
    ):
        if said != meant:
            found.append(f"{what}: {said!r} is not {meant!r}")
    return found


def text_of(lock: AnyLock) -> str:
    """Return the one way to write a lock: one package a line, so that its changes read well."""
    data = dict(vars(lock))
    if not lock.indices:
        del data["indices"]
    if data.get("architecture") == AMD64:
        del data["architecture"]
    packages = [json.dumps(vars(package)) for package in data.pop("packages")]
    head = json.dumps(data, indent=2).removesuffix("\n}")
    return f'{head},\n  "packages": [\n    ' + ",\n    ".join(packages) + "\n  ]\n}\n"


def read(kind: type[LockT], root: Path, name: str, mistakes: list[str]) -> LockT | None:
    """Read a lock; None after adding to `mistakes`, also where no `write` wrote it so."""
    path = path_of(name)
    lock = config.read(kind, root / path, path, mistakes)
    if lock is not None and (root / path).read_bytes() != text_of(lock).encode():
        mistakes.append(f"{path}: is not written as `./doit lock` writes it")
        return None
    return lock


def write(lock: AnyLock, path: Path) -> None:
    """Write a lock in one rename."""
    write_atomically(path, text_of(lock))
