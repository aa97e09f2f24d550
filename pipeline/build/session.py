"""One run of the program on one checkout: project, plans and surroundings, made when first asked for."""

import os
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import config
from pipeline.build.builder import Builder
from pipeline.errors import PipelineError
from pipeline.plan.image import check_published, plans
from pipeline.plan.step import Step, distinct
from pipeline.project import checkout, debug, manifest, outputs, trial
from pipeline.project.checkout import Project
from pipeline.project.debug import with_debug
from pipeline.project.manifest import Caches, Manifest
from pipeline.project.recipe import Recipe
from pipeline.project.trial import with_trial
from pipeline.project.unpinned import with_unpinned
from pipeline.report import Report
from pipeline.store.cache import Store, default_root

if TYPE_CHECKING:
    from pipeline.sandbox.containers import Containers
    from pipeline.store.inputs import Inputs
    from pipeline.store.remote import Remotes

MORE_CACHES = "INSTALLER_ISO_CACHE_SOURCES"
"""The variable that names caches, between blanks, which are asked after those of the manifest."""


def _archive(path: Path) -> "Inputs":
    from pipeline.store.inputs import Inputs  # few builds take it

    return Inputs(path)


def _carried(recipes: Mapping[str, Recipe], name: str) -> set[str]:
    """Return the recipes that an image carries, also in what it carries."""
    found = set[str]()
    while (inside := recipes[name].image.carries) and inside not in found:
        found.add(name := inside)
    return found


