"""Images of trial: as their recipes have them, but with keys that are made for it, and are no secret."""

from dataclasses import replace

from pipeline.project.checkout import Project
from pipeline.project.trust import Trust

FOLDER = "trial"
"""In artifacts/: nothing that is for people lies beside images of trial."""

KEYS = "keys"
SHIM = "shim"
"""The set in roots/ that a trial takes shim from, where there is one."""


def with_trial(project: Project) -> Project:
    """Return the project whose images all have a `[trust]` of trial, those with an ISO with shim."""
    folder = project.root / "artifacts" / FOLDER
    recipes = {}
    for name, recipe in project.recipes.items():
        shim = SHIM if recipe.iso and recipe.iso.loader == "uki" and SHIM in project.set_locks else None
        trust = Trust(str(folder / KEYS / "public"), str(folder / f"{name}.signatures.json"), shim)
        recipes[name] = replace(recipe, trust=trust)
    return replace(project, recipes=recipes)
