"""What the page of a run says, found in what builds and boot tests left: times, and what screens showed."""

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.release.pages.records import Boot, Event, Installation, Run, read, timeline
from pipeline.store.files import explained

SIZE = (480, 300)  # pixels: a picture in a film strip
COLOURS = 32
RESULT, TIMELINE = "result.json", "timeline.json"
SCREENSHOT = "screenshot "
"""How the event of a timeline begins that names a picture."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a screen, as a PNG in base64; `caption` is what it is called, and when it was taken."""

    caption: str
    png: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Strip:
    """Pictures of one run of a machine, in the order in which they were taken."""

    name: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Booted:
    """A way of booting: how it went, what happened, and what the screen showed."""

    result: Boot
    events: tuple[Event, ...]
    strip: Strip

    @property
    def spans(self) -> tuple[tuple[str, float, float], ...]:
        """What was reached, when, and how long it took from what was reached before; all in seconds."""
        ends = sorted(self.result.seconds.items(), key=lambda item: item[1])
        starts = [0.0, *(at for _, at in ends)]
        return tuple((what, at, at - start) for (what, at), start in zip(ends, starts, strict=False) if at)


@dataclass(frozen=True, slots=True)
class Installed:
    """An installation story: how it went, and a strip for each run of a machine in it."""

    result: Installation
    strips: tuple[Strip, ...]


@dataclass(frozen=True, slots=True)
class Tested:
    """The boot test of an image."""

    image: str
    boots: tuple[Booted, ...]
    stories: tuple[Installed, ...]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the page of a run says."""

    product: str
    version: str
    run: Run
    tests: tuple[Tested, ...]


def gather_run(record: Path, product: str, version: str, tests: Mapping[str, Path]) -> RunFacts:
    """Return the facts of the run that `record`, a `run.json`, is of.

    `tests` are the folders that boot tests left, by image. Raises PipelineError for what cannot be read; a
    picture that is none is left out.
    """
    run = read(Run, record)
    return RunFacts(product, version, run, tuple(_tested(image, path) for image, path in tests.items()))


def _tested(image: str, folder: Path) -> Tested:
    with explained(folder, "read", cache=False):
        found = sorted(folder.rglob(RESULT), key=_age)
        boots = [path.parent for path in found if path.parent.parent == folder]
        stories = [path.parent for path in found if path.parent.parent != folder]
        return Tested(image, tuple(map(_booted, boots)), tuple(map(_installed, stories)))


def _age(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, path.name


def _booted(folder: Path) -> Booted:
    events = timeline(folder / TIMELINE)
    taken = {
        each.event.removeprefix(SCREENSHOT): each.seconds
        for each in events
        if each.event.startswith(SCREENSHOT)
    }
    return Booted(read(Boot, folder / RESULT), events, _strip(folder, folder.name, taken))


def _installed(folder: Path) -> Installed:
    places = sorted({path.parent for path in folder.rglob("*.png")}, key=_age)
    strips = (_strip(place, place.relative_to(folder).as_posix(), {}) for place in places)
    return Installed(read(Installation, folder / RESULT), tuple(strips))


def _strip(folder: Path, name: str, taken: Mapping[str, float]) -> Strip:
    """Return the pictures in a folder; `taken` says at which second each was taken, where that is known."""
    return Strip(name, tuple(_frames(sorted(folder.glob("*.png"), key=_age), taken)))


def _frames(paths: list[Path], taken: Mapping[str, float]) -> Iterator[Frame]:
    for path in paths:
        at = f", {taken[path.name]:.1f} s" if path.name in taken else ""
        try:
            png, width, height = thumbnail(path)
        except PipelineError:
            continue
        yield Frame(path.stem + at, base64.b64encode(png).decode(), width, height)


def thumbnail(path: Path) -> tuple[bytes, int, int]:
    """Return a picture as a small PNG, its width and its height in pixels.

    Raises PipelineError for what is no picture, as where a machine was stopped while it was written.
    """
    from PIL import Image  # which takes longer to load than a page without pictures

    out = io.BytesIO()
    try:
        with Image.open(path, formats=["PNG"]) as image:
            small = image.convert("RGB")
        small.thumbnail(SIZE, Image.Resampling.LANCZOS)
        small.quantize(COLOURS).save(out, "PNG", optimize=True)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PipelineError(f"{path.name} is no picture: {error}", "run the boot test again") from error
    return out.getvalue(), small.width, small.height
