"""What `bench` edits in a copy of the checkout: one file of each kind; and a second product, which it adds.

What is compared is measured in the same run, so that a ratio holds on any machine.
"""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.build.build import run_uncached
from pipeline.build.session import Session
from pipeline.cli import bench_checkout
from pipeline.cli.bench_checkout import Checkout, Figure
from pipeline.plan.programs import built_crate
from pipeline.report import Line
from pipeline.steps import by_hand, uki

SECOND = "-second"
"""What is behind the names of recipes that are copied."""

REFERENCE = re.compile(r'^(carries|product) = "(\.\./)?([^"/]+)', re.MULTILINE)
"""Where a recipe names the folder of another one."""


def edits(session: Session, image: str) -> Iterator[Figure]:
    """Measure the edits of every day, with everything else in the cache."""
    with bench_checkout.copied(session, image) as checkout:
        checkout.doit("iso")
        yield Figure("nothing changed", checkout.doit("iso"), "seconds")
        rootfs = f"recipes/{image}/{session.project.recipes[image].image.rootfs}"
        (checkout.folder / rootfs).mkdir(parents=True, exist_ok=True)
        checkout.append(f"{rootfs}/edited", f"{time.time()}\n")
        edited = checkout.doit("iso")
        yield Figure("a file of the rootfs changed, to the ISO", edited, "seconds")
        script = _by_hand(session, image)
        yield Figure("the same by find, cpio, zstd -19, ukify, mtools and xorriso", script, "seconds")
        yield Figure("ratio of the two", edited / script, "times")
        for recipe in filter(None, (image, session.project.recipes[image].image.carries)):
            for called in session.project.recipes[recipe].programs:
                crate = built_crate(session.project, recipe, called)
                if crate is None or crate.tree != session.project.root:
                    continue
                if (main := crate.folder / "src/main.rs").is_file():
                    checkout.append(crate.place(main), f"// {time.time()}\n")
                    yield Figure(f"{called} changed, to the ISO", checkout.doit("iso"), "seconds")
        iso = checkout.artifacts / f"{image}.iso"
        yield Figure("size of the ISO", iso.stat().st_size, "bytes")


def _by_hand(session: Session, image: str) -> float:
    """Return how many seconds a script takes from an image's files to a medium, in the same container."""
    made = next(step for step in reversed(session.images[image]) if step.run is uki.build)
    step = replace(made, name="by-hand", outputs=("seconds",), run=by_hand.build, checks={}, published={})
    with session.store.scratch() as scratch:
        run_uncached(step, session.builder, scratch, scratch / "log", Line.silent(), known_as="the script")
        return float((scratch / "seconds").read_text())


def add_product(session: Session, checkout: Checkout, image: str) -> None:
    """Give a checkout a second product, of the same kernels and programs."""
    names = [each for each in (image, session.project.recipes[image].image.carries) if each]
    for name in names:
        _copy_recipe(checkout.folder / "recipes", name, names)


def _copy_recipe(recipes: Path, name: str, names: list[str]) -> None:
    """Copy a recipe under another name; what it says of those called `names` it says of their copies."""

    def renamed(found: re.Match[str]) -> str:
        key, up, of = found[1], found[2] or "", found[3]
        return f'{key} = "{up}{of}{SECOND if of in names else ""}'

    copy = recipes / f"{name}{SECOND}"
    shutil.copytree(recipes / name, copy, symlinks=True)
    recipe = copy / "recipe.toml"
    recipe.write_text(REFERENCE.sub(renamed, recipe.read_text(encoding="utf-8")), encoding="utf-8")
