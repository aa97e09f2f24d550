"""What a recipe says of file systems and disks, as far as it can be judged before anything is built."""

import re
import uuid
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.project import boot_trees
from pipeline.project.recipe import FileSystem, Recipe
from pipeline.steps import filesystem, verity
from pipeline.steps.filesystem import Wanted
from pipeline.steps.repart import bytes_of, read_definitions, specifiers
from pipeline.steps.verified_uki import ROOTHASH

NAMESPACE = uuid.UUID("0a5f8f0e-3a6b-5f43-9c0d-5d7b2f6d1c42")
"""For UUIDs that derive from names (RFC 9562, §5.5)."""

FILLED = f"{{{ROOTHASH}}}"
VERSION = r"[a-z0-9][a-z0-9.~-]*"
"""Of images that are updated: `_` and `+` part it from what follows in the names of files."""


def seed(product: str, recipe: str, name: str = "") -> str:
    """Return the UUID that identifiers of a recipe's file system derive from; without a name its disk's."""
    return str(uuid.uuid5(NAMESPACE, "\n".join((product, recipe, name))))


def file_of(name: str, made: FileSystem) -> str:
    """Return what the file with a file system is called."""
    return f"{name}.{made.kind}"


def wanted(made: FileSystem, its_seed: str) -> Wanted:
    """Return what the step `filesystem` is asked for; sizes are in bytes, 0 where the recipe has none."""
    size, room = (bytes_of(text or "") or 0 for text in (made.size, made.room))
    return Wanted(made.kind, made.label, its_seed, size, room, made.grows, made.compression, made.cluster)


def verified(recipe: Recipe) -> str | None:
    """Return the key of the file system that dm-verity verifies, None if there is none."""
    return next((name for name, made in recipe.filesystems.items() if made.verity), None)


def updated(recipe: Recipe) -> str | None:
    """Return the key of the file system that updates replace, None where no boot loader chooses another."""
    chooses = any(made.boot == "systemd-boot" for made in recipe.filesystems.values())
    return verified(recipe) if chooses else None


def mistakes(root: Path, name: str, recipe: Recipe, version: str) -> list[str]:
    """Return what is wrong with a recipe's file systems, its disk, and the root hash of its command line.

    `version` is the product's.
    """
    where = f"recipes/{name}/recipe.toml"
    found = [
        f"{where}: filesystems.{key}.{one}"
        for key, made in recipe.filesystems.items()
        for one in _of_file_system(recipe, made)
    ]
    first: dict[str, str] = {}
    for key, made in recipe.filesystems.items():
        if made.label and first.setdefault(made.label, key) != key:
            found.append(
                f"{where}: filesystems.{key}.label: {made.label!r} is that of {first[made.label]!r}, "
                "too, and has to find one"
            )
    hashed = [key for key, made in recipe.filesystems.items() if made.verity]
    asked = any(FILLED in word for word in recipe.image.cmdline)
    if len(hashed) > 1:
        found.append(
            f"{where}: filesystems.{hashed[1]}.verity: {hashed[0]!r} has it, too, and a command line has one "
            "root hash"
        )
    if hashed and not asked:
        found.append(
            f"{where}: image.cmdline: the root hash of filesystems.{hashed[0]} is not in it, so nothing "
            f"would be verified: write roothash={FILLED}"
        )
    if asked and not hashed:
        found.append(
            f"{where}: image.cmdline: {FILLED} is that of a file system with verity = true, and none has it"
        )
    folder = root / "recipes" / name
    found += boot_trees.mistakes(where, name, recipe, version)
    return found + _of_updates(folder, where, recipe, version) + _of_disk(folder, name, recipe, version)


def _of_file_system(recipe: Recipe, made: FileSystem) -> list[str]:
    """Return what is wrong with one, each with the key that is at fault."""
    found = filesystem.mistakes(wanted(made, str(NAMESPACE)))
    if made.tree == "root" and recipe.root is None:
        found.append("tree: there is no [root] that it could be of")
    if made.verity and made.tree != "root":
        found.append(f"verity: the tree {made.tree!r} is not verified; that of a root file system is")
    return found


def _of_updates(folder: Path, where: str, recipe: Recipe, version: str) -> list[str]:
    """Return what is wrong with the boot loader, and with what is to replace a version."""
    found = []
    for key, made in recipe.filesystems.items():
        is_loader, place = made.boot == "systemd-boot", f"{where}: filesystems.{key}"
        if is_loader and (made.kind, made.tree) != ("fat", "uki"):
            found.append(
                f'{place}.boot: firmware finds a boot loader on FAT, and this one boots what tree = "uki" is'
            )
        if made.loader and not is_loader:
            found.append(f'{place}.loader: it is read by a boot loader: write boot = "systemd-boot"')
        if made.loader and not (folder / made.loader).is_file():
            found.append(f"{place}.loader: there is no {made.loader} in the recipe's folder")
        if is_loader and not re.fullmatch(VERSION, version):
            found.append(
                f"{place}.boot: the product's version {version!r} cannot be told from what stands behind it "
                "in the names of UKIs: write it of small letters, digits, dots, ~ and -"
            )
    asked = recipe.acceptance.updates if recipe.acceptance else ()
    if asked and updated(recipe) is None:
        found.append(
            f"{where}: acceptance.updates: there is no update without a file system with "
            'boot = "systemd-boot" and one with verity = true'
        )
    return found


def _of_disk(folder: Path, name: str, recipe: Recipe, version: str) -> list[str]:
    """Return what is wrong with the definitions of partitions, as far as sizes do not matter."""
    if recipe.disk is None:
        return []
    definitions = folder / recipe.disk.definitions
    if not definitions.is_dir():
        return [
            f"recipes/{name}/recipe.toml: disk.definitions: there is no folder "
            f"recipes/{name}/{recipe.disk.definitions}"
        ]
    texts = {
        path.relative_to(definitions).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in definitions.rglob("*")
        if path.is_file()
    }
    files = [file_of(key, made) for key, made in recipe.filesystems.items()]
    trees = [verity.names(file_of(key, made))[0] for key, made in recipe.filesystems.items() if made.verity]
    known = [*files, *trees, *boot_trees.placed_by_bios(recipe)]
    try:
        found = boot_trees.definition_mistakes(
            recipe, read_definitions(texts, dict.fromkeys(known, 0), specifiers(name, version))
        )
    except ConfigError as error:
        found = error.mistakes
    return [f"recipes/{name}/{recipe.disk.definitions}{one.removeprefix('repart.d')}" for one in found]
