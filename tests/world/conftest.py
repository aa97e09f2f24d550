"""What the tests of this folder share: one gathering of files and of what others say of them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.sandbox.docker import Engine
from tests.fixtures.specimens import unpack
from tests.fixtures.world import World, gather


@pytest.fixture(scope="session")
def real(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The specimens, by name."""
    return unpack(session, tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="session")
def world(
    session: Session, engine: Engine, real: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> World:
    """All files, and what all tools say."""
    return gather(session, real, tmp_path_factory.mktemp("world"))
