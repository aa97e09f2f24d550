"""Reads a git revision of this project as what it is compared by: what its files say, which stay in git.

The images of two revisions are compared where the store holds the bytes that both have locked.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pipeline import config
from pipeline.checks.quoting import escaped
from pipeline.debian import lock
from pipeline.debian.lock import AnyLock, Lock, SetLock
from pipeline.errors import PipelineError
from pipeline.formats import kconfig
from pipeline.formats.fields import open_image
from pipeline.inspection.open import guarded
from pipeline.project import git, manifest, outputs
from pipeline.project.outputs import Outputs
from pipeline.release.bom import licence_lock
from pipeline.release.diff.image_parts import image_side
from pipeline.release.diff.side import Component, Kernel, Side, Stored, with_images
from pipeline.store.cache import Blob, Store

LOCK = lock.path_of("")
CARGO_LOCK = "Cargo.lock"
FRAGMENTS, FRAGMENT = "recipes/kernels/", ".config"
RECIPES, RECIPE = "recipes/", "/recipe.toml"
CONFIG = "/kernel.config"
ISO = ".iso"

T = TypeVar("T")


@dataclass(frozen=True)
class Revision:
    """What a revision says: its files are read when somebody asks for them."""

    root: Path
    name: str
    commit: str
    paths: tuple[str, ...]

    def text(self, path: str) -> str:
        """Return a file's text. Raises PipelineError where git does not give it."""
        return "\0".join(git.ask(self.root, "cat-file", "blob", f"{self.commit}:{path}"))

    def some(self, start: str, end: str) -> Iterator[tuple[str, str]]:
        """Yield the paths and the texts of the files whose paths begin and end so."""
        for path in self.paths:
            if path.startswith(start) and path.endswith(end):
                yield path, self.text(path)


