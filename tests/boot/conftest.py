"""A machine whose QEMU and tesseract are stand-ins, driven by the real code from outside to inside."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.boot import drive
from pipeline.boot.machine import CODE, VARIABLES, Firmware
from pipeline.boot.scenario import Scenario

FAKE_QEMU = Path(__file__).with_name("fake_qemu.py")

MakeScenario = Callable[..., Scenario]


def install(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder first on PATH with QEMU and tesseract; a "screenshot" is the text that is on the screen."""
    folder = tmp_path / "bin"
    folder.mkdir()
    install(
        folder,
        "qemu-system-x86_64",
        f'exec {shlex.quote(sys.executable)} {shlex.quote(str(FAKE_QEMU))} "$@"\n',
    )
    install(folder, "tesseract", 'exec cat "$1"\n')
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


@pytest.fixture
def make_scenario(tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> MakeScenario:
    """Make a scenario out of what the medium's machine does."""
    monkeypatch.setattr(drive, "TICK", 0.005)
    monkeypatch.setattr(drive, "SETTLE", 0.02)
    for name in (CODE, VARIABLES, "out", "work"):
        path = tmp_path / name
        path.mkdir() if "." not in name else path.write_bytes(b"as shipped")

    def make(timeout: float = 10, **medium: Any) -> Scenario:
        (tmp_path / "iso").write_text(json.dumps(medium))
        return Scenario(
            medium=tmp_path / "iso",
            firmware=Firmware(tmp_path / CODE, tmp_path / VARIABLES),
            words=("Welcome", "TruthDB", "0.1.0"),
            timeout=timeout,
            out=tmp_path / "out",
            work=tmp_path / "work",
            note=list[str]().append,
        )

    return make
