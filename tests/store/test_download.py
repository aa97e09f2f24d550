"""Downloads from a server that behaves badly: in a thread, and in a container of ours."""

import hashlib
import socket
import threading
import time
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path

import certifi
import pytest
import requests

from pipeline.errors import PipelineError
from pipeline.store import download, reply
from pipeline.store.cache import Blob, Store
from pipeline.store.download import fetch
from pipeline.store.reply import FetchError, ca_bundle
from tests.fixtures.artifact_server import CONTENT, WRONG, Handler, Server

BLOB = Blob(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
WANTED = f"expected 8000 bytes, SHA-256 {BLOB.sha256}"
WRONG_SHA256 = hashlib.sha256(WRONG).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between attempts, which tests do not take."""
    taken: list[float] = []
    monkeypatch.setattr("time.sleep", taken.append)
    monkeypatch.setattr(reply, "CHUNK", 1000)  # what a connection that breaks may lose
    return taken


def had(store: Store) -> list[str]:
    """Everything in the cache but its locks."""
    files = (path for path in store.root.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(store.root)) for path in files if path.suffix != ".lock")


@dataclass(frozen=True)
class Row:
    """What a behaviour is asked for, until the artifact is there or, with `reason`, is given up."""

    behaviour: str
    asked: tuple[str, ...]
    reason: str = ""


ROWS = [
    Row("good", ("good",)),
    Row("slow", ("slow",)),
    Row("redirect", ("redirect", "good")),
    Row("cut", ("cut", "cut bytes=2000-", "cut bytes=4000-", "cut bytes=6000-")),
    Row("cut-no-ranges", ("cut-no-ranges", "cut-no-ranges bytes=3000-")),
    Row("cut-other-bytes", ("cut-other-bytes", "cut-other-bytes bytes=3000-", "cut-other-bytes")),
    Row("unsatisfiable", ("unsatisfiable", "unsatisfiable bytes=3000-", "unsatisfiable")),
    Row("claims-less", ("claims-less", *(f"claims-less bytes={n}-" for n in (4000, 6000, 7000, 7500, 7750)))),
    Row("wrong-once", ("wrong-once",) * 2),
    Row("busy-once", ("busy-once",) * 2),
    Row("wrong", ("wrong",) * 2, f"{WANTED}, got SHA-256 {WRONG_SHA256}"),
    Row("long", ("long",) * 2, f"{WANTED}, got more than 8000 bytes"),
    Row(
        "stuck",
        ("stuck", *("stuck bytes=3000-",) * 3),
        "IncompleteRead(3000 bytes read, 5000 more expected)",
    ),
    Row("claims-more", ("claims-more",)),  # all that the pin names came; the server's count is its own affair
    Row("missing", ("missing",), "HTTP 404 Not Found"),
    Row("busy", ("busy",) * 4, "HTTP 503 Service Unavailable"),
    Row("circle", ("circle",) * 31, "Exceeded 30 redirects."),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.behaviour)
def test_a_server_that_behaves_so(row: Row, server: Server, store: Store) -> None:
    url = server.url(row.behaviour)
    taken: list[int] = [0]
    if row.reason:
        with pytest.raises(FetchError) as caught:
            fetch(store, BLOB, [url], "artifact 'x'", taken.append)
        assert caught.value.message == f"download of artifact 'x' failed:\n    {url}: {row.reason}"
        assert caught.value.hint == "look at the network, the proxy and the CA settings for 127.0.0.1"
        assert not store.holds(BLOB)
    else:
        path = fetch(store, BLOB, [url], "artifact 'x'", taken.append)
        assert path.read_bytes() == CONTENT
        assert had(store) == [f"blobs/{BLOB.sha256}"]
    assert max(taken) <= BLOB.size  # whatever it goes on to send
    asked = server.requests()
    assert asked[: len(row.asked)] == list(row.asked)
    assert set(asked) <= {*row.asked} or row.behaviour == "claims-less"


@pytest.mark.parametrize("behaviour", ["trickle", "trickle-headers"])
def test_a_source_that_trickles_is_left_for_the_next(
    behaviour: str, thread_server: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply, "WINDOW", 0.3)
    monkeypatch.setattr(reply, "LEAST", 4000)
    server = Server(thread_server)
    started = time.monotonic()
    with pytest.raises(FetchError) as caught:
        fetch(store, BLOB, [server.url(behaviour)], "x")
    assert len(server.requests()) == 2
    assert f"{server.url(behaviour)}: sent less than 4.0 kB in 0.3 seconds" in caught.value.message
    path = fetch(store, BLOB, [server.url(behaviour), server.url("good")], "x")
    assert path.read_bytes() == CONTENT
    assert time.monotonic() - started < 10  # all of it takes 160 s, and 20 s
    assert had(store) == [f"blobs/{BLOB.sha256}"]


def test_a_slow_source_is_not_left_while_enough_comes(
    thread_server: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply, "LEAST", 2000)
    monkeypatch.setattr(reply, "WINDOW", 5)
    assert fetch(store, BLOB, [Server(thread_server).url("slow")], "x").read_bytes() == CONTENT


def test_one_that_stalls_is_asked_again_as_long_as_enough_came_before(
    thread_server: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply, "WINDOW", 0.3)
    for module in (reply, download):
        monkeypatch.setattr(module, "LEAST", 2000)
    server = Server(thread_server)
    assert fetch(store, BLOB, [server.url("stall")], "x").read_bytes() == CONTENT
    assert server.requests() == ["stall", *(f"stall bytes={start}-" for start in (2000, 4000, 6000))]


def test_attempts_that_bring_little_have_an_end(
    thread_server: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply, "CHUNK", 10)
    server = Server(thread_server)
    crumbs = server.url("crumbs")
    with pytest.raises(FetchError) as caught:
        fetch(store, BLOB, [crumbs], "x")
    assert f"{crumbs}: 30 attempts, the last: " in caught.value.message
    assert len(server.requests()) == 30


def test_files_of_one_source_come_over_one_connection(tmp_path: Path) -> None:
    connections: list[object] = []

    class Keeping(Handler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            connections.append(self.client_address)
            super().setup()

    with ThreadingHTTPServer(("127.0.0.1", 0), Keeping) as kept:
        threading.Thread(target=kept.serve_forever, daemon=True).start()
        for name in ("first", "second"):
            fetch(Store(tmp_path / name), BLOB, [f"http://127.0.0.1:{kept.server_port}/good/kept"], "x")
        kept.shutdown()
    assert (len(connections), Handler.asked["kept"]) == (1, ["/good/kept"] * 2)


def test_the_next_source_is_asked_and_all_are_named_when_none_has_it(server: Server, store: Store) -> None:
    missing, wrong, good = (server.url(name) for name in ("missing", "wrong", "good"))
    fetch(store, BLOB, [missing, wrong, good], "x")
    assert server.requests() == ["missing", "wrong", "wrong", "good"]
    other = Blob("0" * 64, 8000)
    with pytest.raises(FetchError) as caught:
        fetch(store, other, [missing, good], "Debian package x 1")
    assert caught.value.message == (
        "download of Debian package x 1 failed:\n"
        f"    {missing}: HTTP 404 Not Found\n"
        f"    {good}: expected 8000 bytes, SHA-256 {'0' * 64}, got SHA-256 {BLOB.sha256}"
    )


def test_no_source_at_all(store: Store) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(store, BLOB, [], "x")
    assert str(caught.value) == "download of x failed:\n    no source is known for it"


def test_pauses_grow_between_attempts(pauses: list[float], thread_server: str, store: Store) -> None:
    with pytest.raises(FetchError):
        fetch(store, BLOB, [Server(thread_server).url("busy")], "x")
    assert pauses == [0.4, 0.8, 1.6]


def test_nobody_listens(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/x"
    with pytest.raises(FetchError) as caught:
        fetch(store, BLOB, [url], "x")
    assert caught.value.message == f"download of x failed:\n    {url}: [Errno 111] Connection refused"


def test_the_good_blob_is_neither_asked_for_again_nor_replaced(server: Server, store: Store) -> None:
    first = fetch(store, BLOB, [server.url("good")], "x")
    place = first.stat()
    assert fetch(store, BLOB, [server.url("wrong")], "x") == first
    assert server.requests() == ["good"]
    assert (first.stat().st_ino, first.read_bytes()) == (place.st_ino, CONTENT)


def test_a_corrupt_blob_is_fetched_again(server: Server, store: Store) -> None:
    path = fetch(store, BLOB, [server.url("good")], "x")
    path.chmod(0o644)
    path.write_bytes(WRONG)
    fetch(store, BLOB, [server.url("good")], "x")
    assert path.read_bytes() == CONTENT
    assert server.requests() == ["good", "good"]


def test_a_part_that_was_complete_is_not_fetched_again(server: Server, store: Store) -> None:
    part = store.root / "tmp" / f"{BLOB.sha256}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert fetch(store, BLOB, [server.url("good")], "it").read_bytes() == CONTENT
    assert server.requests() == []


def test_a_part_that_a_killed_process_left_is_continued(server: Server, store: Store) -> None:
    part = store.root / "tmp" / f"{BLOB.sha256}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:5000])
    fetch(store, BLOB, [server.url("good")], "x")
    assert server.requests() == ["good bytes=5000-"]


def test_progress_counts_bytes_up_to_the_size(server: Server, store: Store) -> None:
    seen: list[int] = []
    fetch(store, BLOB, [server.url("cut")], "x", seen.append)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 8000)


def test_many_who_want_the_same_blob_download_it_once(server: Server, tmp_path: Path) -> None:
    def one() -> None:
        paths.append(fetch(Store(tmp_path / "cache"), BLOB, [server.url("slow")], "x"))

    paths: list[Path] = []
    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 4
    assert server.requests() == ["slow"]


def test_a_full_disk_is_not_the_server_s_fault(
    thread_server: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def refuse(path: Path, mode: str = "r", *args: object) -> object:
        if "b" in mode and mode[0] in "wa":
            raise OSError(28, "No space left on device", str(path))
        return opened(path, mode, *args)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PipelineError) as caught:
        fetch(store, BLOB, [Server(thread_server).url("good")], "x")
    part = store.root / "tmp" / f"{BLOB.sha256}.part"
    assert caught.value.message == f"{part}: cannot write: No space left on device"
    assert not store.holds(BLOB)


VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.mark.parametrize("name", VARIABLES)
def test_the_ca_bundle_that_the_environment_names(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for each in VARIABLES:
        monkeypatch.delenv(each, raising=False)
    assert ca_bundle() == certifi.where()
    monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    with pytest.raises(FetchError) as caught:
        ca_bundle()
    assert str(caught.value) == (
        f"{name}: there is no CA bundle {tmp_path}/ca.pem\n  hint: correct or unset it"
    )
    (tmp_path / "ca.pem").touch()
    assert ca_bundle() == f"{tmp_path}/ca.pem"


def test_proxies_and_ca_bundle_are_used(
    thread_server: str, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:3128")
    monkeypatch.setenv("no_proxy", "")
    seen: list[tuple[object, object]] = []
    send = requests.Session.send

    def spy(session: requests.Session, request: object, **kwargs: object) -> object:
        seen.append((kwargs["proxies"], kwargs["verify"]))
        return send(session, request, **(kwargs | {"proxies": {}}))  # type: ignore[arg-type]

    monkeypatch.setattr(requests.Session, "send", spy)
    fetch(store, BLOB, [Server(thread_server).url("good")], "x")
    proxies, verify = seen[0]
    assert isinstance(proxies, dict)
    assert proxies["http"] == "http://127.0.0.1:3128"
    assert verify == str(bundle)
