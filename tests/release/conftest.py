from pathlib import Path

import pytest

from pipeline.build.session import Session
from tests.fixtures.release_contents import built


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A run on a small checkout of which everything is built."""
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    return built(tmp_path)
