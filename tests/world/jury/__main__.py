"""Tries the rows of the table, or those that are named, and says where `inspect` and machines disagree.

.venv/bin/python -m tests.world.jury                 # all; renews docs/agreement.md
.venv/bin/python -m tests.world.jury gpt iso-inside  # two rows
"""

import argparse
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from pipeline.build.session import Session
from pipeline.report import Report
from tests.fixtures.specimens import unpack
from tests.fixtures.workshop import Workshop
from tests.world.jury import agreement, trials
from tests.world.jury.layouts import drawn
from tests.world.jury.row import WAYS, Row
from tests.world.jury.stores import STORES
from tests.world.jury.table import KERNEL, SPECIMENS, TABLE

ROOT = Path(__file__).parents[3]


def main() -> int:
    """Run what the command line names; return 1 where anything disagrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.world.jury", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", default=["*"], help="names of rows, also as patterns such as 'iso-*'"
    )
    parser.add_argument("--way", action="append", choices=WAYS, help="only this way")
    parser.add_argument("--layouts", type=int, default=0, help="try so many random layouts in place of rows")
    parser.add_argument("--seed", type=int, default=1, help="chooses the layouts")
    parser.add_argument("--machines", type=int, default=0, help="at once; as many as cores without it")
    parser.add_argument("--patience", type=int, default=1, help="wait so many times longer: others work, too")
    parser.add_argument(
        "--here", metavar="FOLDER", help="with this machine's own programs, and these specimens"
    )
    parser.add_argument("--keep", metavar="FOLDER", help="keep images and logs there")
    arguments = parser.parse_args()
    ways = arguments.way or list(WAYS)
    chosen = drawn(arguments.layouts, arguments.seed) if arguments.layouts else _named(arguments.rows, ways)
    if not chosen:
        parser.error(f"no row is called {arguments.rows[0]!r}")
    with tempfile.TemporaryDirectory(prefix="installer-iso-jury-") as temporary:
        folder = Path(arguments.keep or temporary)
        folder.mkdir(exist_ok=True)
        run, real = _bench(arguments.here, folder)
        (folder / "changed").mkdir()
        paths = trials.make(run, chosen, real, folder / "changed", tried=bool(arguments.layouts))
        chosen = {name: chosen[name] for name in paths}
        tried = {way for row in chosen.values() for way in row.ways if way in ways}
        filled = trials.fill(run, [name for name in STORES if f"store_{name}" in tried])
        said = trials.ask_all(chosen, paths, filled)
        kernel, count, patience = real[KERNEL], arguments.machines, arguments.patience
        seen = trials.start(run, chosen, paths, kernel, filled, ways, count, patience)
        session = trials.judge(chosen, said, seen)
    for text in session.reports:
        recipe = chosen[text.partition(" ")[0]].recipe
        print(f"{text}\n  recipe: {recipe}" if arguments.layouts else text, flush=True)
    print(agreement.totals(session.trials))
    if not arguments.layouts:
        agreement.record(ROOT, session.trials)
    return int(bool(session.reports))


def _named(patterns: list[str], ways: list[str]) -> dict[str, Row]:
    return {
        name: row
        for name, row in TABLE.items()
        if any(fnmatch(name, pattern) for pattern in patterns) and set(row.ways) & set(ways)
    }


def _bench(here: str | None, folder: Path) -> tuple[trials.Run, dict[str, Path]]:
    """Return what runs steps, and the specimens that recipes begin with."""
    if here:
        return trials.Here(folder), {name: Path(here) / name for name in SPECIMENS}
    session = Session(ROOT, Report())
    (folder / "workshop").mkdir()
    (folder / "real").mkdir()
    real = unpack(session, folder / "real", *SPECIMENS)
    return trials.InContainers(Workshop(session, folder / "workshop")), real


if __name__ == "__main__":
    sys.exit(main())
