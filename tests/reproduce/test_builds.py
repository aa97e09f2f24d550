"""The processes that build: which program they run, whatever the surroundings offer."""

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pipeline.build.session import Session
from pipeline.project import manifest
from pipeline.project.checkout import copy_sources
from pipeline.report import Report
from pipeline.reproduce import builds
from pipeline.reproduce.rebuild import Task
from pipeline.reproduce.variations import VARIATIONS, sides
from pipeline.sandbox.run import StepError
from tests.conftest import ROOT


def test_a_build_runs_the_copied_checkout_and_the_locked_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere, library = tmp_path / "blanks and ü", tmp_path / "elsewhere", tmp_path / "library"
    copy_sources(ROOT / "pipeline", root / "pipeline")
    source = root / "pipeline/project/manifest.py"
    source.write_text(source.read_text().replace(manifest.PATH, "manifests/copied.toml"))
    elsewhere.mkdir()
    for folder in (root, elsewhere):
        for name in ("json", "pydantic", "sitecustomize"):
            (folder / f"{name}.py").write_text("raise SystemExit('not the locked package')\n")
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))
    library.write_bytes(b"")
    containers = SimpleNamespace(engine=SimpleNamespace(address="unix:///nowhere"))
    session = cast(Session, SimpleNamespace(containers=containers, report=Report()))
    for side in sides(VARIATIONS):
        task = Task("toy", (), side, str(library), str(tmp_path / "answer.json"))
        with pytest.raises(StepError) as caught:
            builds._run(session, "first", task, root, tmp_path / "cache", builds.Running())
        assert caught.value.message.startswith("the first build: manifests/copied.toml: ")


def test_a_stop_ends_the_builds_that_run_and_those_that_come() -> None:
    running = builds.Running()
    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(argv, text=True) as first, subprocess.Popen(argv, text=True) as late:
        running.add(first)
        running.stop()
        running.add(late)
        assert (first.wait(10), late.wait(10)) == (-signal.SIGTERM, -signal.SIGTERM)
