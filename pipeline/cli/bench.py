"""`doit bench`: times and sizes of what people do all day, in artifacts/bench.json.

It works on a copy of the checkout, as a person would: it edits a file there and calls `./doit`. Nothing is
asserted: a slow machine is not a mistake.
"""

import io
import json
import os
import resource
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pycdlib import PyCdlib

from pipeline.build.session import Session
from pipeline.cli.bench_edits import Figure, add_product, copied, edits
from pipeline.cli.bench_systems import systems
from pipeline.cli.program import FROM_SOURCE
from pipeline.errors import PipelineError
from pipeline.formats.eltorito import PLATFORM_EFI
from pipeline.vm.machine import WAYS
from pipeline.vm.stages import Stage

EFI, GREETING, SCREEN = map(str, (Stage.LOADER, Stage.SERIAL, Stage.SCREEN))


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
    with copied(session, image) as checkout:
        checkout.doit("iso")
        iso = checkout.artifacts / f"{image}.iso"
        yield Figure("inspect the ISO", checkout.doit("inspect", str(iso)), "seconds")
        large = checkout.folder / "large.iso"
        write_large_iso(checkout.artifacts / "efi.img", large)
        yield Figure("inspect an ISO of 4 GiB", checkout.doit("inspect", str(large)), "seconds")


def _reproduce(session: Session, image: str) -> Iterator[Figure]:
    """Measure two hostile rebuilds and their comparison."""
    with copied(session, image) as checkout:
        checkout.doit("iso")
        yield Figure(
            "reproduce --without kernel", checkout.doit("reproduce", "--without", "kernel"), "seconds"
        )


def _boot(session: Session, image: str) -> Iterator[Figure]:
    """Measure power-on to Welcome, and from Install to the answer of what was installed."""
    acceptance = session.project.recipes[image].acceptance
    story = acceptance.measured if acceptance else None
    with copied(session, image) as checkout:
        checkout.doit("boot-test", "--only", ",".join(filter(None, (*WAYS, story))))
        for path in sorted((checkout.artifacts / "boot-test").glob("*/result.json")):
            yield from _boot_figures(json.loads(path.read_text()))
        if story:
            result = checkout.artifacts / f"boot-test/install/{story}/result.json"
            for what, seconds in json.loads(result.read_text())["times"].items():
                yield Figure(f"{what}, {story}", seconds, "seconds")


def _boot_figures(result: Mapping[str, Any]) -> Iterator[Figure]:
    """Yield how long one way of booting took, and what that is of the time that firmware took."""
    where, seconds = f"{result['way']}, {result['accel']}", result["seconds"]
    for stage in (EFI, GREETING, SCREEN):
        if stage in seconds:
            yield Figure(f"power-on to {stage}, {where}", seconds[stage], "seconds")
    if EFI in seconds and GREETING in seconds:
        ratio = seconds[GREETING] / seconds[EFI]
        yield Figure(f"ratio of {GREETING} to {EFI}, {where}", ratio, "times")


def _cold(session: Session, image: str) -> Iterator[Figure]:
    """Measure a first build: nothing in the cache, no builder container in the engine."""
    kernels = [each.name for each in session.images[image] if each.name.startswith("kernel:")]
    engine = session.containers.engine
    for lock in session.project.locks.values():
        if engine.image_id(lock.tag, lock.layer, lock.architecture):
            engine.remove_image(lock.tag)
    with copied(session, image, empty_cache=True) as checkout:
        first = checkout.doit(FROM_SOURCE, *kernels)
        yield Figure("kernels, from an empty cache", first, "seconds")
        rest = checkout.doit("iso", FROM_SOURCE)
        yield Figure("everything else, from an empty cache", rest, "seconds")
        add_product(session, checkout, image)
        second = checkout.doit("iso", FROM_SOURCE)
        yield Figure("a second product with the same kernels and programs", second, "seconds")
        yield Figure("ratio of two products to one", (first + rest + second) / (first + rest), "times")
    # Of all processes started here, ./doit is by far the largest; ru_maxrss is in KiB on Linux.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    yield Figure("peak memory of a Python process", peak, "MiB")


PARTS: Mapping[str, Callable[[Session, str], Iterator[Figure]]] = {
    "edits": edits,
    "inspect": _inspect,
    "boot": _boot,
    "reproduce": _reproduce,
    "systems": systems,
    "cold": _cold,
}
"""What is measured, in this order: the last one removes this project's images from the engine."""


def judge(_session: Session, only: str) -> list[str]:
    """Return the parts that a list names, all for an empty one. Raises PipelineError for an unknown name."""
    wanted = [name.strip() for name in only.split(",")] if only else list(PARTS)
    for name in wanted:
        if name not in PARTS:
            raise PipelineError(f"--only: {name!r} is not measured", f"choose from {', '.join(PARTS)}")
    return [name for name in PARTS if name in wanted]


def measure(session: Session, only: str) -> None:
    """Measure the parts that are named, show each figure when it is there, and write artifacts/bench.json."""
    figures: list[Figure] = []
    parts = judge(session, only)
    image, _ = session.first_medium
    for part in parts:
        for figure in PARTS[part](session, image):
            figures.append(figure)
            session.report.print(f"{figure.what:60} {figure.text():>14}")
    path = session.root / "artifacts" / "bench.json"
    data: Mapping[str, object] = {
        "cpus": os.cpu_count(),
        "figures": [{"what": f.what, "value": round(f.value, 3), "unit": f.unit} for f in figures],
    }
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    session.report.print(f"written: {session.shown(path)}")
