"""Where the pipeline itself lies, and with it what it brings along for other people's projects."""

from pathlib import Path

import pipeline

_PACKAGE = Path(pipeline.__file__).resolve().parent

TREE = _PACKAGE if (_PACKAGE / "programs").is_dir() else _PACKAGE.parent
"""Where `programs/` is: in the package where that was installed, in its checkout else."""

PROGRAMS = TREE / "programs"
"""One folder a program that any product may take; recipes name them as `builtin`."""
