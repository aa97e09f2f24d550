"""Owns which crates of the repository a crate is built from: itself, and those that it takes by path.

Must not know steps, containers or what cargo makes of them.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError

TABLES = ("dependencies", "dev-dependencies", "build-dependencies")


def by_path(root: Path, crate: Path) -> tuple[Path, ...]:
    """Return the folders of all crates that `crate` takes by path, and that these take, sorted.

    Each lies below `root`, the repository. Raises ConfigError where one does not, or is no crate.
    """
    found: set[Path] = set()
    waiting = [crate]
    while waiting:
        user = waiting.pop()
        where = f"{user.relative_to(root).as_posix()}/Cargo.toml"
        for name, path in _paths(_manifest(user / "Cargo.toml", where)):
            folder = Path(os.path.normpath(user / path))
            if not folder.is_relative_to(root):
                mistake = f"{where}: {name}: path {path!r} leads out of the repository"
                raise ConfigError([mistake], "copy that crate into the repository, such as to programs/")
            if not (folder / "Cargo.toml").is_file():
                raise ConfigError([f"{where}: {name}: there is no crate in {path!r}"])
            if folder not in found and folder != crate:
                found.add(folder)
                waiting.append(folder)
    return tuple(sorted(found))


def _manifest(path: Path, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError([f"{where}: {error}"]) from error


def _paths(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the path of everything that a Cargo.toml takes from a folder."""
    targets = manifest.get("target", {}).values()
    tables = [table.get(kind, {}) for table in (manifest, *targets) for kind in TABLES]
    for table in (*tables, *manifest.get("patch", {}).values()):
        for name, wanted in table.items():
            if isinstance(wanted, dict) and isinstance(wanted.get("path"), str):
                yield name, wanted["path"]
