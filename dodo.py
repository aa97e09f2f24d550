"""The program that `./doit` runs: `pipeline.entry` owns the command line, `pipeline.tasks` the tasks."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent

if __name__ == "__main__":
    sys.path.append(str(ROOT))  # behind the locked packages, so that no file here takes a package's place
    from pipeline import entry

    raise SystemExit(entry.main(ROOT, sys.argv[1:]))
