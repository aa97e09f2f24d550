"""Files in place of a kernel or an installer, for a try: nobody else has them, so none of it is a release."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.project.checkout import Project
from pipeline.project.manifest import Artifact
from pipeline.project.recipe import Kernel, Program
from pipeline.store.files import sha256_of

KERNEL, INSTALLER = "kernel", "installer"
MARK = "+unpinned"
"""Behind the version of a product that has such a file: screens and /etc/os-release show it."""


def with_unpinned(project: Project, files: Mapping[str, Path]) -> Project:
    """Return the project with `files` in place of what its images with an ISO build.

    They are by what they are, KERNEL or INSTALLER. Raises PipelineError for a file that is not there, and
    where no such image has a program that is called INSTALLER.
    """
    if not files:
        return project
    pins, recipes = dict(project.manifest.artifacts), dict(project.recipes)
    for what, path in files.items():
        if not path.is_file():
            raise PipelineError(f"--{what} {path}: no such file", "name an existing file")
        pins[f"unpinned-{what}"] = Artifact(sha256_of(path), path.stat().st_size, str(path))
    media = [name for name, recipe in recipes.items() if recipe.iso is not None]
    if INSTALLER in files and not any(INSTALLER in recipes[name].programs for name in media):
        raise PipelineError(f"no recipe with an ISO has a program {INSTALLER!r}", "leave out --installer")
    for name in media:
        recipe = recipes[name]
        if KERNEL in files:
            recipe = replace(recipe, kernel=Kernel(artifact=f"unpinned-{KERNEL}"))
        if INSTALLER in files and INSTALLER in recipe.programs:
            program = Program(artifact=f"unpinned-{INSTALLER}")
            recipe = replace(recipe, programs=recipe.programs | {INSTALLER: program})
        recipes[name] = recipe
    unpinned = replace(project, manifest=replace(project.manifest, artifacts=pins), recipes=recipes)
    return unpinned.marked(MARK)
