"""Owns the repository as data: every file that people or `doit lock` write, read and matched at once.

Must not know steps, engines or doit.
"""

from dataclasses import dataclass
from pathlib import Path

from pipeline import config, lock, manifest, mirrors
from pipeline.errors import ConfigError
from pipeline.lock import Intent, Lock
from pipeline.manifest import Manifest
from pipeline.recipe import Recipe


@dataclass(frozen=True)
class Project:
    """A checkout: `root` is its folder; the mappings are by name (of recipe or container)."""

    root: Path
    manifest: Manifest
    recipes: dict[str, Recipe]
    intents: dict[str, Intent]
    locks: dict[str, Lock]

    def sources(self) -> list[mirrors.Source]:
        """Return where Debian's files are looked for."""
        return mirrors.sources(self.manifest.debian.snapshot_url, self.manifest.debian.snapshot)

    def lock_of(self, container: str) -> Lock:
        """Return a container's lock. Raises ConfigError where intent or lock are not there."""
        if container not in self.locks:
            mistake = f"{lock.path_of(container)}: there is no such file"
            raise ConfigError([mistake], f"run `./doit lock {container}`")
        return self.locks[container]


def _recipe_mistakes(root: Path, name: str, recipe: Recipe, pins: Manifest) -> list[str]:
    """Return what the recipe names and what is not there."""
    where, folder = f"recipes/{name}/recipe.toml", root / "recipes" / name
    mistakes = []
    artifacts = {f"programs.{key}.artifact": each.artifact for key, each in recipe.programs.items()}
    for key, artifact in ({"kernel.artifact": recipe.kernel.artifact} | artifacts).items():
        if artifact is not None and artifact not in pins.artifacts:
            known = ", ".join(sorted(pins.artifacts)) or "none"
            mistakes.append(
                f"{where}: {key}: {artifact!r} is not in {manifest.PATH} (known artifacts: {known})"
            )
    paths = {"image.rootfs": folder / recipe.image.rootfs, "image.splash": folder / recipe.image.splash}
    for index, fragment in enumerate(recipe.kernel.fragments):
        paths[f"kernel.fragments.{index}"] = root / "recipes/kernels" / f"{fragment}.config"
    for key, program in recipe.programs.items():
        if program.crate is not None:
            crate = folder / program.crate
            missing = [file for file in ("Cargo.toml", "Cargo.lock") if not (crate / file).exists()]
            paths[f"programs.{key}.crate"] = crate / missing[0] if missing else crate
    mistakes += [
        f"{where}: {key}: there is no {path.relative_to(root)}"
        for key, path in paths.items()
        if not path.exists()
    ]
    return mistakes


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
    places = {each.payload for recipe in recipes.values() for each in recipe.programs.values()}
    for key in pins.payload:
        if key not in places:
            known = ", ".join(sorted(place for place in places if place)) or "none"
            mistakes.append(
                f"{manifest.PATH}: payload.{key}: no recipe has a program for it (known payloads: {known})"
            )
    return mistakes


def _names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name.removesuffix(".toml") for path in folder.glob(pattern))


def load(root: Path, *, match_locks: bool = True) -> Project:
    """Read everything. Raises ConfigError with all mistakes of all files.

    Without `match_locks`, for the command that makes locks new, a lock that is missing or broken is
    left out, and one that is not of its intent any more is taken as it is.
    """
    mistakes: list[str] = []
    pins = config.read(Manifest, root / manifest.PATH, manifest.PATH, mistakes)
    recipes, intents, locks = {}, {}, {}
    for path in sorted((root / "recipes").glob("*/recipe.toml")):
        name = path.parent.name
        recipe = config.read(Recipe, path, f"recipes/{name}/recipe.toml", mistakes)
        if recipe is not None and pins is not None:
            recipes[name] = recipe
            mistakes += _recipe_mistakes(root, name, recipe, pins)
    if not (recipes or mistakes):
        mistakes.append("recipes/: no folder in it has a recipe.toml")
    if pins is not None:
        mistakes += _across(recipes, pins)
    stale: list[str] = []
    for container in _names(root / "containers", "*.toml"):
        intent = config.read(
            Intent, root / "containers" / f"{container}.toml", f"containers/{container}.toml", mistakes
        )
        if intent is None or pins is None:
            continue
        intents[container] = intent
        wrong: list[str] = []
        name = lock.path_of(container)
        found = config.read(Lock, root / name, name, wrong)
        if found is not None and match_locks:
            wrong += lock.mismatches(found, container, intent, pins.debian.snapshot)
        if found is not None:
            locks[container] = found
        stale += wrong
    if match_locks:
        mistakes += stale
    if mistakes or pins is None:
        hint = "run `./doit lock`: it makes the locks new" if stale and len(stale) == len(mistakes) else ""
        raise ConfigError(mistakes, hint)
    return Project(root, pins, recipes, intents, locks)