def find(root: Path, name: str) -> Revision:
    """Return the revision of this project that git calls so. Raises PipelineError where there is none."""
    try:
        words = git.ask(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        commit = words[0].strip()
        paths = git.ask(root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    except (PipelineError, ValueError) as error:  # ValueError: a NUL in the name
        raise PipelineError(
            f"{escaped(name)}: neither a file, nor a folder, nor a git revision of this project",
            "`git tag` and `git log --oneline` list revisions",
        ) from error
    return Revision(root, name, commit, tuple(paths))


def sides(old: Revision, new: Revision, store: Store) -> tuple[Side, Side]:
    """Return what both revisions say; images, and the options of kernels, where both have them.

    Raises PipelineError for one that is not of a project such as this, and for images that are damaged.
    """
    pair = _side(old), _side(new)
    isos, configs = _held(store, pair, ISO), _held(store, pair, CONFIG)
    if isos:
        found = [
            with_images(side, [_image(name, held[index], len(isos) > 1) for name, held in isos.items()])
            for index, side in enumerate(pair)
        ]
    elif configs:
        found = [
            replace(side, kernels={name: _configured(paths[index]) for name, paths in configs.items()})
            for index, side in enumerate(pair)
        ]
    else:
        found = [replace(side, kernels=_fragments(one)) for side, one in zip(pair, (old, new), strict=True)]
    if not isos and _changed(pair, ISO):
        text = "images are not compared: the cache does not hold the bytes that both versions lock"
        found[1] = replace(found[1], untold=(*found[1].untold, text))
    return found[0], found[1]


def _changed(pair: tuple[Side, Side], end: str) -> list[str]:
    """Return the artifacts of that name that both have, and not the same."""
    old, new = (side.artifacts for side in pair)
    names = sorted(old.keys() & new.keys())
    return [name for name in names if name.endswith(end) and old[name] != new[name]]


def _held(store: Store, pair: tuple[Side, Side], end: str) -> dict[str, tuple[Path, Path]]:
    """Return where the store has those of `_changed`, in both versions; none if it lacks one."""
    found = {}
    for name in _changed(pair, end):
        stored = [side.artifacts[name] for side in pair]
        old, new = (store.find(Blob(one.sha256, one.size)) for one in stored)
        if old is None or new is None:
            return {}
        found[name] = old, new
    return found


def _image(name: str, path: Path, is_one_of_many: bool) -> Side:
    return guarded(lambda: image_side(open_image(path), name, name if is_one_of_many else ""))


def _configured(path: Path) -> Kernel:
    options = kconfig.parse(path.read_text(encoding="utf-8"), path.name)
    return Kernel("", {option.name: option.value for option in options})


def _fragments(revision: Revision) -> dict[str, Kernel]:
    """Return what each fragment asks of a kernel, by its path."""
    found = {}
    for path, text in revision.some(FRAGMENTS, FRAGMENT):
        options = {option.name: option.value for option in kconfig.parse(text, path)}
        found[path] = Kernel("", options, asked=True)
    return found


def _side(revision: Revision) -> Side:
    if manifest.PATH not in revision.paths:
        raise PipelineError(
            f"{revision.name}: there is no {manifest.PATH}", "name a revision of a project such as this one"
        )
    settings: dict[str, str] = {}
    untold: list[str] = []
    tables = {manifest.PATH: revision.text(manifest.PATH), **dict(revision.some(RECIPES, RECIPE))}
    for path, text in tables.items():
        prefix = "" if path == manifest.PATH else f"{path.removesuffix(RECIPE)}: "
        settings |= {f"{prefix}{key}": value for key, value in _flat(_toml(path, text, untold))}
    artifacts = _artifacts(revision, untold)
    packages, crates = _packages(revision, untold), _crates(revision, untold)
    return Side(
        revision.name,
        settings.get("product.version", ""),
        sum(one.size for name, one in artifacts.items() if name.endswith(ISO)),
        artifacts,
        packages=packages,
        crates=crates,
        settings=settings,
        untold=tuple(untold),
    )


def _toml(path: str, text: str, untold: list[str]) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        untold.append(f"{path}: is nested too deeply")
    except ValueError as error:
        untold.append(f"{path}: {error}")
    return {}


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the keys of a table of tables as TOML has them with dots between, and what they are."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _json(kind: type[T], path: str, text: str, untold: list[str]) -> T | None:
    try:
        return config.validate(kind, json.loads(text), path, untold)
    except RecursionError:
        untold.append(f"{path}: is nested too deeply")
    except ValueError as error:
        untold.append(f"{path}: {error}")
    return None


def _artifacts(revision: Revision, untold: list[str]) -> dict[str, Stored]:
    """Return what the outputs' lock names, by step and output; nothing where it cannot be read."""
    if outputs.PATH not in revision.paths:
        return {}
    locked = _json(Outputs, outputs.PATH, revision.text(outputs.PATH), untold)
    artifacts = locked.artifacts if locked else ()
    return {f"{one.step}/{one.name}": Stored(one.size, one.sha256) for one in artifacts}


def _packages(revision: Revision, untold: list[str]) -> dict[str, Component]:
    """Return the packages of all containers and sets, and the names of those that have them."""
    start, end = LOCK.split(".", 1)
    found: list[tuple[str, str, str]] = []
    for path, text in revision.some(start, f".{end}"):
        if path in (outputs.PATH, licence_lock.PATH):
            continue
        kind: type[AnyLock] = SetLock if '\n  "set": ' in text else Lock
        read = _json(kind, path, text, untold)
        name = path.removeprefix(start).removesuffix(f".{end}")
        found += [(package.name, package.version, name) for package in (read.packages if read else ())]
    return _components(found)


def _crates(revision: Revision, untold: list[str]) -> dict[str, Component]:
    """Return the crates of all Cargo.locks, and the paths of those that have them."""
    found: list[tuple[str, str, str]] = []
    for path, text in revision.some("", CARGO_LOCK):
        crates = _toml(path, text, untold).get("package", ())
        found += [(str(one.get("name")), str(one.get("version")), path) for one in crates]
    return _components(found)


def _components(rows: Iterable[tuple[str, str, str]]) -> dict[str, Component]:
    """Return components by name, of rows of name, version and where that stands."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for name, version, where in rows:
        versions, places = found.setdefault(name, (set(), set()))
        versions.add(version)
        places.add(where)
    return {
        name: Component(tuple(sorted(versions)), tuple(sorted(places)))
        for name, (versions, places) in found.items()
    }
