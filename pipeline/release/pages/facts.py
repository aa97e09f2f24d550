"""What a release's report says, found in the release's own folder."""

import datetime
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.checks.catalog import KINDS, recognise, take_apart
from pipeline.checks.finding import PolicyName
from pipeline.errors import PipelineError
from pipeline.formats.fields import budget_of, open_image
from pipeline.inspection.answer import Answer
from pipeline.inspection.open import guarded
from pipeline.inspection.questions import interviewed
from pipeline.measure.predict import Document, OfImage
from pipeline.release.layout import BUILD, CYCLONEDX, MEASURED, NOTES, PROVENANCE, REPORT, SPDX
from pipeline.release.pages.proof import NEVER, Judged, Way, judged, ways
from pipeline.release.pages.records import Build, Component, Sbom, read
from pipeline.release.pages.spent import Spent, spent_on
from pipeline.store.files import explained, sha256_of

EXCLUDED = "excluded"
ISO = ".iso"
BOOTS = {"iso": "iso", "uki": "uki", "efi": "efi", "bzimage": "kernel"}
"""What files are held to that are looked at, by what `recognise` says of them: as the build holds them."""

WHAT = {
    BUILD: "how each step was made",
    PROVENANCE: "how it was made, as in-toto",
    CYCLONEDX: "what is in it, as CycloneDX",
    SPDX: "what is in it, as SPDX",
    MEASURED: "what a TPM says of machines that started it",
    NOTES["text"]: "what changed",
    NOTES["markdown"]: "what changed, as Markdown",
    NOTES["json"]: "what changed, as JSON",
}

GROUPS = (
    ("Debian packages", "pkg:deb/"),
    ("Crates", "pkg:cargo/"),
    ("Sources and others", "pkg:"),
    ("Others", ""),
)
"""What a product is made of, by what package URLs begin with; the first that fits."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a release: what it is, its size in bytes, and its digest."""

    name: str
    what: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """Things of one sort that a product was made of; tools are in nothing that is released."""

    title: str
    are_tools: bool
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """A file of a release that boots, and what looking at it tells; `spent` is of an ISO alone."""

    name: str
    title: str
    answers: tuple[Answer, ...]
    ways: tuple[Way, ...]
    judged: tuple[Judged, ...]
    spent: Spent | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report says."""

    product: str
    version: str
    date: str
    policies: tuple[str, ...]
    files: tuple[File, ...]
    examined: tuple[Examined, ...]
    build: Build
    inputs: tuple[Inputs, ...]
    measured: tuple[OfImage, ...]
    notes: str

    @property
    def media(self) -> tuple[Examined, ...]:
        """The ISOs."""
        return tuple(each for each in self.examined if each.spent)

    @property
    def rules(self) -> int:
        """How many rules were tried, each once."""
        return len({rule.code for each in self.examined for group in each.judged for rule in group.rules})

    @property
    def faults(self) -> int:
        """How many faults they found."""
        return sum(group.faults for each in self.examined for group in each.judged)


def gather(folder: Path, product: str, version: str, epoch: int, policies: Collection[PolicyName]) -> Facts:
    """Return the facts of the release in `folder`; `epoch` is its date, in seconds since 1970.

    Its images are held to `policies`, those of its recipes. Raises PipelineError for a file that cannot be
    read, or is not what its name says.
    """
    with explained(folder, "read", cache=False):
        paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name != REPORT)
        return Facts(
            product,
            version,
            date_of(epoch),
            tuple(sorted(policies)),
            tuple(_file(path) for path in paths),
            tuple(sorted(_examined(paths, policies), key=lambda each: (not each.spent, each.name))),
            read(Build, folder / BUILD),
            tuple(_inputs(folder / CYCLONEDX)),
            tuple(read(Document, folder / MEASURED).images),
            (folder / NOTES["markdown"]).read_text(encoding="utf-8", errors="replace"),
        )


def date_of(epoch: int) -> str:
    """Return the day, in UTC."""
    return f"{datetime.datetime.fromtimestamp(epoch, datetime.UTC):%Y-%m-%d}"


def _file(path: Path) -> File:
    return File(path.name, _what(path), path.stat().st_size, sha256_of(path))


def _kind(path: Path) -> str:
    return guarded(lambda: recognise(open_image(path)))


def _what(path: Path) -> str:
    kind = KINDS.get(_kind(path))
    return WHAT.get(path.name) or (kind.title if kind else "")


def _examined(paths: Iterable[Path], policies: Collection[PolicyName]) -> Iterator[Examined]:
    for path in paths:
        if each := examine(path, policies):
            yield each


def examine(path: Path, policies: Collection[PolicyName]) -> Examined | None:
    """Return what looking at a file tells, None for what does not boot.

    Raises PipelineError for an ISO, by its name, that is none.
    """
    kind = BOOTS.get(_kind(path))
    if path.suffix == ISO and kind != "iso":
        raise PipelineError(f"{path.name} is no image that can be read", "build it again")
    if kind is None:
        return None
    node = guarded(lambda: take_apart(open_image(path), path.name, kind, policies))
    node, answers = guarded(lambda: interviewed(node))
    told = tuple(answer for answer in answers if answer.verdict != NEVER)
    budget_of(node.member.image).refill()  # for the sizes, which read all of it again
    spent = guarded(lambda: spent_on(node)) if kind == "iso" else None
    return Examined(path.name, KINDS[kind].title, told, ways(node, answers), judged(node, policies), spent)


def _inputs(path: Path) -> Iterator[Inputs]:
    """Yield what is in a product, then what made it; the files in its images are in the SBOM alone."""
    components = [each for each in read(Sbom, path).components if each.type != "file"]
    components.sort(key=lambda each: (each.name, each.version, each.purl))
    for is_tool in (False, True):
        left = [each for each in components if (each.scope == EXCLUDED) == is_tool]
        for title, start in GROUPS:
            found = tuple(each for each in left if each.purl.startswith(start))
            left = [each for each in left if not each.purl.startswith(start)]
            if found:
                yield Inputs(title, is_tool, found)
