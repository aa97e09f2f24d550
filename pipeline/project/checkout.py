"""The repository as data: every file that people or `doit lock` write, read and matched at once."""

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pipeline import config
from pipeline.debian import lock, mirrors
from pipeline.debian.lock import AMD64, AnyIntent, AnyLock, Intent, Lock, LockT, SetIntent, SetLock
from pipeline.errors import ConfigError
from pipeline.project import crates, engine, manifest, product, trust, versions
from pipeline.project.manifest import Manifest
from pipeline.project.recipe import Program, Recipe, Root

IntentT = TypeVar("IntentT", Intent, SetIntent)

RELOCK = "run `./doit lock`: it makes the locks new"
RESTORE = (
    "restore the lock from the repository's history; without the file, `./doit lock` pins what is newest"
)

ENTRY = "dodo.py"
"""What `./doit` runs in a checkout."""

MADE = (".git", ".venv*", "artifacts", "target", "__pycache__", ".*_cache", ".hypothesis")
"""What lies in a checkout without being one of its files."""


def copy_sources(root: Path, target: Path) -> None:
    """Copy a checkout, or a folder in it, to `target`: links as they are, and nothing that was made."""
    shutil.copytree(root, target, ignore=shutil.ignore_patterns(*MADE), symlinks=True)


def is_one(root: Path) -> bool:
    """Tell whether a folder is a checkout, also one that has lost a file."""
    return any((root / name).is_file() for name in (ENTRY, manifest.PATH))


@dataclass(frozen=True)
class Project:
    """A checkout: `root` is its folder; the mappings are by name: of recipes, and of locks.

    `all_intents` are what `./doit lock` resolves: containers, for each architecture they are wanted for, then
    package sets; no two have one name.
    """

    root: Path
    manifest: Manifest
    recipes: dict[str, Recipe]
    all_intents: dict[str, AnyIntent]
    locks: dict[str, Lock]
    set_locks: dict[str, SetLock]

    @property
    def all_locks(self) -> dict[str, AnyLock]:
        """The locks of containers and package sets, as far as they are there."""
        return {**self.locks, **self.set_locks}

    def place(self, name: str, path: str) -> Path:
        """Return where a path leads that the recipe `name` has, without the `..` in it."""
        return Path(os.path.normpath(self.root / "recipes" / name / path))

    def marked(self, mark: str) -> "Project":
        """Return the project with `mark` behind the version of its product, which nobody has signed."""
        product = self.manifest.product
        marked = replace(product, version=f"{product.version}{mark}")
        recipes = {
            name: replace(recipe, trust=recipe.trust and replace(recipe.trust, signatures=""))
            for name, recipe in self.recipes.items()
        }
        return replace(self, manifest=replace(self.manifest, product=marked), recipes=recipes)

    def sources(self) -> list[mirrors.Mirror]:
        """Return where Debian's files are looked for."""
        debian = self.manifest.debian
        return mirrors.sources(debian.snapshot_url, debian.snapshot, debian.mirror)

    def lock_of(self, container: str, architecture: str = AMD64) -> Lock:
        """Return a container's lock. Raises ConfigError where intent or lock are not there."""
        name = lock.name_of(container, architecture)
        if name in self.locks:
            return self.locks[name]
        intent = self.all_intents.get(container)
        if isinstance(intent, Intent) and architecture not in intent.architectures:
            known = ", ".join(intent.architectures)
            where = f"{lock.intent_path_of(container, intent)}: architectures"
            raise ConfigError(
                [f"{where}: {architecture!r}, the container engine's, is none of {known}"],
                f"add it and run `./doit lock {container}`, or set DOCKER_HOST to an engine on one of those",
            )
        raise ConfigError([f"{lock.path_of(name)}: no such file"], f"run `./doit lock {name}`")

    def locks_meant(self, names: Sequence[str]) -> list[str]:
        """Return the names of the locks that these mean: a container's are those for all its architectures.

        No name means all of all. A name that means none is returned as it is.
        """
        known = list(self.all_intents)
        meant = ((name, *(one for one in known if lock.meant_by(one)[0] == name)) for name in names)
        return list(dict.fromkeys(one for some in meant for one in some)) or known


