"""`doit bench`: times and sizes of what people do all day, in artifacts/bench.json.

It works on a copy of the checkout, as a person would: it edits a file there and calls `./doit`. Nothing is
asserted: a slow machine is not a mistake.
"""

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycdlib import PyCdlib

from pipeline.build.session import Session
from pipeline.cli.workers import workers
from pipeline.debian.lock import REPOSITORY
from pipeline.formats.eltorito import PLATFORM_EFI
from pipeline.plan.programs import built_crate
from pipeline.project.checkout import copy_sources
from pipeline.report import size_text
from pipeline.sandbox.run import StepError
from pipeline.vm.machine import WAYS

INSTALLATION = "nvme"
"""The story of the boot test that is measured: unattended, to an NVMe disk, which then starts."""


@dataclass(frozen=True)
class Figure:
    """One measurement; `unit` is seconds, bytes or MiB."""

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
def _copy(session: Session, image: str, *, empty_cache: bool = False) -> Iterator[Checkout]:
    with tempfile.TemporaryDirectory(prefix="installer-iso-bench-") as name:
        folder = Path(name) / "checkout"
        copy_sources(session.root, folder)
        (folder / ".venv").symlink_to(sys.prefix)
        yield Checkout(folder, image, Path(name) / "cache" if empty_cache else None)


def _warm(session: Session, image: str) -> Iterator[Figure]:
    """Measure the edits of every day, with everything else in the cache."""
    with _copy(session, image) as checkout:
        checkout.doit("iso")
        yield Figure("nothing changed", checkout.doit("iso"), "seconds")
        checkout.append(f"recipes/{image}/rootfs/etc/inittab", f"# {time.time()}\n")
        yield Figure("inittab changed, to the ISO", checkout.doit("iso"), "seconds")
        for recipe in filter(None, (image, session.project.recipes[image].image.carries)):
            for called in session.project.recipes[recipe].programs:
                crate = built_crate(session.project, recipe, called)
                if crate is not None and crate.tree == session.project.root:
                    main = crate.folder / "src/main.rs"
                    checkout.append(crate.place(main), f"// {time.time()}\n")
                    yield Figure(f"{called} changed, to the ISO", checkout.doit("iso"), "seconds")
        iso = checkout.artifacts / f"{image}.iso"
        yield Figure("size of the ISO", iso.stat().st_size, "bytes")


class _Sparse(io.FileIO):
    """A file in which zeros take no room."""

    def write(self, data: Any) -> int:
        if bytes(data).count(0) == len(data):
            self.seek(len(data), io.SEEK_CUR)
            return len(data)
        return super().write(data)


def write_large_iso(efi_image: Path, path: Path) -> None:
    """Write an ISO of a bit more than 4 GiB, most of it zeros, that boots from `efi_image`."""
    zeros = path.with_suffix(".zeros")
    with zeros.open("wb") as file:
        file.truncate(1 << 30)
    iso = PyCdlib()
    iso.new(interchange_level=3, rock_ridge="1.09", joliet=3)
    sectors = efi_image.stat().st_size // 512
    iso.add_file(str(efi_image), "/EFI.IMG;1", rr_name="efi.img", joliet_path="/efi.img")
    for number in range(4):
        name = f"data{number}"
        iso.add_file(str(zeros), f"/{name.upper()}.;1", rr_name=name, joliet_path=f"/{name}")
    iso.add_eltorito(
        "/EFI.IMG;1",
        "/BOOT.CAT;1",
        rr_bootcatname="boot.cat",
        joliet_bootcatfile="/boot.cat",
        platform_id=PLATFORM_EFI,
        boot_load_size=sectors,
    )
    with _Sparse(path, "wb") as out:
        iso.write_fp(out, blocksize=1 << 20)
        out.truncate(iso.pvd.space_size * 2048)
    iso.close()


def _inspect(session: Session, image: str) -> Iterator[Figure]:
    """Measure what `./doit inspect` takes, its start included."""
    with _copy(session, image) as checkout:
        checkout.doit("iso")
        iso = checkout.artifacts / f"{image}.iso"
        yield Figure("inspect the ISO", checkout.doit("inspect", str(iso)), "seconds")
        large = checkout.folder / "large.iso"
        write_large_iso(checkout.artifacts / "efi.img", large)
        yield Figure("inspect an ISO of 4 GiB", checkout.doit("inspect", str(large)), "seconds")


def _reproduce(session: Session, image: str) -> Iterator[Figure]:
    """Measure two hostile rebuilds and their comparison."""
    with _copy(session, image) as checkout:
        checkout.doit("iso")
        yield Figure(
            "reproduce --without kernel", checkout.doit("reproduce", "--without", "kernel"), "seconds"
        )


def _boot(session: Session, image: str) -> Iterator[Figure]:
    """Measure power-on to Welcome, to Done, and to the answer of what was installed."""
    with _copy(session, image) as checkout:
        checkout.doit("boot-test", "--only", f"{','.join(WAYS)},{INSTALLATION}")
        for path in sorted((checkout.artifacts / "boot-test").glob("*/result.json")):
            result = json.loads(path.read_text())
            what = f"power-on to Welcome on the screen, {result['way']}, {result['accel']}"
            yield Figure(what, result["seconds"]["Welcome on screen"], "seconds")
        story = json.loads((checkout.artifacts / f"boot-test/install/{INSTALLATION}/result.json").read_text())
        for what, seconds in story["times"].items():
            yield Figure(f"{what}, {story['story']}", seconds, "seconds")


def _cold(session: Session, image: str) -> Iterator[Figure]:
    """Measure a first build: nothing in the cache, no builder container in the engine."""
    kernels = [each.name for each in session.images[image] if each.name.startswith("kernel:")]
    at_once = str(workers())  # as many as in `./doit iso`, which makes them first, too
    engine = session.containers.engine
    for tag in engine.images(REPOSITORY):
        engine.remove_image(tag)
    with _copy(session, image, empty_cache=True) as checkout:
        yield Figure("kernels, from an empty cache", checkout.doit("-n", at_once, *kernels), "seconds")
        yield Figure("everything else, from an empty cache", checkout.doit("iso"), "seconds")
    # Of all processes started here, ./doit is by far the largest; ru_maxrss is in KiB on Linux.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    yield Figure("peak memory of a Python process", peak, "MiB")


def measure(session: Session) -> None:
    """Measure all, show each figure when it is there, and write artifacts/bench.json."""
    figures: list[Figure] = []
    image = next(iter(session.media))
    for part in (_warm, _inspect, _boot, _reproduce, _cold):
        for figure in part(session, image):
            figures.append(figure)
            session.report.print(f"{figure.what:60} {figure.text():>14}")
    path = session.root / "artifacts" / "bench.json"
    data: Mapping[str, object] = {
        "cpus": os.cpu_count(),
        "figures": [{"what": f.what, "value": round(f.value, 3), "unit": f.unit} for f in figures],
    }
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    session.report.print(f"written: {session.shown(path)}")
