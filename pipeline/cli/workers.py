"""Owns how many steps are made at once."""

import os
from collections.abc import Sequence

MOST = 4
"""Steps that are made at once: the large ones use all cores by themselves, and memory for each."""


def workers(arguments: Sequence[str]) -> int:
    """Return how many steps are made at once where nobody says (`-n`): one a core, up to MOST.

    Only of an image: other commands are one piece of work, and want keys and the terminal for themselves.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST) if set(arguments) <= {"iso"} and cores > 1 else 0
