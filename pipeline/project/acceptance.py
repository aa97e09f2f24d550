"""The stories that prove a product: rows of its recipe, or a Python package in the recipe's folder.

The package has `STORIES`, which are called by name, and `run`, a step's function that plays those of
`params.stories`.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.boot import play
from pipeline.errors import PipelineError
from pipeline.project import proof
from pipeline.project.checkout import Project
from pipeline.vm import disks


@dataclass(frozen=True)
class Acceptance:
    """The names of stories, and the step that plays some of them: its name, function and own parameters.

    Those that are `long` are only played when they are named, or all are. Those of `disks` start disks that
    are made of what the image carries (`image.formats`): it has to have them.
    """

    name: str
    stories: tuple[str, ...]
    run: Callable[[Any], None]
    params: Mapping[str, object] = field(default_factory=dict)
    long: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()


def of(project: Project, name: str) -> tuple[Acceptance, ...]:
    """Return the stories that a recipe tells, and those of its package.

    Raises PipelineError when the package is none of stories, or has the name of another one, or a story's,
    and where one that is said to be long is not there.
    """
    named = project.recipes[name].acceptance or proof.Acceptance()
    found = []
    if named.play:
        plays = {story: _as_params(told) for story, told in named.play.items()}
        found.append(Acceptance("play-test", tuple(plays), play.run, {"plays": plays}))
    if named.package:
        module = _load(project.root / "recipes", name, named.package)
        try:
            disks_of = tuple(getattr(module, "DISKS", ()))
            found.append(Acceptance("install-test", tuple(module.STORIES), module.run, disks=disks_of))
        except AttributeError as error:
            mistake = f"recipes/{name}/{named.package}: {error}"
            raise PipelineError(mistake, "it needs STORIES and run") from None
        if twice := sorted(set(named.play) & set(module.STORIES)):
            mistake = f"recipes/{name}/recipe.toml: acceptance.play.{twice[0]}: {named.package} has a story"
            raise PipelineError(f"{mistake} of this name, too", "give one another name")
    told = [story for each in found for story in each.stories]
    for key, stories in (("long", named.long), ("updates", named.updates), ("trusted", named.trusted)):
        if unknown := [story for story in stories if story not in told]:
            mistake = (
                f"recipes/{name}/recipe.toml: acceptance.{key}: {unknown[0]!r} is no story of this recipe"
            )
            raise PipelineError(mistake, f"there are {', '.join(told)}")
    return tuple(
        replace(each, long=tuple(story for story in each.stories if story in named.long)) for each in found
    )


def _as_params(told: proof.Play) -> dict[str, object]:
    """Return a play as a step's parameter, its disk in bytes."""
    return asdict(told) | {"disk": disks.size_of(told.disk) if told.disk else 0}


def _load(recipes: Path, name: str, package: str) -> ModuleType:
    """Import a recipe's package. One of the same name that another recipe brought is forgotten: only one of
    them can be there at a time.
    """
    folder = (recipes / name).resolve()
    known = sys.modules.get(package)
    if known is not None and _place(known).parent == folder.parent and _place(known) != folder:
        for each in [each for each in sys.modules if each.partition(".")[0] == package]:
            del sys.modules[each]
    sys.path.append(str(folder))  # behind all others, so that it takes no other package's place
    try:
        module = importlib.import_module(package)
    except Exception as error:  # whatever is wrong with it, it is theirs to mend
        said = f"{type(error).__name__}: {error}"
        raise PipelineError(f"recipes/{name}/{package}: {said}", "fix the stories") from error
    finally:
        sys.path.remove(str(folder))
    if _place(module) != folder:
        raise PipelineError(
            f"recipes/{name}/recipe.toml: acceptance.package: there is another package {package!r}, in"
            f" {_place(module)}",
            "give it another name",
        )
    return module


def _place(module: ModuleType) -> Path:
    """Return the folder that a package or module is in."""
    file = Path(module.__file__ or "").resolve()
    return file.parent.parent if file.name == "__init__.py" else file.parent
