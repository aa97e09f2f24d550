"""`manifests/licences.lock.json`: the licences of all Debian packages that locks name, with their texts.

They follow from the packages' bytes alone, and are written down because most of a package has to be unpacked
to read them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline import config
from pipeline.config import DebianPackage, DebianVersion, Sha256
from pipeline.debian.lock import Package
from pipeline.errors import ConfigError
from pipeline.project.checkout import Project
from pipeline.release.bom.components import Licence
from pipeline.release.bom.licences import is_text, references, terms
from pipeline.store.files import write_atomically

PATH = "manifests/licences.lock.json"
NAME = "licences"
"""What `./doit lock` calls it; no container is called so."""

RENEW = f"run `./doit lock {NAME}`"


@dataclass(frozen=True)
class Licensed:
    """A package, by the SHA-256 of its file; `licence` is an SPDX expression, "" where it says none."""

    name: DebianPackage
    version: DebianVersion
    sha256: Sha256
    licence: str


@dataclass(frozen=True)
class Licences:
    """What the lock says: its packages, and the texts of their LicenseRefs, by the names of these."""

    packages: tuple[Licensed, ...]
    texts: dict[str, str]

    def by_digest(self) -> dict[str, Licence]:
        """Return licences by the SHA-256 of packages."""
        return {
            each.sha256: Licence(
                each.licence, tuple((name, self.texts[name]) for name in references(each.licence))
            )
            for each in self.packages
        }


def packages_of(project: Project) -> dict[str, Package]:
    """Return the packages of all locks of a project, by the SHA-256 of their files."""
    return {package.sha256: package for lock in project.all_locks.values() for package in lock.packages}


def load(root: Path) -> Licences:
    """Read the lock, whatever it is of. Raises ConfigError for mistakes, and for texts of other names."""
    mistakes: list[str] = []
    found = config.read(Licences, root / PATH, PATH, mistakes)
    if found is None:
        raise ConfigError(mistakes, RENEW)  # also of a merge: all of it follows from the packages
    named = sorted({name for each in found.packages for name in references(each.licence)})
    if wrong := [name for name in named if not is_text(name, found.texts.get(name))]:
        raise ConfigError([f"{PATH}: texts: {name} is missing, or has another text" for name in wrong], RENEW)
    return found


def read(project: Project) -> dict[str, Licence]:
    """Return the licences of all locked packages, by SHA-256. Raises ConfigError where some are not there."""
    found = load(project.root).by_digest()
    if lacking := sorted({each.name for each in packages_of(project).values() if each.sha256 not in found}):
        wrong = f"{PATH}: says nothing of {len(lacking)} packages that are locked, such as {lacking[0]}"
        raise ConfigError([wrong], RENEW)
    return found


def licences_of(packages: Mapping[str, Package], said: Mapping[str, Licence]) -> Licences:
    """Return what the lock of these packages says, in its one order; `said` is by SHA-256, as they are."""
    licensed = (
        Licensed(each.name, each.version, sha256, said[sha256].expression)
        for sha256, each in packages.items()
    )
    texts = dict(sorted(text for sha256 in packages for text in said[sha256].texts))
    return Licences(tuple(sorted(licensed, key=lambda each: (each.name, each.version, each.sha256))), texts)


def write(root: Path, licences: Licences) -> None:
    """Write the lock in one rename, one package or text a line, so that its changes read well."""
    packages = (json.dumps(asdict(each)) for each in licences.packages)
    texts = (f"{json.dumps(name)}: {json.dumps(text)}" for name, text in licences.texts.items())
    rows = (",\n    ".join(each) for each in (packages, texts))
    write_atomically(
        root / PATH, '{{\n  "packages": [\n    {}\n  ],\n  "texts": {{\n    {}\n  }}\n}}\n'.format(*rows)
    )


def changes(before: Licences, after: Licences) -> Iterator[str]:
    """Give a sentence for each package that both name and whose licences are others, whatever their texts."""
    old = {each.name: each.licence for each in before.packages}
    for each in after.packages:
        gone, new = terms(old.get(each.name, each.licence)), terms(each.licence)
        if gone != new:
            yield f"licences of {each.name} {each.version}:" + "".join(
                [f" + {term}" for term in sorted(new - gone)] + [f" - {term}" for term in sorted(gone - new)]
            )
