"""The stories that prove a product: a Python package below its recipe's folder.

It has `STORIES`, which are called by name, and `run`, a step's function that plays those of `params.stories`.
"""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.errors import PipelineError
from pipeline.project.checkout import Project


@dataclass(frozen=True)
class Acceptance:
    """The names of a product's stories, and the step's function that plays some of them."""

    stories: tuple[str, ...]
    run: Callable[[Any], None]


def of(project: Project, recipe: str) -> Acceptance | None:
    """Return what a recipe's `acceptance.package` has, None where it names none.

    Raises PipelineError when the package is none of stories, or has the name of another one.
    """
    named = project.recipes[recipe].acceptance
    if named is None:
        return None
    module = _load(project.root / "recipes", recipe, named.package)
    try:
        return Acceptance(tuple(module.STORIES), module.run)
    except AttributeError as error:
        mistake = f"recipes/{recipe}/{named.package}: {error}"
        raise PipelineError(mistake, "it needs STORIES and run") from None


def _load(recipes: Path, recipe: str, package: str) -> ModuleType:
    """Import a recipe's package. One of the same name that another recipe brought is forgotten: only one of
    them can be there at a time.
    """
    folder = (recipes / recipe).resolve()
    known = sys.modules.get(package)
    if known is not None and _place(known).parent == folder.parent and _place(known) != folder:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]
    sys.path.append(str(folder))  # behind all others, so that it takes no other package's place
    try:
        module = importlib.import_module(package)
    except Exception as error:  # whatever is wrong with it, it is theirs to mend
        said = f"{type(error).__name__}: {error}"
        raise PipelineError(f"recipes/{recipe}/{package}: {said}", "mend the stories") from error
    finally:
        sys.path.remove(str(folder))
    if _place(module) != folder:
        raise PipelineError(
            f"recipes/{recipe}/recipe.toml: acceptance.package: there is another package {package!r}, in"
            f" {_place(module)}",
            "give it another name",
        )
    return module


def _place(module: ModuleType) -> Path:
    """Return the folder that a package or module is in."""
    file = Path(module.__file__ or "").resolve()
    return file.parent.parent if file.name == "__init__.py" else file.parent
