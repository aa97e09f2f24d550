"""What goes into a container besides files, and what cannot."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import sandbox
from pipeline.errors import PipelineError
from pipeline.report import Line
from pipeline.step import Step
from pipeline.store import Store
from pipeline.surroundings import Surroundings


def test_no_terminal_through_ssh(tmp_path: Path) -> None:
    around = Surroundings(Store(tmp_path), ())
    vars(around)["engine"] = SimpleNamespace(address="ssh://there")
    with pytest.raises(PipelineError) as caught:
        sandbox.interact(Step("x", "", {}, ()), around, tmp_path, Line.silent())
    assert caught.value.message == "ssh://there: a terminal cannot be passed on through ssh://"


def test_the_proxies_that_a_step_with_network_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert sandbox.proxies() == [("HTTPS_PROXY", "http://proxy:3128")]
