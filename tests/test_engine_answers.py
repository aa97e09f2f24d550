"""What the engine's side does with answers that a real engine gives only at a bad moment."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from pipeline.engine import Engine, Job

JOB = Job("image", ("true",), ())


class Answers:
    """Stands for docker-py's client or container: its attributes are what it is given."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


def waiting(name: str) -> Any:
    return Answers(id=name, status="running", reload=lambda: None)


def test_two_equal_jobs_at_once_get_two_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(Answers(), "unix:///x")  # type: ignore[arg-type]
    expected: Future[Any] = Future()
    engine.expected[JOB] = expected
    started = threading.Semaphore(0)

    def start(_job: Job) -> Any:
        started.release()
        return waiting("second")

    monkeypatch.setattr(engine, "_start", start)
    with ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(engine._take, JOB) for _ in range(2)]
        alone = started.acquire(timeout=10)
        expected.set_result(waiting("first"))
        names = {str(each.result().id) for each in taken}
    assert (alone, names) == (True, {"first", "second"})
    assert engine.expected == {}
