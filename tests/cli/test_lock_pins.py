"""Whether pinned files can still be downloaded: from servers that have them, have not, or know no HEAD."""

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.cli import crates, lock_pins
from pipeline.cli.crates import crate_urls
from pipeline.cli.lock_pins import Pin, cargo_locks, check_pins, nested_locks, nowhere, pins
from pipeline.debian import lock
from pipeline.errors import ConfigError
from pipeline.project.checkout import Project, load
from pipeline.report import Report
from pipeline.store.cache import Store
from pipeline.store.download import Lack, lacks
from pipeline.store.reply import FetchError
from tests.fixtures import checkout
from tests.fixtures.artifact_server import CONTENT
from tests.fixtures.caches import served

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
        (f"/200/{SIZE}", None),
        ("/200/", None),
        ("/302/0", None),
        ("/200/7", Lack(f"has 7 bytes, not {SIZE}", final=True)),
        ("/404/0", Lack("HTTP 404 Not Found", final=True)),
        ("/429/0", Lack("HTTP 429 Too Many Requests", final=False)),
        ("/503/0", Lack("HTTP 503 Service Unavailable", final=False)),
    ],
)
def test_a_server_is_asked_for_the_head_alone(heads: str, path: str, said: Lack | None) -> None:
    assert lacks(heads + path, SIZE, threading.Event()) == said


def test_a_file_whose_size_no_lock_knows(heads: str) -> None:
    assert lacks(f"{heads}/200/7", None, threading.Event()) is None
    assert lacks(f"{heads}/405/200", None, threading.Event()) is None
    assert lacks(f"{heads}/404/0", None, threading.Event()) == Lack("HTTP 404 Not Found", final=True)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (206, None),
        (404, Lack("HTTP 404 Not Found", final=True)),
        (503, Lack("HTTP 503 Service Unavailable", final=False)),
    ],
)
def test_one_that_knows_no_head_is_asked_for_the_last_byte(
    heads: str, status: int, said: Lack | None
) -> None:
    assert lacks(f"{heads}/405/{status}", SIZE, threading.Event()) == said
    assert Handler.asked == [f"/405/{status}", f"bytes={SIZE - 1}-"]


def test_a_server_that_is_not_there() -> None:
    lack = lacks("http://127.0.0.1:9/", 1, threading.Event())
    assert lack
    assert ("Connection refused" in lack.reason, lack.final) == (True, False)


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
    found = list(pins(project, [], threading.Event()))
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
    assert [pin.what for pin in pins(project, ["initramfs"], threading.Event())] == [
        "Debian package busybox-static 1-1"
    ]


CARGO_LOCK = """\
version = 4
[[package]]
name = "toy"
version = "1.0.0"
[[package]]
name = "serde"
version = "1.0.2+x"
source = "registry+https://github.com/rust-lang/crates.io-index"
[[package]]
name = "other"
version = "2.0.0"
source = "git+https://example.org/other#0123"
"""


