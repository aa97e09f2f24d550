"""doit's entry: the tasks are made in `pipeline.tasks`."""

from pathlib import Path

from pipeline import tasks

DOIT_CONFIG, task_all = tasks.load(Path(__file__).parent)