def _recipe_mistakes(root: Path, name: str, recipe: Recipe, pins: Manifest) -> list[str]:
    """Return what the recipe names and is missing."""
    where, folder = f"recipes/{name}/recipe.toml", root / "recipes" / name
    mistakes = []
    root_of = recipe.root or Root(packages="")
    artifacts = {f"programs.{key}.artifact": each.artifact for key, each in recipe.programs.items()}
    ours = {"kernel.artifact": recipe.kernel.artifact, "root.artifact": root_of.artifact}
    for key, artifact in (ours | artifacts).items():
        if artifact is not None and artifact not in pins.artifacts:
            known = ", ".join(sorted(pins.artifacts)) or "none"
            mistakes.append(
                f"{where}: {key}: {artifact!r} is not in {manifest.PATH} (known artifacts: {known})"
            )
    package = recipe.acceptance.package if recipe.acceptance else None
    shim = recipe.trust.shim if recipe.trust else None
    fragments = (f"recipes/kernels/{fragment}.config" for fragment in recipe.kernel.fragments)
    paths = (
        ("image.packages", root / "roots", f"{recipe.image.packages}.toml"),
        ("image.rootfs", folder, recipe.image.rootfs),
        ("root.packages", root / "roots", root_of.packages and f"{root_of.packages}.toml"),
        ("root.rootfs", folder, root_of.rootfs),
        ("image.splash", folder, recipe.image.splash),
        ("kernel.config", folder, recipe.kernel.config),
        ("kernel.packages", root / "roots", recipe.kernel.packages and f"{recipe.kernel.packages}.toml"),
        ("trust.shim", root / "roots", shim and f"{shim}.toml"),
        ("policy.kernels", root / "recipes", recipe.policy.kernels),
        ("policy.hardening", root / "recipes", recipe.policy.hardening),
        ("acceptance.package", folder, package and f"{package}/__init__.py"),
        *((f"kernel.fragments.{index}", root, path) for index, path in enumerate(fragments)),
    )
    for key, program in recipe.programs.items():
        mistakes += _program_mistakes(root, name, f"{where}: programs.{key}", program)
    mistakes += [
        f"{where}: {key}: there is no {(below / path).relative_to(root)}"
        for key, below, path in paths
        if path is not None and not (below / path).exists()
    ]
    if recipe.trust is not None:
        keys = Path(os.path.normpath(folder / recipe.trust.keys))
        shown = keys.relative_to(root).as_posix() if keys.is_relative_to(root) else str(keys)
        mistakes += trust.mistakes(where, keys, shown)
    if recipe.netboot is not None:
        from pipeline.project import netboot

        mistakes += netboot.mistakes(where, recipe)
    if recipe.is_system:
        from pipeline.project import systems  # few recipes need it, and it loads the steps

        mistakes += systems.mistakes(root, name, recipe, pins.product.version)
    return mistakes


def _program_mistakes(root: Path, name: str, where: str, program: Program) -> list[str]:
    """Return what is wrong with where a program comes from."""
    crate = crates.crate_of(root, name, program)
    if crate is None:
        return []
    if program.builtin is not None:
        known = sorted(path.parents[1].name for path in engine.PROGRAMS.glob("*/src/main.rs"))
        wrong = f"{program.builtin!r} does not come with the pipeline (known: {', '.join(known)})"
        return [] if program.builtin in known else [f"{where}.builtin: {wrong}"]
    if not crate.folder.is_relative_to(root):
        wrong = f"{program.crate!r} leads out of the repository: take it as a git submodule in there"
        return [f"{where}.crate: {wrong}"]
    try:
        needed = (crate.folder / "Cargo.toml", crate.workspace / "Cargo.lock")
    except ConfigError as error:
        return list(error.mistakes)
    missing = next((path for path in (*needed, crate.folder) if not path.exists()), None)
    return [f"{where}.crate: there is no {crate.place(missing)}"] if missing else []


