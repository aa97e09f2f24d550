"""The command `./doit diff`: what its two arguments are, its exit status, and the format it writes.

It needs no recipe and no engine, and of two images not even git or a cache.
"""

import argparse
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline.checks.quoting import escaped, sentence
from pipeline.compare.difference import first_difference
from pipeline.errors import PipelineError
from pipeline.formats.budget import for_file
from pipeline.formats.fields import Image, charged
from pipeline.inspection.limits import confine
from pipeline.inspection.open import guarded, located, open_file
from pipeline.release.diff.changes import Comparison, compare
from pipeline.release.diff.folder import folder_side
from pipeline.release.diff.image_parts import image_side
from pipeline.release.diff.notes import FORMATS, rendered
from pipeline.release.diff.side import Side

Result = TypeVar("Result")

SAME, DIFFERENT, TROUBLE = 0, 1, 2
FILE, FOLDER = "file", "folder"
STOPPED = 130  # as a shell says of a program that Ctrl-C ended


def main(root: Path, arguments: Sequence[str]) -> int:
    """Compare what the arguments name, and return the exit status. SystemExit(2) for wrong arguments."""
    asked = _parser().parse_args(arguments)
    try:
        comparison = _compared(root, asked.old, asked.new)
        _write(rendered(comparison, asked.format))
    except PipelineError as error:
        from pipeline.report import Report

        Report().error(PipelineError(sentence(error.message), sentence(error.hint)))
        return TROUBLE
    except KeyboardInterrupt:
        return STOPPED
    return SAME if comparison.same else DIFFERENT


def _write(words: str) -> None:
    """Write to standard output. Raises PipelineError where that fails; who has read enough may close it."""
    try:
        sys.stdout.write(words)
        sys.stdout.flush()
    except OSError as error:
        # what is left must not be written when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise PipelineError(
                f"standard output: cannot be written: {error.strerror}", "write it where there is room"
            ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./doit diff",
        description="Say how two versions differ, and what in the new one looks like a mistake.",
        epilog="Exit status, as that of diff(1): 0 they are the same, 1 they differ, 2 one cannot be read.",
    )
    what = "a release folder, an image (an ISO, a disk, a UKI …), or a git revision of this project"
    parser.add_argument("old", metavar="OLD", help=what)
    parser.add_argument("new", metavar="NEW", help="another one of the same sort")
    parser.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help="json is as docs/diff.schema.json says"
    )
    return parser


def _compared(root: Path, old: str, new: str) -> Comparison:
    kinds = {name: _kind(name) for name in (old, new)}
    missing = [name for name, kind in kinds.items() if not kind]
    if len(missing) == len(kinds):
        return _of_revisions(root, old, new)
    if missing:
        raise PipelineError(
            f"{escaped(missing[0])}: no such file or folder",
            "name two of a sort; where a revision is called like a file, write `refs/heads/NAME`",
        )
    confine(2, extracts=False)
    if FOLDER in kinds.values():
        sides = {name: _of(name, partial(_side, name)) for name in kinds}
        return compare(sides[old], sides[new])
    images = {name: _of(name, partial(open_file, name)) for name in kinds}
    sides = {name: _of(name, partial(_taken_apart, image, name)) for name, image in images.items()}
    return compare(sides[old], sides[new], partial(_first, images[old], images[new]))


def _kind(name: str) -> str:
    """Return whether a name is that of a folder or a file, "" for neither."""
    try:
        mode = located(name).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError:  # whoever opens it says why
        return FILE
    return FOLDER if stat.S_ISDIR(mode) else FILE


def _of_revisions(root: Path, old: str, new: str) -> Comparison:
    from pipeline.release.diff import revision
    from pipeline.store.cache import Store, default_root

    before, after = revision.find(root, old), revision.find(root, new)
    return compare(*revision.sides(before, after, Store(default_root())))


def _side(name: str) -> Side:
    """Return what a release folder, or an image beside one, is made of."""
    if _kind(name) == FOLDER:
        return folder_side(located(name), escaped(name))
    return _taken_apart(open_file(name), name)


def _taken_apart(image: Image, name: str) -> Side:
    return guarded(partial(image_side, image, escaped(name)))


def _of(name: str, read: Callable[[], Result]) -> Result:
    """Return what `read` does; what it raises says of which of the two."""
    try:
        return read()
    except PipelineError as error:
        raise PipelineError(f"{escaped(name)}: {error.message}", error.hint) from error


def _first(old: Image, new: Image) -> Iterator[str]:
    """Yield where two images first differ, as far as the budget of such files goes."""
    one, other = (charged(image, for_file(len(image))) for image in (old, new))
    try:
        found = guarded(partial(first_difference, one, other))
    except PipelineError as error:
        yield f"the first difference could not be located: {error.message}"
    else:
        if found:
            yield found.text()
