"""Whether KVM works where containers run: tried once (`boot.probe`), and remembered until the next boot."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from pipeline.debian.lock import AMD64, Lock
from pipeline.errors import PipelineError
from pipeline.plan.step import digest
from pipeline.sandbox.docker import Engine
from pipeline.store.cache import Store
from pipeline.vm.machine import KVM, accelerators

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def _place(store: Store) -> Path:
    return store.root / "kvm.json"


def _where(engine: Engine, lock: Lock) -> str:
    """Return what stands for machine, boot and QEMU; "" where one boot looks like another."""
    with contextlib.suppress(OSError):
        return digest([engine.address, BOOT_ID.read_text(), lock.layer])
    return ""


def foreign(lock: Lock) -> str:
    """Return why KVM is of no use to machines in this container, whatever is tried; "" where it may be."""
    if lock.architecture == AMD64:
        return ""
    return f"is {lock.architecture}'s, and runs no x86-64 machine"


def remembered(store: Store, engine: Engine, lock: Lock) -> str | None:
    """Return the fault that was found since this machine was started, "" for none; None where none looked."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        known = json.loads(_place(store).read_text(encoding="utf-8"))
        if known["where"] == _where(engine, lock) != "":
            return str(known["fault"])
    return None


def remember(store: Store, engine: Engine, lock: Lock, fault: str) -> None:
    """Keep what was found; a cache that cannot be written to only makes it be tried again."""
    with contextlib.suppress(OSError):
        text = json.dumps({"where": _where(engine, lock), "fault": fault})
        _place(store).write_text(text, encoding="utf-8")


def settled(wanted: str, find_fault: Callable[[], str], note: Callable[[str], None]) -> str:
    """Return the accelerator to ask for: what is `wanted`, or tcg for auto where no guest runs on KVM.

    Raises PipelineError for an unknown one, and where KVM is demanded and no guest runs on it.
    """
    accelerators(wanted, kvm=True)
    fault = "" if wanted == "tcg" else find_fault()
    if not fault:
        return wanted
    if wanted == "kvm":
        raise PipelineError(f"{KVM} {fault}", "leave it to `--accel auto`, or do without: `--accel tcg`")
    note(f"without KVM: {KVM} {fault}")
    return "tcg"
