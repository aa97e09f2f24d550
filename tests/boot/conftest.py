"""The scenario of a boot test on a machine whose QEMU and tesseract are stand-ins."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.boot import drive
from pipeline.boot.boot_test import Scenario
from pipeline.boot.drive import Greeting
from pipeline.vm import session
from pipeline.vm.machine import CODE, VARIABLES, Firmware

MakeScenario = Callable[..., Scenario]


@pytest.fixture
def make_scenario(tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> MakeScenario:
    """Make a scenario out of what the medium's machine does."""
    monkeypatch.setattr(drive, "TICK", 0.005)
    monkeypatch.setattr(session, "SETTLE", 0.02)
    for name in (CODE, VARIABLES, "out", "work"):
        path = tmp_path / name
        path.mkdir() if "." not in name else path.write_bytes(b"as shipped")

    def make(timeout: float = 10, **medium: Any) -> Scenario:
        (tmp_path / "iso").write_text(json.dumps(medium))
        return Scenario(
            media=dict.fromkeys(("iso", "uki", "disk"), tmp_path / "iso"),
            firmware=Firmware(tmp_path / CODE, tmp_path / VARIABLES),
            greeting=Greeting("Welcome", ("Welcome", "TruthDB", "0.1.0"), "q"),
            timeout=timeout,
            out=tmp_path / "out",
            work=tmp_path / "work",
            note=list[str]().append,
        )

    return make
