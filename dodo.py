"""doit's entry: the tasks are made in `pipeline.tasks`."""

import sys
from pathlib import Path

if sys.argv[1:2] == ["inspect"]:  # it takes options after files, as doit does not, and needs no task's files
    from pipeline.inspection import cli

    raise SystemExit(cli.main(sys.argv[2:]))

from pipeline import tasks

DOIT_CONFIG, task_all = tasks.load(Path(__file__).parent)
