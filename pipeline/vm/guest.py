"""The names by which the jury's machines call `machine`, until they take it themselves."""

from collections.abc import Sequence

from pipeline.vm.machine import Disk, argv, watched
from pipeline.vm.machine import Machine as Guest

__all__: Sequence[str] = ("Disk", "Guest", "command")


def command(guest: Guest, qmp: int) -> list[str]:
    """Return QEMU's command line with QMP on descriptor `qmp`."""
    return argv(guest, watched(qmp))
