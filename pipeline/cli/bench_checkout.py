"""The copy of the checkout in which `bench` edits files and calls `./doit`, as a person would."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.build.session import Session
from pipeline.project.checkout import copy_sources
from pipeline.report import size_text
from pipeline.sandbox.run import StepError


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
