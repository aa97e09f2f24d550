"""Packages that are not what their lines in a lock say."""

from pathlib import Path

import pytest

from pipeline import containers
from pipeline.errors import PipelineError
from pipeline.lock import Package
from tests.fixtures.deb import control, deb

WANTED = Package("gcc", "4:14.2.0-1", "debian", "pool/main/g/gcc_14.2.0-1_amd64.deb", 1, "a" * 64)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (control("gcc", "4:14.2.0-1"), ""),
        (control("gcc", "4:14.2.0-1", "all"), ""),
        (control("gcc-old", "4:14.2.0-1"), "Package: 'gcc-old', not gcc"),
        (control("gcc", "4:13.2.0-1"), "Version: '4:13.2.0-1', not 4:14.2.0-1"),
        (control("gcc", "14.2.0-1"), "Version: '14.2.0-1', not 4:14.2.0-1"),
        (control("gcc", "4:14.2.0-1", "arm64"), "Architecture: 'arm64', not amd64 or all"),
        ("Version: 4:14.2.0-1\n", "Package: None, not gcc"),
    ],
)
def test_a_package_is_what_its_line_says(tmp_path: Path, said: str, wrong: str) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(deb([("./usr/bin/gcc", b"")], said=said))
    if not wrong:
        containers.verify([WANTED], [path])
        return
    with pytest.raises(PipelineError) as caught:
        containers.verify([WANTED], [path])
    assert caught.value.message == f"Debian package gcc 4:14.2.0-1: its control file says {wrong}"
