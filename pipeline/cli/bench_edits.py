"""The copy of the checkout in which `bench` edits one file of each kind, and to which it adds a product.

What is compared is measured in the same run, so that a ratio holds on any machine.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.build.build import run_uncached
from pipeline.build.session import Session
from pipeline.plan.programs import built_crate
from pipeline.project.checkout import copy_sources
from pipeline.report import Line, size_text
from pipeline.sandbox.run import StepError
from pipeline.steps import by_hand, uki

SECOND = "-second"
"""What is behind the names of recipes that are copied."""

REFERENCE = re.compile(r'^(carries|product) = "(\.\./)?([^"/]+)', re.MULTILINE)
"""Where a recipe names the folder of another one."""


@dataclass(frozen=True)
class Figure:
    """One measurement; `unit` is seconds, bytes, MiB or times (what one takes of another)."""

    what: str
    value: float
    unit: str

    def text(self) -> str:
        """Return the value as people read it."""
        return size_text(int(self.value)) if self.unit == "bytes" else f"{self.value:.2f} {self.unit}"


class Checkout:
    """A copy of the repository with its own artifacts; the cache is `cache`, or the usual one."""

    def __init__(self, folder: Path, image: str, cache: Path | None = None) -> None:
        self.folder, self.image = folder, image
        self.env = os.environ | ({"INSTALLER_ISO_CACHE": str(cache)} if cache else {})

    def doit(self, *arguments: str) -> float:
        """Run `./doit` and return the seconds it took. Raises StepError when it fails."""
        started = time.monotonic()
        done = subprocess.run(
            ["./doit", *arguments], cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StepError(f"./doit {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return time.monotonic() - started

    def append(self, path: str, text: str) -> None:
        """Add a line to a file of the checkout."""
        with (self.folder / path).open("a", encoding="utf-8") as file:
            file.write(text)

    @property
    def artifacts(self) -> Path:
        """The image's outputs."""
        return self.folder / "artifacts" / self.image


@contextmanager
def copied(session: Session, image: str, *, empty_cache: bool = False) -> Iterator[Checkout]:
    """Give a copy of the checkout, with a cache of its own if it has to be empty."""
    with tempfile.TemporaryDirectory(prefix="installer-iso-bench-") as name:
        folder = Path(name) / "checkout"
        copy_sources(session.root, folder)
        (folder / ".venv").symlink_to(sys.prefix)
        yield Checkout(folder, image, Path(name) / "cache" if empty_cache else None)


def edits(session: Session, image: str) -> Iterator[Figure]:
    """Measure the edits of every day, with everything else in the cache."""
    with copied(session, image) as checkout:
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
