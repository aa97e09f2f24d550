"""The notes of a release: what it changes against the one before, in three formats."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from pipeline.release.diff.changes import Comparison, compare
from pipeline.release.diff.folder import folder_side
from pipeline.release.diff.side import Side
from pipeline.release.diff.wording import markdown, text
from pipeline.store.files import explained, write_atomically

SUFFIXES = {"text": "txt", "markdown": "md", "json": "json"}
FORMATS = tuple(SUFFIXES)


def rendered(comparison: Comparison, form: str) -> str:
    """Return a comparison in one of `FORMATS`."""
    if form == "json":
        return json.dumps(asdict(comparison), indent=1) + "\n"
    return markdown(comparison) if form == "markdown" else text(comparison)


def write_notes(old: Path | None, new: Path) -> None:
    """Write `notes.txt`, `notes.md` and `notes.json` into the release folder `new`.

    They say how it differs from the release folder `old`, or what it is made of where there is none; they are
    the same wherever the folders lie. Raises PipelineError for a folder that is no release.
    """
    comparison = compare(_release(old) if old else None, _release(new))
    for form, suffix in SUFFIXES.items():
        path = new / f"notes.{suffix}"
        with explained(path, "write", cache=False):
            write_atomically(path, rendered(comparison, form))


def _release(folder: Path) -> Side:
    """Return what a release is made of; it is called by its version."""
    side = folder_side(folder, folder.name)
    return replace(side, name=side.version or side.name)
