"""The cache when two processes use it at once, and when one is killed."""

import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.cache import Result, Store
from tests.store.test_cache import KEY, blob_of, put


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def make_once(root: Path, begun: Any, runs: Any) -> None:
    """What a build does: look, wait for the lock, look again, make."""
    store = Store(root)
    begun.wait()
    with store.lock(KEY):
        if store.result(KEY) is None:
            with runs.get_lock():
                runs.value += 1
            time.sleep(0.05)
            store.record(KEY, Result({}, 0, ""))


def test_two_processes_make_one_thing_once(store: Store) -> None:
    context = multiprocessing.get_context("fork")
    begun, runs = context.Barrier(2), context.Value("i", 0)
    workers = [context.Process(target=make_once, args=(store.root, begun, runs)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert runs.value == 1


def hold(root: Path, held: Any) -> None:
    with Store(root).lock(KEY):
        held.set()
        time.sleep(60)


def test_who_waits_is_told_so_and_a_killed_process_holds_nothing(store: Store) -> None:
    context = multiprocessing.get_context("fork")
    held = context.Event()
    holder = context.Process(target=hold, args=(store.root, held))
    holder.start()
    held.wait()
    told: list[str] = []

    def waiting() -> None:
        told.append("waiting")
        os.kill(holder.pid or 0, signal.SIGKILL)

    with store.lock(KEY, waiting):
        assert told == ["waiting"]
    holder.join()
    with store.lock(KEY, waiting):
        assert told == ["waiting"]


def write_halves(root: Path, target: Path, ready: Any) -> None:
    """Be in the middle of an output, of a download and of a copy."""
    store = Store(root)

    def stop(*_: object) -> None:
        ready.set()
        time.sleep(60)

    with store.scratch() as scratch:
        (scratch / "out").write_bytes(b"half")
        (root / "tmp" / "x.part").write_bytes(b"half")
        shutil.copyfileobj = stop  # type: ignore[assignment]
        store.copy(put(store, b"whole"), target, 0o644)


def test_a_process_killed_while_it_writes_leaves_nothing_that_looks_finished(
    store: Store, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    target = tmp_path / "artifacts" / "x.iso"
    worker = context.Process(target=write_halves, args=(store.root, target, ready))
    worker.start()
    assert ready.wait(60)
    worker.kill()
    worker.join()
    assert not target.exists()
    assert [path.name for path in (store.root / "blobs").iterdir()] == [blob_of(b"whole").sha256]
    assert not (store.root / "results").exists()
    assert len(list((store.root / "tmp").iterdir())) == 2
    store.clean(older_than=0)
    assert len(list((store.root / "tmp").iterdir())) == 2, "a build of now may write there"
    for path in (store.root / "tmp").iterdir():
        os.utime(path, (0, 0))
    store.clean(older_than=0)
    assert list((store.root / "tmp").iterdir()) == []
