"""What goes into a container besides files, and what cannot."""

import contextlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from pipeline.errors import PipelineError
from pipeline.plan.step import Step
from pipeline.report import Line
from pipeline.sandbox import transfer
from pipeline.sandbox.containers import Containers, proxies
from pipeline.sandbox.run import Outcome, StepError, Work
from pipeline.sandbox.transfer import add_bytes
from pipeline.store.cache import Store


def test_no_terminal_through_ssh(tmp_path: Path) -> None:
    containers = Containers(Store(tmp_path), ())
    vars(containers)["engine"] = SimpleNamespace(address="ssh://there")
    with pytest.raises(PipelineError) as caught:
        containers.attach(Work(Step("x", "", {}, ()), {}, Mock(), Line.silent()))
    assert caught.value.message == "ssh://there: a terminal cannot be passed on through ssh://"


@pytest.mark.parametrize("end", [0, KeyboardInterrupt()])
def test_what_a_terminal_leaves_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: int | BaseException
) -> None:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        add_bytes(archive, "out/disk", b"x" * 100_000)
    container = Mock(get_archive=lambda _: ([tar.getvalue()], {}))
    engine = SimpleNamespace(address="unix:///x", container=lambda *_: contextlib.nullcontext(container))
    containers = Containers(Store(tmp_path), ())
    vars(containers)["engine"] = engine
    monkeypatch.setattr(containers, "_job", Mock())
    monkeypatch.setattr(containers, "_write_tree", Mock())
    monkeypatch.setattr("pipeline.sandbox.containers.attach", Mock(side_effect=[end]))
    monkeypatch.setattr(transfer, "MOST", 100)
    work = Work(Step("x", "", {}, ()), {}, Mock(), Line.silent(), room=200_000)
    with contextlib.suppress(KeyboardInterrupt):
        assert containers.attach(work, tmp_path) == end
    container.stop.assert_called_once_with()
    assert (tmp_path / "disk").stat().st_size == 100_000


def test_the_proxies_that_a_step_with_network_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert proxies() == [("HTTPS_PROXY", "http://proxy:3128")]


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (0, None, ""),
        (3, None, "apt ended with status 3\n  hint: its log: /log"),
        (1, {"message": "no package x", "hint": ""}, "no package x\n  hint: its log: /log"),
        (1, {"message": "no package x", "hint": "add it"}, "no package x\n  hint: add it"),
    ],
)
def test_how_a_run_failed_is_told(status: int, error: Mapping[str, str] | None, said: str) -> None:
    try:
        Outcome(status, error).expect_success("apt", Path("/log"))
        told = ""
    except StepError as failure:
        told = str(failure)
    assert told == said
