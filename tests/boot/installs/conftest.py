"""A machine whose QEMU is a stand-in, as stories find it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.boot.installs import play
from pipeline.boot.installs.guest import Disk, Guest
from pipeline.boot.installs.stage import Stage
from pipeline.boot.machine import Firmware

MakeGuest = Callable[..., Guest]


@pytest.fixture
def make_guest(tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> MakeGuest:
    """Make a machine out of what its medium says that it does."""
    monkeypatch.setattr(play, "TICK", 0.005)

    def make(port: int = 0, **medium: Any) -> Guest:
        image = tmp_path / "medium.iso"
        image.write_text(json.dumps(medium))
        return Guest(
            (Disk("medium", image, "cd"),), tmp_path / "code", tmp_path / "variables", "tcg", port=port
        )

    return make


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A stage of which nothing is there yet but its folders."""
    for name in ("out", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "variables.fd").write_bytes(b"as shipped")
    (tmp_path / "payload").write_bytes(b"the system")
    return Stage(
        iso=tmp_path / "medium.iso",
        installer=tmp_path / "truthdb-installer",
        payload=tmp_path / "payload",
        version="0.1.0",
        note=list[str]().append,
        firmware=Firmware(tmp_path / "code.fd", tmp_path / "variables.fd"),
        accel="tcg",
        out=tmp_path / "out",
        work=tmp_path / "work",
        port=1,
        seed=1,
    )
