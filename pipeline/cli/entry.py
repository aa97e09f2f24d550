"""How the program starts: on which streams it writes, and that looking at a file needs no tasks."""

import codecs
import gc
import locale
import os
import sys
from collections.abc import Sequence
from pathlib import Path

GARBAGE = 100_000
"""Objects more before Python looks for cycles among all: what is loaded at the start is many, and stays."""

HELP = frozenset({"--help", "-h"})
"""What asks any command for help, wherever it stands."""

PLAIN = {"✓": "+", "✗": "x"}


def write_as_the_terminal_reads() -> None:
    """Have the standard streams write the locale's encoding, and a plain character for one that it lacks.

    Files are UTF-8 whatever the locale says (Python's UTF-8 mode); one that only knows ASCII is taken for a
    locale that nobody set, and gets UTF-8, too.
    """
    codecs.register_error("plain", _plainly)
    known = codecs.lookup(locale.getencoding()).name
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8" if known == "ascii" else known, errors="plain")  # type: ignore[union-attr]


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(each, "?") for each in error.object[error.start : error.end]), error.end


def main(root: Path, arguments: Sequence[str]) -> int:
    """Run what the arguments of `./doit` ask for, in the checkout `root`; return the exit status.

    That is 1, as of rich, where whoever reads standard output has read enough.
    """
    write_as_the_terminal_reads()
    try:
        try:
            return _run(root, arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is written when Python ends
        return 1


def _run(root: Path, arguments: Sequence[str]) -> int:
    gc.set_threshold(GARBAGE)
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # it would look for some in all packages
    os.chdir(root)
    # They take options after files, as doit does not, and need no task's files; their tasks are for `list`.
    if arguments[:1] == ["inspect"]:
        from pipeline.inspection import cli

        return cli.command(list(arguments[1:]))
    if arguments[:1] == ["diff"]:
        from pipeline.cli import diff

        return diff.main(root, arguments[1:])
    if arguments[:1] == ["measure"]:
        from pipeline.cli import measure

        return measure.main(root, arguments[1:])
    if arguments[:1] == ["attest"]:
        from pipeline.cli import attest

        return attest.main(root, arguments[1:])
    if arguments[:1] == ["verify"]:
        from pipeline.cli import verify

        return verify.command(list(arguments[1:]))
    from pipeline.cli.program import run  # it takes longer to load than most files to look at

    return run(root, arguments)
