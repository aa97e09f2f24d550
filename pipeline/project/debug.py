"""Images that are for finding out why one does not work: they talk, have a shell, and are no release."""

import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

from pipeline.project.checkout import Project, copy_sources
from pipeline.project.product import product_of
from pipeline.project.recipe import Recipe

FOLDER = "debug"
"""In artifacts/: nothing that is for people lies beside a debug image."""

MARK = "+debug"
"""Behind the version of a product whose image is one: screens and /etc/os-release show it."""

SERIAL = "ttyS0"
TALKATIVE = (f"earlyprintk={SERIAL},115200", "ignore_loglevel", "loglevel=7")
SHELL = "-/bin/sh"
"""BusyBox init makes the line the shell's controlling terminal where a dash comes first."""


def with_debug(project: Project) -> Project:
    """Return the project with images whose kernel talks, and which give a shell on the serial line.

    They are those with an ISO. Their root file systems are copied to artifacts/debug/, with a line more in
    /etc/inittab. Of all images the version says it; nothing else is changed.
    """
    recipes = dict(project.recipes)
    for name, recipe in project.recipes.items():
        if recipe.iso is not None:
            rootfs = _with_shell(project, name, recipe)
            cmdline = _talking(recipe.image.cmdline, _installers_parameter(project, name, recipe))
            image = replace(recipe.image, rootfs=str(rootfs), cmdline=cmdline)
            recipes[name] = replace(recipe, image=image)
    product = replace(project.manifest.product, version=f"{project.manifest.product.version}{MARK}")
    return replace(project, manifest=replace(project.manifest, product=product), recipes=recipes)


def _talking(cmdline: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command line that hides nothing, and has the serial line among its consoles."""
    words = [word for word in cmdline if word != "quiet" and not word.startswith("loglevel=")]
    has_serial = any(word.startswith(f"console={SERIAL}") for word in words)
    return (*(() if has_serial else (f"console={SERIAL},115200",)), *words, *TALKATIVE, *more)


def _installers_parameter(project: Project, name: str, recipe: Recipe) -> tuple[str, ...]:
    """Return what keeps the installer off the serial line, which is the shell's."""
    about = product_of(project.root, name, recipe)
    return (f"{tomllib.loads(about.read_text(encoding='utf-8'))['id']}.serial=off",) if about else ()


def _with_shell(project: Project, name: str, recipe: Recipe) -> Path:
    """Return a copy of a recipe's root file system with a shell on the serial line."""
    copy = project.root / "artifacts" / FOLDER / f"{name}.rootfs"
    shutil.rmtree(copy, ignore_errors=True)
    copy_sources(project.root / "recipes" / name / recipe.image.rootfs, copy)
    with (copy / "etc/inittab").open("a", encoding="utf-8") as inittab:
        inittab.write(f"\n{SERIAL}::respawn:{SHELL}\n")
    return copy
