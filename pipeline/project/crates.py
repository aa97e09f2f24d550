"""Which crates of the repository a crate is built from, and which cargo looks at for it."""

import functools
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.project import engine
from pipeline.project.recipe import Program

TABLES = ("dependencies", "dev-dependencies", "build-dependencies")


def workspace_of(root: Path, crate: Path) -> Path:
    """Return the folder of a crate's workspace, where its Cargo.lock is: its own without another.

    Raises ConfigError where that is `root`, the repository itself.
    """
    for folder in (crate, *crate.parents):
        if not folder.is_relative_to(root):
            break
        manifest = manifest_of(root, folder) if (folder / "Cargo.toml").is_file() else {}
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


@dataclass(frozen=True)
class Crate:
    """A crate in `folder`; all it takes by path lies in its `tree`, too: a checkout's, or the pipeline's."""

    tree: Path
    folder: Path

    @property
    def workspace(self) -> Path:
        """The folder of its workspace."""
        return workspace_of(self.tree, self.folder)

    def place(self, path: Path) -> str:
        """Return where something of the tree lies in it."""
        return path.relative_to(self.tree).as_posix()


def crate_of(root: Path, recipe: str, program: Program) -> Crate | None:
    """Return the crate that a program of `recipe` is built from, None for one that is a file."""
    if program.builtin is not None:
        return Crate(engine.TREE, engine.PROGRAMS / program.builtin)
    if program.crate is not None:
        return Crate(root, Path(os.path.normpath(root / "recipes" / recipe / program.crate)))
    return None


def built_from(root: Path, crate: Path) -> tuple[Path, ...]:
    """Return the folders of the crates that `crate` is built from: itself first, the others sorted.

    They are what it takes by path, also through its workspace or a patch, and what these take. Each lies
    below `root`, the repository. Raises ConfigError where one does not, or is no crate.
    """
    return (crate, *sorted(_reached(root, {crate}) - {crate}))


def _reached(root: Path, crates: set[Path]) -> set[Path]:
    """Return the folders of these crates and of all that they are built from."""
    found, waiting = set[Path](), crates.union(*(_patches(root, workspace_of(root, each)) for each in crates))
    while waiting:
        found |= waiting
        waiting = {folder for user in waiting for folder in _taken(root, user)} - found
    return found


def loaded_with(root: Path, crate: Path) -> tuple[Path, ...]:
    """Return the folders of all manifests that cargo reads to build `crate`, which comes first.

    Besides those of `built_from` they are those of workspaces, and of all members of its own, as cargo builds
    none before it knows all. Raises ConfigError as `built_from` does.
    """
    crates = _reached(root, {crate, *_members(root, workspace_of(root, crate))})
    found = crates | {workspace_of(root, each) for each in crates}
    return (crate, *sorted(found - {crate}))


def packages(root: Path, crate: Path) -> tuple[Path, ...]:
    """Return those of `loaded_with` that are crates: not a workspace that is nothing else."""
    manifests = {folder: manifest_of(root, folder) for folder in loaded_with(root, crate)}
    return tuple(folder for folder, it in manifests.items() if "package" in it or "workspace" not in it)


def manifest_of(root: Path, folder: Path) -> dict[str, Any]:
    """Return the Cargo.toml in a folder. Raises ConfigError where there is none that can be read."""
    try:
        return _parsed((folder / "Cargo.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError([f"{_where(root, folder)}: {error}"]) from error


@functools.cache
def _parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def _where(root: Path, folder: Path) -> str:
    return (folder.relative_to(root) / "Cargo.toml").as_posix()


def _taken(root: Path, user: Path) -> Iterator[Path]:
    """Yield the crates that the manifest in `user` takes by path, itself or as its workspace says."""
    manifest, home = manifest_of(root, user), workspace_of(root, user)
    inherited = manifest_of(root, home).get("workspace", {}).get("dependencies", {})
    targets = manifest.get("target", {}).values()
    for table in (table.get(kind, {}) for table in (manifest, *targets) for kind in TABLES):
        yield from _folders(root, user, table)
        names = [
            name for name, wanted in table.items() if isinstance(wanted, dict) and wanted.get("workspace")
        ]
        yield from _folders(root, home, {name: inherited.get(name) for name in names})
    yield from _patches(root, user)


def _patches(root: Path, user: Path) -> Iterator[Path]:
    for table in manifest_of(root, user).get("patch", {}).values():
        yield from _folders(root, user, table)


def _folders(root: Path, user: Path, table: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the folders of what a table of dependencies in the manifest in `user` takes by path."""
    for name, wanted in table.items():
        if isinstance(wanted, dict) and isinstance(wanted.get("path"), str):
            yield _crate_in(root, user, name, wanted["path"])


def _members(root: Path, workspace: Path) -> Iterator[Path]:
    said = manifest_of(root, workspace).get("workspace", {})
    excluded = {os.path.normpath(path) for path in said.get("exclude", [])}
    for pattern in said.get("members", []):
        for member in sorted(workspace.glob(pattern)):
            path = member.relative_to(workspace).as_posix()
            if member.is_dir() and path not in excluded and path != ".":
                yield _crate_in(root, workspace, f"member {pattern!r}", path)


def _crate_in(root: Path, user: Path, name: str, path: str) -> Path:
    folder = Path(os.path.normpath(user / path))
    if not folder.is_relative_to(root):
        mistake = f"{_where(root, user)}: {name}: path {path!r} leads out of the repository"
        raise ConfigError([mistake], "copy that crate into the repository, such as to programs/")
    if not (folder / "Cargo.toml").is_file():
        raise ConfigError([f"{_where(root, user)}: {name}: there is no crate in {path!r}"])
    return folder
