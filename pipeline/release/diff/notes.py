"""The notes of a release: what it changes against the one before, in three formats."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from pipeline.release.diff.changes import Comparison, compare
from pipeline.release.diff.folder import folder_side
from pipeline.release.diff.side import Side
from pipeline.release.diff.wording import markdown, text
from pipeline.release.layout import NOTES

FORMATS = tuple(NOTES)


def rendered(comparison: Comparison, form: str) -> str:
    """Return a comparison in one of `FORMATS`."""
    if form == "json":
        return json.dumps(asdict(comparison), indent=1) + "\n"
    return markdown(comparison) if form == "markdown" else text(comparison)


def compared(old: Path | None, new: Path) -> Comparison:
    """Return how the release in the folder `new` differs from that in `old`, if there is one.

    It is the same wherever the folders lie. Raises PipelineError for a folder that is no release.
    """
    return compare(_release(old) if old else None, _release(new))


def _release(folder: Path) -> Side:
    """Return what a release is made of; it is called by its version."""
    side = folder_side(folder, folder.name)
    return replace(side, name=side.version or side.name)
