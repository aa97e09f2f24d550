"""Where stories happen, before anything has happened there."""

from pathlib import Path

import pytest

from pipeline.acceptance.lab import Stage
from pipeline.vm.machine import Firmware


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
