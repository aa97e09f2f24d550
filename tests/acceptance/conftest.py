"""Where stories happen, before anything has happened there."""

from pathlib import Path

import pytest

from pipeline.boot.stories import Lab
from pipeline.vm.machine import Firmware


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab of which nothing is there yet but its folders."""
    for name in ("out", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "variables.fd").write_bytes(b"as shipped")
    (tmp_path / "payload").write_bytes(b"the system")
    (tmp_path / "product").write_text('name = "TruthDB"\n')
    return Lab(
        inputs={name: tmp_path / name for name in ("iso", "installer", "payload", "product")},
        version="0.1.0",
        note=list[str]().append,
        firmware=Firmware(tmp_path / "code.fd", tmp_path / "variables.fd"),
        accel="tcg",
        out=tmp_path / "out",
        work=tmp_path / "work",
        port=1,
        seed=1,
    )
