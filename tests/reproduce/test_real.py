"""Containers in hostile surroundings: steps do not see them, and where one lets them in, it is told."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.builder import Builder
from pipeline.build.session import Session
from pipeline.plan.step import Step
from pipeline.project.checkout import copy_sources
from pipeline.report import Line
from pipeline.reproduce.builds import faketime
from pipeline.reproduce.rebuild import conditions
from pipeline.reproduce.variations import VARIATIONS, Side, sides
from pipeline.sandbox.containers import Containers
from pipeline.sandbox.run import run as run_step
from pipeline.steps.runner import BUILD, ENVIRONMENT
from tests.conftest import ROOT
from tests.fixtures.onlooker import look

pytestmark = pytest.mark.container

EPOCH = 1795219200
OWN = ENVIRONMENT | {"SOURCE_DATE_EPOCH": str(EPOCH)}


@pytest.fixture
def looked(session: Session, imager: str, tmp_path: Path) -> Any:
    """Run a step that looks around on a side; return what it and its surroundings saw."""
    assert imager

    def run(side: Side) -> tuple[dict[str, Any], Mapping[str, Any]]:
        told: dict[str, Any] = {}
        given = conditions(side, faketime(session), told)
        containers = Containers(session.store, session.project.sources(), given)
        builder = Builder(session.store, lambda: containers)
        step = Step(
            name="look",
            summary="",
            container=session.project.lock_of("imager"),
            inputs={},
            outputs=("seen",),
            params={"epoch": EPOCH},
            run=look,
        )
        place = tmp_path / side.hostname
        (place / "out").mkdir(parents=True)
        outcome = run_step(containers, builder.work(step, Line.silent()), place / "out", place / "log")
        assert (outcome.status, outcome.error) == (0, None), (place / "log").read_text()
        return json.loads((place / "out" / "seen").read_text()), told["look"]

    return run


def test_a_step_sees_its_own_environment_whatever_the_engine_gives(looked: Any) -> None:
    first, second = sides(VARIATIONS)
    plain, _ = looked(first)
    hostile, told = looked(second)
    assert plain["environment"] == OWN | {"PYTHONHASHSEED": "1"}
    kept = {"LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT", "PYTHONHASHSEED"}
    assert {n: v for n, v in hostile["environment"].items() if n not in kept} == OWN
    assert set(hostile["environment"]) - set(OWN) == kept
    assert (plain["umask"], hostile["umask"]) == (0o022, 0o022)
    assert (plain["encoding"], hostile["encoding"]) == ("utf-8", "utf-8")
    assert (plain["user"], hostile["user"]) == (1000, 4321)
    assert abs(plain["clock"] - time.time()) < 3600
    assert abs(hostile["clock"] - time.time() - 200 * 86400) < 3600
    assert told["filesystem"] == "tmpfs"
    assert (told["timezone"], told["umask"], told["hostname"]) == ("+1400", "0077", "another-machine")
    assert told["config"] == 6


def doit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "doit", *arguments],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_bytes_in_other_surroundings(session: Session, imager: str) -> None:
    assert imager
    done = doit(ROOT, "reproduce", "--step", "uki")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    varied = [
        line.split()[0]
        for line in lines
        if line.split()[:1] and line.split()[0] in {v.name for v in VARIATIONS}
    ]
    assert varied == [variation.name for variation in VARIATIONS]
    assert any(line.startswith("planted to see whether it is found: step uki:") for line in lines)
    made = session.builder.result(
        next(s for s in session.images["truthdb-installer"] if s.name == "uki:truthdb-installer")
    )
    assert made
    assert made.outputs["TruthDBInstaller.efi"].sha256 in {line.split()[-1] for line in lines if line}


LEAKS = {
    "clock": ("str(int(time.time()) // 86400)", "PE section .osrel"),
    "order": (
        "','.join(sorted(ctx.inputs, key=lambda n: ctx.inputs[n].stat().st_ctime_ns))",
        "PE section .osrel",
    ),
    "hashseed": ("str(hash('x'))", "PE section .osrel"),
}


@pytest.mark.parametrize("variation", LEAKS)
def test_a_leak_is_found_and_named(imager: str, tmp_path: Path, variation: str) -> None:
    leak, where = LEAKS[variation]
    copy = tmp_path / "checkout"
    copy_sources(ROOT, copy)
    (copy / ".venv").symlink_to(sys.prefix)
    source = copy / "pipeline/steps/uki.py"
    text = source.read_text()
    assert "ctx.params['os_release']}" in text
    text = text.replace("ctx.params['os_release']}", f"ctx.params['os_release'] + {leak}}}").replace(
        "import re\n", "import re\nimport time\n"
    )
    source.write_text(text)
    done = doit(copy, "reproduce", "--step", "uki:truthdb-installer", "--vary", variation, "--diffoscope")
    assert done.returncode == 1, done.stdout + done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("not the same: ")]
    assert len(told) == 1
    assert told[0].startswith(f"not the same: step uki:truthdb-installer, TruthDBInstaller.efi: {where}")
    report = copy / "artifacts/reproduce/truthdb-installer/diffoscope.txt"
    assert ".osrel" in report.read_text() or "TruthDBInstaller.efi" in report.read_text()
    kept = copy / "artifacts/reproduce/truthdb-installer/second/uki-truthdb-installer/TruthDBInstaller.efi"
    assert kept.is_file()
    assert BUILD not in done.stdout
