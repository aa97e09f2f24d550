"""Packages that are not what their lines in a lock say, and downloads that are stopped."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from pipeline.build.session import Session
from pipeline.debian import packages
from pipeline.debian.lock import Intent, Package
from pipeline.debian.mirrors import Mirror
from pipeline.errors import PipelineError
from pipeline.report import Report
from pipeline.sandbox import image
from pipeline.store.cache import Store
from tests.fixtures.artifact_server import Server
from tests.fixtures.checkout import lock_of
from tests.fixtures.deb import control, deb

WANTED = Package("gcc", "4:14.2.0-1", "debian", "pool/main/g/gcc_14.2.0-1_amd64.deb", 1, "a" * 64)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (control("gcc", "4:14.2.0-1"), ""),
        (control("gcc-old", "4:14.2.0-1"), "Package: 'gcc-old', not gcc"),
        (control("gcc", "4:13.2.0-1"), "Version: '4:13.2.0-1', not 4:14.2.0-1"),
        (control("gcc", "14.2.0-1"), "Version: '14.2.0-1', not 4:14.2.0-1"),
        (control("gcc", "4:14.2.0-1", "arm64"), "Architecture: 'arm64', not amd64"),
        (control("gcc", "4:14.2.0-1", "all"), "Architecture: 'all', not amd64"),
        ("Version: 4:14.2.0-1\n", "Package: None, not gcc"),
    ],
)
def test_a_package_is_what_its_line_says(tmp_path: Path, said: str, wrong: str) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(deb([("./usr/bin/gcc", b"")], said=said))
    if not wrong:
        packages.verify([WANTED], [path])
        return
    with pytest.raises(PipelineError) as caught:
        packages.verify([WANTED], [path])
    assert caught.value.message == f"Debian package gcc 4:14.2.0-1: its control file says {wrong}"


def test_the_use_of_an_image_is_noted(tmp_path: Path) -> None:
    store, lock = Store(tmp_path / "cache"), lock_of("rust", Intent("", ()))
    engine = Mock(image_id=Mock(return_value="sha256:x"))
    assert image.ensure(engine, store, lock, (), lambda *_: None) == "sha256:x"
    assert store.unused_images(older_than=-60) == {lock.layer[:16]}
    assert store.unused_images(older_than=60) == set()


def until(there: Callable[[], bool]) -> None:
    limit = time.monotonic() + 10
    while not there():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_downloads_end_with_the_program_and_none_begins(
    thread_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    session, server = Session(tmp_path, Report()), Server(thread_server)
    stalls = replace(WANTED, archive="trickle-headers", path=server.token)
    wanted = [replace(stalls, sha256=f"{number:064x}") for number in range(3 * packages.DOWNLOADS)]
    said: list[str] = []

    def build() -> None:
        try:
            packages.download(wanted, [Mirror(thread_server, "toy")], session.store, lambda *_: None)
        except PipelineError as error:
            said.append(error.message)

    thread = threading.Thread(target=build, daemon=True)
    thread.start()
    until(lambda: len(server.requests()) == packages.DOWNLOADS)
    session.stop()
    thread.join(5)
    assert (said, len(server.requests())) == (["stopped"], packages.DOWNLOADS)


def test_who_waits_for_another_process_ends_with_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    session, said = Session(tmp_path, Report()), list[str]()

    def build() -> None:
        try:
            with session.store.lock("x", waiting.set):
                said.append("had it")
        except PipelineError as error:
            said.append(error.message)

    waiting = threading.Event()
    thread = threading.Thread(target=build, daemon=True)
    with Store(session.store.root).lock("x"):
        thread.start()
        assert waiting.wait(5)
        session.stop()
        thread.join(5)
        assert said == ["stopped"]