class Session:
    """What all commands share; `cached` are the names of steps whose results this run found.

    `said` are the errors that have been told: steps that are made at once may meet the same one. `unpinned`
    are files that take the place of a kernel or an installer in this run; `debug` makes images that talk,
    and `trial` such as trust keys of trial.
    `built` are those that it made, `fetched` came from a cache elsewhere, and what is `left` there is known
    and not needed yet; `from_source`, nothing comes from elsewhere.
    `image` is the one recipe that is asked for, "" for all.
    `inputs` is an archive of `./doit vendor`, which is asked first; `offline` forbids all else.
    """

    def __init__(
        self,
        root: Path,
        report: Report,
        unpinned: Mapping[str, Path] | None = None,
        *,
        debug: bool = False,
        trial: bool = False,
        from_source: bool = False,
        inputs: Path | None = None,
        offline: bool = False,
        image: str = "",
    ) -> None:
        self.root, self.report = root, report
        self.unpinned, self.debug, self.image = unpinned or {}, debug, image
        self.trial = trial
        self.inputs = _archive(inputs) if inputs else None
        self.store = Store(default_root(), lambda: self.remotes, from_source=from_source, offline=offline)
        self.guard = threading.Lock()
        self.cached, self.built = set[str](), set[str]()
        self.fetched, self.left = set[str](), set[str]()
        self.stopping = False
        self.under_way = set[object]()  # what threads are doing for it right now, a mark each
        self.said: dict[str, PipelineError] = {}

    @cached_property
    def project(self) -> Project:
        """The checkout's files. Raises ConfigError with all their mistakes."""
        project = with_unpinned(checkout.load(self.root), self.unpinned)
        if self.trial:
            return with_trial(project)
        return with_debug(project, self.report.print) if self.debug else project

    @cached_property
    def plans(self) -> dict[str, tuple[Step, ...]]:
        """The plan of each recipe. Raises ConfigError where two of their steps cannot be told apart."""
        found = plans(self.project)
        distinct(step for steps in found.values() for step in steps)
        return found

    @cached_property
    def images(self) -> dict[str, tuple[Step, ...]]:
        """The plans of what `./doit iso` makes, and a release has: of all recipes.

        But a whole system is a product of its own beside one that ends in another ISO, and so is what carries
        it: they are made by their names, and so is what stands in for firmware in others' proofs.
        """
        recipes = self.project.recipes
        apart = {name for name, recipe in recipes.items() if recipe.root and not recipe.iso}
        apart |= {name for name in recipes if apart & _carried(recipes, name)}
        if not any(recipe.iso for name, recipe in recipes.items() if name not in apart):
            apart = set()
        told = [recipe.acceptance for recipe in recipes.values() if recipe.acceptance]
        apart |= {one.firmware for one in told if one.firmware}
        return {name: steps for name, steps in self.plans.items() if name not in apart}

    @cached_property
    def disks(self) -> dict[str, tuple[Step, ...]]:
        """The steps that make disks of what gets installed, by recipe: no image needs them."""
        formatted = [name for name, recipe in self.project.recipes.items() if recipe.image.formats]
        if not formatted:
            return {}
        from pipeline.plan import appliances  # it loads what makes file systems

        found = {name: appliances.disk_steps(self.project, name, self.plans[name]) for name in formatted}
        for name in formatted:
            check_published(name, (*self.plans[name], *found[name]))
        return found

    def whole(self, image: str) -> tuple[Step, ...]:
        """Return all that is made of a recipe: the plan of its image, and its disks."""
        return (*self.plans[image], *self.disks.get(image, ()))

    @cached_property
    def steps(self) -> dict[str, dict[str, Step]]:
        """Each step by its name, as the plan of each image has it: each publishes into its own folder."""
        steps: dict[str, dict[str, Step]] = {}
        for image in sorted(self.plans, key=lambda name: name not in self.images):
            for step in self.whole(image):
                steps.setdefault(step.name, {})[image] = step
        return steps

    @property
    def outermost(self) -> dict[str, tuple[Step, ...]]:
        """The plans that no other contains: those of images that no other image carries."""
        carried = {recipe.image.carries for recipe in self.project.recipes.values()}
        return {name: steps for name, steps in self.images.items() if name not in carried}

    @property
    def media(self) -> dict[str, tuple[Step, ...]]:
        """The plans that end in an ISO."""
        recipes = self.project.recipes
        return {name: steps for name, steps in self.images.items() if recipes[name].iso is not None}

    @property
    def proved(self) -> list[str]:
        """The images of which `boot-test` has something to prove."""
        return [name for name in self.images if self.project.recipes[name].proves]

    @property
    def first_medium(self) -> tuple[str, tuple[Step, ...]]:
        """The first image that has an ISO, and its plan. Raises PipelineError where there is none."""
        for image, steps in self.media.items():
            return image, steps
        raise PipelineError("no recipe ends in an ISO", "give one an [iso]")

    @cached_property
    def containers(self) -> "Containers":
        """Where steps run: containers of an engine, which is looked for when the first one needs it."""
        from pipeline.sandbox.containers import Containers  # docker takes longer to load than doing nothing

        return Containers(self.store, self.project.sources())

    @cached_property
    def builder(self) -> Builder:
        """What the steps of this run share."""
        locked = outputs.by_key(self.root)
        return Builder(self.store, lambda: self.containers, lambda: self.project.sources(), locked)

    @property
    def remotes(self) -> "Remotes | None":
        """The archive of inputs, and the caches that manifest and environment name.

        Others say the manifest's mistakes; raises PipelineError for those of the environment.
        """
        with self.guard:  # steps may run at the same time
            return self._remotes

    @cached_property
    def _remotes(self) -> "Remotes | None":
        read = config.read(Manifest, self.root / manifest.PATH, manifest.PATH, [])
        asks = not (self.store.from_source or self.store.offline)
        named, more = (read.caches if read and asks else Caches()), os.environ.get(MORE_CACHES, "")
        if not (named.sources or self.inputs or (more and asks)):
            return None
        from pipeline.store.places import (
            more_caches,
            remote_of,
        )  # they take longer to load than doing nothing
        from pipeline.store.remote import Remotes

        names = dict.fromkeys((*named.sources, *(more_caches(more) if asks else ())))
        remotes = [remote_of(name, self.root, self.store.stopped) for name in names]
        first = [self.inputs] if self.inputs else []
        return Remotes([*first, *remotes], named.keys, lambda text: self.report.print(text, style="yellow"))

    def stop(self) -> None:
        """Have the steps that run end now, and all they wait for; what they say of that is of no interest."""
        self.stopping = True
        self.store.stopped.set()
        if "builder" in vars(self):
            self.builder.stop()

    def folder(self, image: str) -> Path:
        """Return where an image's artifacts go."""
        artifacts = self.root / "artifacts"
        apart = debug.FOLDER if self.debug else trial.FOLDER if self.trial else ""
        return artifacts / apart / image

    def replan(self) -> None:
        """Plan anew what is made of files that were written since: of signatures."""
        for name in ("plans", "images", "disks", "steps"):
            vars(self).pop(name, None)
        self.builder.keys.clear()
        self.builder.sources.clear()

    def shown(self, path: Path) -> str:
        """Return a path as a person would write it at the prompt that ./doit was called at."""
        relative = os.path.relpath(path, os.environ.get("INSTALLER_ISO_CALLED_FROM"))
        return str(path) if relative.startswith("..") else relative
