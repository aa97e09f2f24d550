"""Names a process so that no other one is meant, on any machine that shares an engine.

See proc(5), `/proc/<pid>/stat`, and pid_namespaces(7).
"""

import os
import socket
from pathlib import Path

PROC = Path("/proc")


def this_process() -> str:
    """Return host, boot, PID namespace, PID and start time of this process, with slashes between them."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}"


def is_gone(name: str) -> bool:
    """Tell whether the process of this name has ended; False of any other machine, boot or namespace.

    A PID that another process has by now is known by the time at which that one started: where nothing
    tells that time, as with /proc mounted with hidepid, whoever has the PID may be the one that is meant.
    """
    machine, _, process = name.rpartition("/")[0].rpartition("/")
    started = name.rpartition("/")[2]
    if machine != _machine() or not process.isdigit():
        return False
    now = _started(int(process))
    return not now or (now != started and "?" not in (now, started))


def _machine() -> str:
    """Return what PIDs are counted in: host, boot and PID namespace, as far as this system tells."""
    boot, space = "", ""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        space = str((PROC / "self/ns/pid").readlink())
    except OSError:  # no Linux: its process list is the host's
        pass
    return f"{socket.gethostname()}/{boot}/{space}"


def _started(process: int) -> str:
    """Return when a process started, in ticks since the boot; "" for none, "?" where nothing tells."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    try:
        stat = (PROC / str(process) / "stat").read_text()
    except OSError:
        return "?"
    return stat.rpartition(")")[2].split()[19]
