"""Images that are for finding out why one does not work: they talk, have a shell, and are no release."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.project import product
from pipeline.project.checkout import Project
from pipeline.project.recipe import Recipe

FOLDER = "debug"
"""In artifacts/: nothing that is for people lies beside a debug image."""

MARK = "+debug"
"""Behind the version of a product whose image is one: screens and /etc/os-release show it."""

SERIAL = "ttyS0"
CONSOLE = "console"
"""The builtin program that runs another on all consoles."""

TALKATIVE = (f"earlyprintk={SERIAL},115200", "ignore_loglevel", "loglevel=7")
SHELL = "-/bin/sh"
"""BusyBox init makes the line the shell's controlling terminal where a dash comes first."""


def with_debug(project: Project, note: Callable[[str], None]) -> Project:
    """Return the project with images whose kernel talks, and which give a shell on the serial line.

    They are those with an ISO. Their root file systems are copied to artifacts/debug/, with a line more in
    /etc/inittab. Only the programs of a product, and `console`, can be told to leave the serial line to a
    shell: `note` gets a sentence for each image that has neither, and no shell. Whoever has one has all of
    BusyBox. Of all images the version says it; nothing else is changed. Raises PipelineError for a root file
    system without /etc/inittab.
    """
    recipes = dict(project.recipes)
    for name, recipe in project.recipes.items():
        if recipe.iso is None:
            continue
        rootfs, cmdline = recipe.image.rootfs, _talking(recipe.image.cmdline)
        about = product.product_of(project.root, name, recipe)
        ids = [product.read(about).id] if about else []
        if any(program.builtin == CONSOLE for program in recipe.programs.values()):
            ids.append(CONSOLE)
        if ids:
            rootfs = str(_with_shell(project, name, recipe))
            cmdline = (*cmdline, *(f"{each}.serial=off" for each in ids))
        else:
            note(f"recipes/{name}: no shell on the serial line: only image.product or {CONSOLE} can free it")
        image = replace(recipe.image, rootfs=rootfs, cmdline=cmdline, applets=None)
        recipes[name] = replace(recipe, image=image)
    return replace(project, recipes=recipes).marked(MARK)


def _talking(cmdline: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command line that hides nothing, and has the serial line among its consoles."""
    words = [word for word in cmdline if word != "quiet" and not word.startswith("loglevel=")]
    consoles = [word for word in words if word.startswith("console=")]
    screen = [] if consoles else ["console=tty0"]  # which is the kernel's own choice as long as none is named
    has_serial = any(word.startswith(f"console={SERIAL}") for word in consoles)
    return (*([] if has_serial else [f"console={SERIAL},115200"]), *screen, *words, *TALKATIVE)


def _with_shell(project: Project, name: str, recipe: Recipe) -> Path:
    """Return a copy of a recipe's root file system with a shell on the serial line."""
    copy = project.root / "artifacts" / FOLDER / f"{name}.rootfs"
    shutil.rmtree(copy, ignore_errors=True)
    rootfs = project.root / "recipes" / name / recipe.image.rootfs
    if not (rootfs / "etc/inittab").is_file():
        mistake = (
            f"recipes/{name}/{recipe.image.rootfs}: --debug needs etc/inittab, from which init starts a shell"
        )
        raise PipelineError(mistake, "write one, or leave out --debug")
    shutil.copytree(rootfs, copy, symlinks=True)
    with (copy / "etc/inittab").open("a", encoding="utf-8") as inittab:
        inittab.write(f"\n{SERIAL}::respawn:{SHELL}\n")
    return copy
