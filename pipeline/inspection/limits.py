"""What a process may use that reads a stranger's files, whatever they make of it."""

import resource
from contextlib import suppress

from pipeline.formats.budget import MAX_SECONDS, MAX_UNPACKED

MAX_MEMORY = 1 << 31  # bytes of addresses
ASKS = 2  # how often a file's budget is full: for taking it apart, and for the answers
SPARE = 60  # seconds


def confine(files: int, *, extracts: bool) -> None:
    """Limit memory, processor time and the size of files for the rest of this process.

    It is about to read that many `files`; what it extracts may be as large as it is. This is the last net,
    below every budget: what runs into a limit is a defect of a reader, which a stranger's file has found; it
    ends instead of taking a machine with it.
    """
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_AS, MAX_MEMORY)
    _lower(resource.RLIMIT_CPU, SPARE + files * ASKS * MAX_SECONDS)
    if not extracts:
        _lower(resource.RLIMIT_FSIZE, MAX_UNPACKED)


def _lower(limit: int, value: int) -> None:
    """Set a limit, unless there is a lower one; not every system has every one."""
    with suppress(ValueError, OSError):
        soft, hard = resource.getrlimit(limit)
        if soft == resource.RLIM_INFINITY or soft > value:
            resource.setrlimit(limit, (value, hard))
