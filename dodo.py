"""The program that `./doit` runs: `pipeline.cli.entry` owns the command line, `tasks` what it can do."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent

if __name__ == "__main__":
    sys.path.append(str(ROOT))  # behind the locked packages, so that no file here takes a package's place
    try:
        from pipeline.cli import entry

        status = entry.main(ROOT, sys.argv[1:])
    except ModuleNotFoundError as error:  # as after an upgrade of the Python that it was made with
        if str(error.name).startswith("pipeline"):
            raise
        raise SystemExit(
            f"error: {sys.prefix} has no {error.name}\n  hint: remove it; ./doit makes it anew"
        ) from None

    raise SystemExit(status)