def _across(recipes: dict[str, Recipe], pins: Manifest) -> list[str]:
    """Return what is wrong only when all recipes are seen together."""
    mistakes = []
    for name, recipe in recipes.items():
        carried = recipe.image.carries
        if carried is not None and (carried not in recipes or recipes[carried].image.carries is not None):
            fit = ", ".join(sorted(one for one, it in recipes.items() if not it.image.carries)) or "none"
            mistakes.append(
                f"recipes/{name}/recipe.toml: image.carries: {carried!r} is not a recipe that carries "
                f"nothing itself (such recipes: {fit})"
            )
        elif carried is not None and recipe.trust and recipes[carried].trust is None:
            mistakes.append(
                f"recipes/{name}/recipe.toml: trust: {carried!r}, which it carries, has no [trust]: what it "
                "installs would not start with Secure Boot"
            )
        firmware = recipe.acceptance.firmware if recipe.acceptance else None
        if firmware is not None and firmware not in recipes:
            mistakes.append(
                f"recipes/{name}/recipe.toml: acceptance.firmware: {firmware!r} is not a recipe "
                f"(there are: {', '.join(sorted(recipes))})"
            )
    places = {each.payload for recipe in recipes.values() for each in recipe.programs.values()}
    for key in pins.payload:
        if key not in places:
            known = ", ".join(sorted(place for place in places if place)) or "none"
            mistakes.append(
                f"{manifest.PATH}: payload.{key}: no recipe has a program for it (known payloads: {known})"
            )
    return mistakes


def _kernels_not_in_sets(recipes: Mapping[str, Recipe], sets: Mapping[str, SetLock]) -> list[str]:
    """Return which kernels are packages that their set does not have."""
    wrong = []
    for name, recipe in recipes.items():
        package, of = recipe.kernel.package, recipe.kernel.packages
        if package and of and package not in (known := [each.name for each in sets[of].packages]):
            kernels = ", ".join(each for each in known if each.startswith("linux-image-")) or "none"
            where = f"recipes/{name}/recipe.toml: kernel.package"
            wrong.append(f"{where}: {package!r} is not in {lock.path_of(of)} (kernels there: {kernels})")
    return wrong


def _never_found_good(recipes: Mapping[str, Recipe], sets: Mapping[str, SetLock]) -> list[str]:
    """Return which systems are booted on trial by systemd-boot, and have nothing that ends the trial."""
    wrong = []
    for name, recipe in recipes.items():
        of, loader = recipe.root and recipe.root.packages, "systemd-boot"
        is_on_trial = any(made.boot == loader for made in recipe.filesystems.values())
        if of and is_on_trial and loader not in {each.name for each in sets[of].packages}:
            wrong.append(
                f"recipes/{name}/recipe.toml: root.packages: {lock.path_of(of)} lacks {loader}, whose "
                "systemd-bless-boot finds a version good: without it each is given up after three boots"
            )
    return wrong


def _names(found: Iterable[Path], where: str, mistakes: list[str]) -> list[str]:
    """Return the names that recipes or containers have by their paths, if they are names."""
    names = sorted(path.name.removesuffix(".toml") for path in found)
    good = [name for name in names if re.fullmatch(config.NAME, name)]
    mistakes += [f"{where}/: {name!r} is not {config.A_NAME}" for name in names if name not in good]
    return good


def _for_each_architecture(intents: Mapping[str, Intent]) -> dict[str, Intent]:
    """Return the intents by the names of the locks that they want."""
    return {
        lock.name_of(container, architecture): intent
        for container, intent in intents.items()
        for architecture in intent.architectures
    }


