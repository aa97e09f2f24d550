"""Whether pinned files can still be downloaded: from servers that have them, have not, or know no HEAD."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.cli import lock_pins
from pipeline.cli.lock_pins import Pin, check_pins, nowhere, pins
from pipeline.project.checkout import Project, load
from pipeline.report import Report
from pipeline.store.cache import Store
from pipeline.store.download import lacks
from tests.fixtures import checkout
from tests.fixtures.artifact_server import CONTENT

SIZE = len(CONTENT)


class Handler(BaseHTTPRequestHandler):
    """/200/8000 is a file of 8000 bytes, /404/0 none; /302/x leads to /200/8000, /405/206 knows GET alone."""

    asked: list[str] = []  # noqa: RUF012  # of one test

    def do_HEAD(self) -> None:
        self.asked.append(self.path)
        _, status, size = self.path.split("/")
        self.send_response(int(status))
        if status == "302":
            self.send_header("Location", f"/200/{SIZE}")
        elif size:
            self.send_header("Content-Length", size)
        self.end_headers()

    def do_GET(self) -> None:
        self.asked.append(str(self.headers["Range"]))
        self.send_response(int(self.path.rpartition("/")[2]))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def heads() -> Iterator[str]:
    Handler.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with contextlib.closing(server.socket):
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (f"/200/{SIZE}", ""),
        ("/200/", ""),
        ("/302/0", ""),
        ("/200/7", f"has 7 bytes, not {SIZE}"),
        ("/404/0", "HTTP 404 Not Found"),
        ("/503/0", "HTTP 503 Service Unavailable"),
    ],
)
def test_a_server_is_asked_for_the_head_alone(heads: str, path: str, said: str) -> None:
    assert lacks(heads + path, SIZE, threading.Event()) == said


@pytest.mark.parametrize(
    ("status", "said"),
    [(206, ""), (404, "HTTP 404 Not Found"), (503, "HTTP 503 Service Unavailable")],
)
def test_one_that_knows_no_head_is_asked_for_the_last_byte(heads: str, status: int, said: str) -> None:
    assert lacks(f"{heads}/405/{status}", SIZE, threading.Event()) == said
    assert Handler.asked == [f"/405/{status}", f"bytes={SIZE - 1}-"]


def test_a_server_that_is_not_there() -> None:
    assert "Connection refused" in lacks("http://127.0.0.1:9/", 1, threading.Event())


def test_a_file_is_looked_for_at_each_source(heads: str) -> None:
    stopped = threading.Event()
    urls = (f"{heads}/503/0", f"{heads}/404/0", f"{heads}/200/{SIZE}", f"{heads}/200/1")
    assert nowhere(Pin("x", SIZE, urls), stopped) == ""
    assert Handler.asked == ["/503/0", "/503/0", "/404/0", f"/200/{SIZE}"]
    assert nowhere(Pin("x", SIZE, urls[:2]), stopped) == (
        f"\n    {heads}/503/0: HTTP 503 Service Unavailable\n    {heads}/404/0: HTTP 404 Not Found"
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr("pipeline.debian.mirrors._apt_uris", lambda _: ())
    monkeypatch.delenv("INSTALLER_ISO_DEBIAN_MIRROR", raising=False)
    return load(checkout.write(tmp_path))


def test_every_pin_of_the_locks_and_the_manifest_is_asked_for_once(project: Project) -> None:
    project.locks["rust"] = replace(project.locks["rust"], packages=project.locks["imager"].packages)
    found = list(pins(project, []))
    assert [pin.what for pin in found] == [
        "Debian package coreutils 1-1",
        "Debian package xorriso 1-1",
        "Debian package gcc 1-1",
        "Debian package linux-source-6.12 1-1",
        "Debian package apt 1-1",
        "Debian package busybox-static 1-1",
        "manifests/manifest.toml: artifacts.a-program",
    ]
    archive = "https://snapshot.example/archive/debian/20261121T000000Z"
    assert found[0].urls == (f"{archive}/pool/main/c/coreutils/coreutils_1-1_amd64.deb",)
    assert [pin.what for pin in pins(project, ["initramfs"])] == ["Debian package busybox-static 1-1"]


def test_a_container_s_pins_are_those_for_all_its_architectures(project: Project) -> None:
    found = load(checkout.for_arm64(project.root, "rust"))
    files = [pin.urls[-1].rpartition("/")[2] for pin in pins(found, ["rust"])]
    assert files == ["cargo-web_1-1_amd64.deb", "cargo-web_1-1_arm64.deb"]
    assert list(pins(found, ["rust.arm64"])) == list(pins(found, ["rust"]))[1:]


def test_what_no_source_has_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        lock_pins, "nowhere", lambda pin, _: "\n    there: HTTP 404" if "gcc" in pin.what else ""
    )
    assert check_pins(project, [], Report(), threading.Event()) is False
    assert "Debian package gcc 1-1: no source has it:\n    there: HTTP 404\n" in capsys.readouterr().out
    assert check_pins(project, ["imager"], Report(), threading.Event()) is True
    assert capsys.readouterr().out.endswith("all 2 pinned files can still be downloaded\n")


def test_who_interrupts_waits_for_no_source(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_pin: Pin, _stopped: threading.Event) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(lock_pins, "nowhere", interrupted)
    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        check_pins(project, [], Report(), store.stopped)
    assert store.stopped.is_set()
