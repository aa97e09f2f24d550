"""Owns which crates of the repository a crate is built from: itself, its workspace, what these take by path.

Must not know steps, containers or what cargo makes of them.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError

TABLES = ("dependencies", "dev-dependencies", "build-dependencies")


def workspace_of(root: Path, crate: Path) -> Path:
    """Return the folder of a crate's workspace, where its Cargo.lock is: its own without another.

    Raises ConfigError where that is `root`, the repository itself.
    """
    for folder in (crate, *crate.parents):
        if not folder.is_relative_to(root):
            break
        manifest = _manifest_of(root, folder) if (folder / "Cargo.toml").is_file() else {}
        chosen = manifest.get("package", {}).get("workspace") if folder == crate else None
        if isinstance(chosen, str):
            return Path(os.path.normpath(folder / chosen))
        if "workspace" in manifest:
            excluded = manifest["workspace"].get("exclude", [])
            if any(crate.is_relative_to(folder / each) for each in excluded):
                break
            if folder == root:
                mistake = f"Cargo.toml: the workspace of {crate.relative_to(root)} is the whole repository"
                raise ConfigError([mistake], "move it into a folder of its own, such as programs/")
            return folder
    return crate


def built_from(root: Path, crate: Path) -> tuple[Path, ...]:
    """Return the folders of all crates that cargo looks at to build `crate`, which comes first.

    They are its workspace with all members, what it and they take by path, and what these take, sorted.
    Each lies below `root`, the repository. Raises ConfigError where one does not, or is no crate.
    """
    found = {crate}
    waiting = [crate]
    if (workspace := workspace_of(root, crate)) != crate:
        found.add(workspace)
        waiting.append(workspace)
    while waiting:
        user = waiting.pop()
        where = f"{user.relative_to(root).as_posix()}/Cargo.toml"
        for name, path in _paths(_manifest_of(root, user), user):
            folder = Path(os.path.normpath(user / path))
            if not folder.is_relative_to(root):
                mistake = f"{where}: {name}: path {path!r} leads out of the repository"
                raise ConfigError([mistake], "copy that crate into the repository, such as to programs/")
            if not (folder / "Cargo.toml").is_file():
                raise ConfigError([f"{where}: {name}: there is no crate in {path!r}"])
            if folder not in found:
                found.add(folder)
                waiting.append(folder)
    return (crate, *sorted(found - {crate}))


def by_path(root: Path, crate: Path) -> tuple[Path, ...]:
    """Return the folders of the crates that a crate is built from besides itself, as `built_from` does."""
    folders = built_from(root, crate)[1:]
    manifests = {folder: _manifest_of(root, folder) for folder in folders}
    return tuple(
        folder for folder in folders if "package" in manifests[folder] or "workspace" not in manifests[folder]
    )


def _manifest_of(root: Path, folder: Path) -> dict[str, Any]:
    return _manifest(folder / "Cargo.toml", f"{folder.relative_to(root).as_posix()}/Cargo.toml")


def _manifest(path: Path, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError([f"{where}: {error}"]) from error


def _paths(manifest: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the path of everything that the Cargo.toml in `folder` takes from a folder."""
    workspace = manifest.get("workspace", {})
    targets = manifest.get("target", {}).values()
    tables = [table.get(kind, {}) for table in (manifest, *targets) for kind in TABLES]
    for table in (*tables, workspace.get("dependencies", {}), *manifest.get("patch", {}).values()):
        for name, wanted in table.items():
            if isinstance(wanted, dict) and isinstance(wanted.get("path"), str):
                yield name, wanted["path"]
    excluded = {os.path.normpath(path) for path in workspace.get("exclude", [])}
    for pattern in workspace.get("members", []):
        for member in sorted(folder.glob(pattern)):
            path = member.relative_to(folder).as_posix()
            if member.is_dir() and path not in excluded and path != ".":
                yield f"member {pattern!r}", path