def index(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(text)
    monkeypatch.setattr(crates, "INDEX", f"{url}/config.json")


def test_crates_are_where_the_index_of_crates_io_says(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipes/toy/installer/Cargo.lock").write_text(CARGO_LOCK)
    with served(tmp_path / "index") as (url, _):
        index(
            tmp_path / "index", json.dumps({"dl": "https://crates.example/c", "api": "x"}), monkeypatch, url
        )
        found = list(pins(project, [], threading.Event()))
        assert [pin for pin in found if pin.what.startswith("crate ")] == [
            Pin("crate serde 1.0.2+x", None, ("https://crates.example/c/serde/1.0.2+x/download",))
        ]
        assert not any(pin.what.startswith("crate ") for pin in pins(project, ["imager"], threading.Event()))


@pytest.mark.parametrize("text", ["{", "[]", '{"api": "x"}', None])
def test_an_index_that_does_not_say_where_crates_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    (tmp_path / "Cargo.lock").write_text(CARGO_LOCK)
    with served(tmp_path / "index") as (url, _):
        index(tmp_path / "index", text or "", monkeypatch, url)
        if text is None:
            (tmp_path / "index/config.json").unlink()
        with pytest.raises(FetchError) as caught:
            crate_urls([tmp_path / "Cargo.lock"], threading.Event())
    assert caught.value.message == f"{url}/config.json: does not say where crates are"


def test_an_index_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Cargo.lock").write_text(CARGO_LOCK)
    monkeypatch.setattr(crates, "INDEX", "http://127.0.0.1:9/config.json")
    with pytest.raises(FetchError, match="Connection refused"):
        crate_urls([tmp_path / "Cargo.lock"], threading.Event())
    (tmp_path / "Cargo.lock").write_text("version = 4\n")  # of no crate, and nobody is asked
    assert crate_urls([tmp_path / "Cargo.lock"], threading.Event()) == {}


def git_knows(root: Path, *names: str) -> None:
    for command in (["init", "-q"], ["add", *names]):
        subprocess.run(["git", *command], cwd=root, check=True)


def test_locks_of_projects_in_folders_below_are_asked_for_too(project: Project, tmp_path: Path) -> None:
    inner = tmp_path / "tests/inner"
    checkout.write(inner)
    (inner / "setup").mkdir()
    (inner / "setup/Cargo.lock").write_text("version = 4\n")
    assert nested_locks(tmp_path) == []  # which is no checkout of git
    git_knows(tmp_path, "tests")
    assert {each.container for each in nested_locks(tmp_path)} == set(checkout.CONTAINERS)
    assert [path.relative_to(tmp_path).as_posix() for path in cargo_locks(project)] == [
        "recipes/toy/installer/Cargo.lock",
        "tests/inner/recipes/toy/installer/Cargo.lock",
        "tests/inner/setup/Cargo.lock",
    ]


def test_packages_of_a_lock_below_are_looked_for_at_its_own_snapshot(
    project: Project, tmp_path: Path
) -> None:
    place = tmp_path / "tests/inner"
    for folder in ("containers", "manifests"):
        (place / folder).mkdir(parents=True)
    (place / "containers/more.toml").touch()
    package = replace(project.locks["imager"].packages[0], name="more")
    newer = replace(project.locks["imager"], snapshot="20261126T000000Z", packages=(package,))
    lock.write(newer, place / lock.path_of("more"))
    git_knows(tmp_path, "tests")
    (found,) = (pin for pin in pins(project, [], threading.Event()) if "more" in pin.what)
    assert [url for url in found.urls if "20261126T000000Z" in url]
    (place / lock.path_of("more")).write_text("{}")
    with pytest.raises(ConfigError):
        list(pins(project, [], threading.Event()))


def test_a_container_s_pins_are_those_for_all_its_architectures(project: Project) -> None:
    found = load(checkout.for_arm64(project.root, "rust"))
    both, one = (list(pins(found, [name], threading.Event())) for name in ("rust", "rust.arm64"))
    files = [pin.urls[-1].rpartition("/")[2] for pin in both]
    assert files == ["cargo-web_1-1_amd64.deb", "cargo-web_1-1_arm64.deb"]
    assert one == both[1:]


def test_what_no_source_has_is_told(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = threading.Event()
    monkeypatch.setattr(
        lock_pins, "nowhere", lambda pin, _: "\n    there: HTTP 404" if "gcc" in pin.what else ""
    )
    assert check_pins(project, [], Report(), stopped) is False
    assert "Debian package gcc 1-1: no source has it:\n    there: HTTP 404\n" in capsys.readouterr().out
    assert check_pins(project, ["imager"], Report(), stopped) is True
    assert capsys.readouterr().out.endswith("all 2 pinned files can still be downloaded\n")


def test_wheels_that_are_not_to_be_had_are_told(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = threading.Event()
    monkeypatch.setattr(lock_pins, "nowhere", lambda *_: "")
    monkeypatch.setattr(lock_pins, "missing", lambda *_: ["one==1: none"])
    assert check_pins(project, [], Report(), stopped) is True  # it has no such lock
    (tmp_path / "requirements.lock").touch()
    assert check_pins(project, ["imager"], Report(), stopped) is True
    assert check_pins(project, [], Report(), stopped) is False
    said = "requirements.lock: the index has not all of it any more:\n    one==1: none\n"
    assert said in capsys.readouterr().out
    monkeypatch.setattr(lock_pins, "missing", lambda *_: [])
    assert check_pins(project, [], Report(), stopped) is True
    assert capsys.readouterr().out.endswith("all packages of requirements.lock can still be downloaded\n")


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
