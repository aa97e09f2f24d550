"""The report of a release, `report.html`: its contents, its checks and how it boots.

The same release makes the same page. So what belongs to a run is not in it: how long steps took, how the
medium booted and what its screens showed. That is told by `run_page`, in `run.html`, beside `run.json`.
"""

from collections.abc import Collection
from pathlib import Path

from pipeline.checks.finding import PolicyName
from pipeline.inspection.answer import QUESTIONS
from pipeline.inspection.text import answered
from pipeline.release.layout import RUN_PAGE
from pipeline.release.pages.facts import Facts, gather
from pipeline.release.pages.render import render
from pipeline.release.pages.treemap import treemap

WIDE, TALL = (1040, 600), (330, 640)  # pixels: a treemap on a desk, and on a phone


def report(folder: Path, product: str, version: str, epoch: int, policies: Collection[PolicyName]) -> str:
    """Return the report, as HTML, of all that lies in a release's folder but the report itself.

    `epoch` is the date of the release, in seconds since 1970, `policies` are those of its recipes. Raises
    PipelineError for a file that cannot be read, or is not what its name says.
    """
    return page(gather(folder, product, version, epoch, policies))


def page(facts: Facts) -> str:
    """Return the report that says these facts."""
    maps = {
        medium.name: {"wide": treemap(medium.spent, *WIDE), "tall": treemap(medium.spent, *TALL)}
        for medium in facts.media
        if medium.spent
    }
    return render(
        "report.html", facts=facts, maps=maps, questions=QUESTIONS, answered=answered, run_page=RUN_PAGE
    )
