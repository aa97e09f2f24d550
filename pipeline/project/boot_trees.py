"""What a recipe says of /boot and what starts it, as far as it can be judged before anything is built."""

import re
from collections.abc import Iterator, Sequence

from pipeline.formats import boot_menu
from pipeline.formats.discoverable import BIOS_BOOT, XBOOTLDR
from pipeline.formats.gpt import EFI_SYSTEM_PARTITION
from pipeline.project.boot_tree import Boot
from pipeline.project.recipe import FileSystem, Recipe
from pipeline.steps.disk import CORE
from pipeline.steps.repart import Definition

READ = ("ext4", "fat")
"""The file systems that GRUB, Heads or systemd-boot find a boot tree on."""

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""What stays one word where GRUB is told it."""

TYPES = {"esp": str(EFI_SYSTEM_PARTITION), "xbootldr": str(XBOOTLDR)}
"""systemd's names of types (repart.d(5)) that are asked for here."""


def of(recipe: Recipe, tree: str) -> str | None:
    """Return the key of the file system that has this tree, None if none has."""
    return next((key for key, made in recipe.filesystems.items() if made.tree == tree), None)


def placed_by_bios(recipe: Recipe) -> tuple[str, ...]:
    """Return what a definition of a partition may have besides file systems: GRUB's core image."""
    return (CORE,) if of(recipe, "grub") else ()


def mistakes(where: str, name: str, recipe: Recipe, version: str) -> list[str]:
    """Return what is wrong with [boot], and with file systems that are made of it; `where` is the recipe."""
    found = [
        f"{where}: filesystems.{key}.{one}"
        for key, made in recipe.filesystems.items()
        if made.tree in ("boot", "grub")
        for one in _of_file_system(recipe, key, made)
    ]
    if recipe.boot is not None:
        found += [f"{where}: boot{one}" for one in _of_boot(recipe, recipe.boot)]
        found += [f"{where}: boot.{one}" for one in _of_texts(name, recipe.boot, version)]
    return found


def _of_file_system(recipe: Recipe, key: str, made: FileSystem) -> Iterator[str]:
    first = of(recipe, made.tree)
    if first != key:
        yield f"tree: {first!r} has {made.tree!r}, too, and only one of them would be found"
    if made.tree == "grub":
        if of(recipe, "boot") is None:
            yield 'tree: GRUB starts what a menu leads to, and no file system has tree = "boot"'
        if made.kind != "fat":
            yield f"kind: firmware finds GRUB on fat, not on {made.kind}"
        return
    if recipe.boot is None:
        yield "tree: there is no [boot] that it could be of"
    if made.kind not in READ:
        yield f"kind: what is started has to lie on {' or '.join(READ)}, not on {made.kind}"
    if not LABEL.fullmatch(made.label):
        yield (f"label: {made.label!r} is no word of letters, digits, dots, _ and -, by which it is found")


def _of_boot(recipe: Recipe, boot: Boot) -> Iterator[str]:
    key = of(recipe, "boot")
    if recipe.root is None:
        yield ": systems are looked for in a root, and there is no [root]"
    if key is None:
        yield ': no file system has tree = "boot", so nothing of it would be on a disk'
    elif boot.heads and recipe.filesystems[key].kind != "ext4":
        kind = recipe.filesystems[key].kind
        yield f".heads: Heads signs what is on ext4, and filesystems.{key} is {kind}"
    if boot.folder.upper() == "BOOT":
        yield f".folder: {boot.folder!r} is where any system's firmware looks first: choose one of your own"
    if boot.timeout < 0:
        yield f".timeout: {boot.timeout} seconds cannot be waited: 0 starts at once"


def _of_texts(name: str, boot: Boot, version: str) -> list[str]:
    """Return which texts would not be the same to all that read them; paths of a store are known later."""
    cmdline = " ".join(boot.cmdline).replace("{system}", "/")
    titles = [version, *(path.rpartition("/")[2] for path in boot.systems[1:])]
    found = [f"cmdline: {one}" for one in boot_menu.cmdline_mistakes(cmdline)]
    return found + [
        f"systems: {one}" for what in titles for one in boot_menu.title_mistakes(f"{name} {what}")
    ]


def definition_mistakes(recipe: Recipe, definitions: Sequence[Definition]) -> list[str]:
    """Return which partitions are of a type by which what lies in them is not found."""
    wanted: dict[str, tuple[str, str]] = {}
    for key, made in recipe.filesystems.items():
        file = f"{key}.{made.kind}"
        if made.tree == "grub":
            wanted[file] = "esp", "firmware finds GRUB on an EFI system partition"
        if made.tree == "boot" and made.kind == "fat":
            wanted[file] = "xbootldr", "a boot loader finds entries on such a partition"
    if of(recipe, "grub"):
        wanted[CORE] = str(BIOS_BOOT), "GRUB has it for itself"
    found = []
    for one in definitions:
        kind = one.settings.get("Type", "").lower()
        needed, why = wanted.get(one.content, ("", ""))
        if needed and kind.replace("-", "") not in (needed, TYPES.get(needed, needed).replace("-", "")):
            found.append(f"{one.file}: CopyBlocks=/{one.content} wants Type={needed}, not {kind}: {why}")
        if of(recipe, "grub") and kind == str(BIOS_BOOT) and one.content != CORE:
            found.append(f"{one.file}: Type={kind} is for what a BIOS starts: write CopyBlocks=/{CORE}")
    cores = [one.file for one in definitions if one.content == CORE]
    if len(cores) > 1:
        found.append(f"{cores[1]}: CopyBlocks=/{CORE} is in {cores[0]}, too, and a BIOS starts one")
    return found
