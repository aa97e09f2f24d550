"""How many steps are made at once."""

import os
from collections.abc import Collection, Sequence

MOST = 4
"""Steps that are made at once: the large ones use all cores by themselves, and memory for each."""


def workers(arguments: Sequence[str] = (), steps: Collection[str] = ()) -> int:
    """Return how many steps are made at once where nobody says (`-n`): one a core, up to MOST.

    Only where nothing but tasks of `steps` is named: other commands are one piece of work, and want keys
    and the terminal for themselves.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    named = {argument for argument in arguments if not argument.startswith("-")}
    return min(cores, MOST) if named <= set(steps) and cores > 1 else 0