def _recipes(root: Path, pins: Manifest | None, mistakes: list[str]) -> dict[str, Recipe]:
    recipes = {}
    folders = (path.parent for path in (root / "recipes").glob("*/recipe.toml"))
    for name in _names(folders, "recipes", mistakes):
        path = f"recipes/{name}/recipe.toml"
        recipe = config.read(Recipe, root / path, path, mistakes)
        if recipe is not None and pins is not None:
            recipes[name] = recipe
            mistakes += _recipe_mistakes(root, name, recipe, pins)
    if not (recipes or mistakes):
        mistakes.append("recipes/: no folder in it has a recipe.toml")
    if pins is not None:
        mistakes += _across(recipes, pins)
        mistakes += product.mistakes_in(root, recipes, pins)
    return recipes


def _intents(kind: type[IntentT], root: Path, folder: str, mistakes: list[str]) -> dict[str, IntentT]:
    paths = {
        name: f"{folder}/{name}.toml" for name in _names((root / folder).glob("*.toml"), folder, mistakes)
    }
    mistakes += [
        f"{folder}/: {name!r} ends in an architecture, as locks do"
        for name in paths
        if lock.meant_by(name)[0] != name
    ]
    read = {name: config.read(kind, root / path, path, mistakes) for name, path in paths.items()}
    return {name: intent for name, intent in read.items() if intent is not None}


def _locks(
    kind: type[LockT], root: Path, intents: Mapping[str, AnyIntent], pins: Manifest | None, stale: list[str]
) -> dict[str, LockT]:
    """Return the locks that can be read; all that is wrong with any goes to `stale`."""
    locks = {}
    for name, intent in intents.items():
        found = lock.read(kind, root, name, stale)
        if found is not None:
            locks[name] = found
            if pins is not None:
                stale += lock.mismatches(found, name, intent, pins.debian.snapshot)
    return locks


def load(root: Path, *, match_locks: bool = True) -> Project:
    """Read everything. Raises ConfigError with all mistakes of all files.

    Without `match_locks`, for the command that makes locks new, a lock that is missing or broken is
    left out, and one that is not of its intent any more is taken as it is.
    """
    mistakes: list[str] = []
    pins = config.read(Manifest, root / manifest.PATH, manifest.PATH, mistakes)
    recipes = _recipes(root, pins, mistakes)
    intents = _for_each_architecture(_intents(Intent, root, "containers", mistakes))
    sets = _intents(SetIntent, root, "roots", mistakes)
    mistakes += [
        f"roots/{name}.toml: a container is called {name!r}, too" for name in sets if name in intents
    ]
    stale: list[str] = []
    locks = _locks(Lock, root, intents, pins, stale)
    set_locks = _locks(SetLock, root, sets, pins, stale)
    unread = {*intents, *sets} - {*locks, *set_locks}
    if match_locks:
        mistakes += stale
        if pins is not None and not mistakes:
            mistakes += versions.mistakes(pins.versions, versions.found(root, recipes, locks))
            mistakes += _kernels_not_in_sets(recipes, set_locks)
            mistakes += _never_found_good(recipes, set_locks)
    if mistakes or pins is None:
        broken = any((root / lock.path_of(name)).exists() for name in unread)
        raise ConfigError(mistakes, _hint(mistakes, stale, broken))
    return Project(root, pins, recipes, {**intents, **sets}, locks, set_locks)


def refuse_unreadable_locks(project: Project) -> None:
    """Raise ConfigError for locks that are there and were left out: a new one would lose their pins."""
    mistakes: list[str] = []
    for name, intent in project.all_intents.items():
        if name in project.all_locks or not (project.root / lock.path_of(name)).exists():
            continue
        if isinstance(intent, Intent):
            lock.read(Lock, project.root, name, mistakes)
        else:
            lock.read(SetLock, project.root, name, mistakes)
    if mistakes:
        raise ConfigError(mistakes, _hint(mistakes, mistakes, broken=True))


def _hint(mistakes: list[str], stale: list[str], broken: bool) -> str:
    """Return what to do: never anything that would lose the pins of a lock that cannot be read."""
    if config.in_conflict(mistakes):
        return config.TAKE_ONE_SIDE
    if len(stale) < len(mistakes) or not stale:
        return ""
    return RESTORE if broken else RELOCK
