"""Caches elsewhere that are good, lie, truncate, stall and redirect: only the right bytes enter the store."""

import contextlib
import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.store import remote, reply
from pipeline.store.cache import Blob, Store
from pipeline.store.download import fetch
from pipeline.store.envelope import Claim, seal
from pipeline.store.places import remote_of
from pipeline.store.remote import Folder, Remotes, Web
from pipeline.store.reply import FetchError, StoppedError
from tests.fixtures.artifact_server import CONTENT, WRONG, Server
from tests.fixtures.caches import KEY, STRANGER, blob_of, public, put, served

BLOB = Blob(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
WANTED = f"expected 8000 bytes, SHA-256 {BLOB.sha256}"
CLAIM = Claim("1" * 64, {"made": BLOB}, 1.5)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(reply, "CHUNK", 1000)


class Place:
    """A store, and what is said of the caches that it asks."""

    def __init__(self, root: Path) -> None:
        self.said: list[str] = []
        self.remotes = Remotes(note=self.said.append)
        self.store = Store(root / "cache", lambda: self.remotes)

    def ask(self, *names: str) -> None:
        remotes = [remote_of(name, Path("/"), self.store.stopped) for name in names]
        self.remotes = Remotes(remotes, [public(KEY)], self.said.append)

    def fetch(self, blob: Blob = BLOB) -> bytes:
        return fetch(self.store, blob, (), "it").read_bytes()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    "behaviour", ["good", "slow", "redirect", "cut", "wrong-once", "busy-once", "claims-more"]
)
def test_a_server_that_gives_it_in_the_end(behaviour: str, thread_server: str, place: Place) -> None:
    place.ask(Server(thread_server).url(behaviour))
    assert (place.fetch(), place.said, place.remotes.taken) == (CONTENT, [], 8000)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("wrong", f"{WANTED}, got SHA-256 {hashlib.sha256(WRONG).hexdigest()}"),
        ("long", f"{WANTED}, got more than 8000 bytes"),
        ("stuck", "IncompleteRead(3000 bytes read, 5000 more expected)"),
        ("busy", "HTTP 503 Service Unavailable"),
        ("circle", "Exceeded 30 redirects."),
    ],
)
def test_a_server_that_fails_or_lies_is_left_for_the_next_and_not_asked_again(
    behaviour: str, reason: str, thread_server: str, place: Place
) -> None:
    bad, good = Server(thread_server), Server(thread_server)
    place.ask(bad.url(behaviour), good.url("good"))
    assert place.fetch() == CONTENT
    assert place.said == [f"the cache {bad.url(behaviour)} is not asked any more: {reason}"]
    asked = bad.requests()
    with pytest.raises(FetchError):
        place.fetch(blob_of(b"other"))
    assert bad.requests() == asked


@pytest.mark.parametrize("location", ["http://[oops", f"http://a.{'b' * 70}.c/", "http://*bad/"])
def test_one_that_sends_people_to_no_url(location: str, place: Place) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(302)
            self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with contextlib.closing(server.socket):
        url = f"http://127.0.0.1:{server.server_port}"
        place.ask(url)
        assert not place.remotes.offers(BLOB)
        server.shutdown()
    assert place.said[0].startswith(f"the cache {url} is not asked any more: ")


def test_one_that_trickles(thread_server: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply, "WINDOW", 0.3)
    for behaviour in ("trickle", "trickle-headers"):
        url = Server(thread_server).url(behaviour)
        place.ask(url)
        assert behaviour == "trickle" or not place.remotes.offers(BLOB)
        with pytest.raises(FetchError, match="no source is known for it"):
            place.fetch()
        assert place.said.pop() == (
            f"the cache {url} is not asked any more: sent less than 131.1 kB in 0.3 seconds"
        )
        assert place.said == []


def test_one_that_lacks_it_is_asked_again(thread_server: str, place: Place) -> None:
    server = Server(thread_server)
    place.ask(server.url("missing"))
    for _ in range(2):
        with pytest.raises(FetchError):
            place.fetch()
    assert not place.remotes.offers(BLOB)
    assert (len(server.requests()), place.said) == (3, [])


def test_the_urls_of_a_pin_come_after_the_caches(thread_server: str, place: Place) -> None:
    cache, pin = Server(thread_server), Server(thread_server)
    place.ask(cache.url("missing"))
    assert fetch(place.store, BLOB, [pin.url("good")], "it").read_bytes() == CONTENT
    assert len(cache.requests()) == len(pin.requests()) == 1


def test_what_one_cut_off_another_completes(thread_server: str, place: Place) -> None:
    other = Server(thread_server)
    place.ask(Server(thread_server).url("stuck"), other.url("good"))
    assert place.fetch() == CONTENT
    assert other.requests() == [f"good/blobs/{BLOB.sha256} bytes=3000-"]


def test_nobody_listens(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    place.ask(url)
    assert not place.remotes.offers(BLOB)
    assert place.said == [f"the cache {url} is not asked any more: [Errno 111] Connection refused"]


def test_a_process_that_is_stopped_blames_no_cache(thread_server: str, place: Place) -> None:
    place.ask(Server(thread_server).url("good"))
    place.store.stopped.set()
    with pytest.raises(StoppedError, match="stopped"):
        place.fetch()
    with pytest.raises(StoppedError, match="stopped"):
        place.remotes.offers(BLOB)
    assert place.said == []


@pytest.mark.parametrize("behaviour", ["good", "busy-once", "redirect", "busy"])
def test_whether_a_server_offers_it(behaviour: str, thread_server: str, place: Place) -> None:
    place.ask(Server(thread_server).url(behaviour))
    assert place.remotes.offers(BLOB) == (behaviour != "busy")
    assert bool(place.said) == (behaviour == "busy")


def test_what_is_no_record_is_none_and_a_long_one_is_not_read(
    thread_server: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = Server(thread_server).url("good")
    place.ask(url)
    assert (place.remotes.claim("1" * 64), place.said) == (None, [])
    monkeypatch.setattr(remote, "MOST", 100)
    assert place.remotes.claim("1" * 64) is None
    assert place.said == [f"the cache {url} is not asked any more: a claim of more than 100 bytes"]


@pytest.mark.parametrize("kind", ["folder", "web"])
def test_a_folder_and_what_a_web_server_makes_of_it(kind: str, place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "others"
    put(folder, CONTENT)
    (folder / "results").mkdir()
    for key, signer in (("1", KEY), ("2", KEY), ("3", STRANGER)):  # the second is about another key
        (folder / f"results/{key * 64}.json").write_bytes(seal(CLAIM, signer))
    with served(folder) as (url, _):
        place.ask(url if kind == "web" else f"file:{folder}")
        assert place.remotes.offers(BLOB)
        assert not place.remotes.offers(blob_of(b"other"))
        assert place.fetch() == CONTENT
        found = {key: place.remotes.claim(key * 64) for key in "1234"}
        assert found == {"1": CLAIM, "2": None, "3": None, "4": None}
        place.remotes.keys = ()
        assert place.remotes.claim("1" * 64) is None
        with pytest.raises(FetchError):
            place.fetch(blob_of(b"other"))
    assert place.said == []


@pytest.mark.parametrize("data", [WRONG, CONTENT[:-1], CONTENT + b"more"])
def test_a_folder_that_lies(data: bytes, place: Place, tmp_path: Path) -> None:
    path = tmp_path / "others/blobs" / BLOB.sha256
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    place.ask(f"file:{tmp_path}/others")
    with pytest.raises(FetchError):
        place.fetch()
    said = f"the cache file:{tmp_path}/others is not asked any more: {path}: is not what its name says"
    assert place.said == [said]
    assert list((place.store.root / "tmp").iterdir()) == []


def test_a_folder_that_cannot_be_read(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    put(tmp_path / "others", CONTENT)
    place.ask(f"file:{tmp_path}/others")
    monkeypatch.setattr(Path, "is_file", refuse)
    assert not place.remotes.offers(BLOB)
    (said,) = place.said
    assert said.endswith(f"{tmp_path}/others/blobs/{BLOB.sha256}: Permission denied")


def test_a_full_disk_is_not_the_folder_s_fault(place: Place, tmp_path: Path) -> None:
    put(tmp_path / "others", CONTENT)
    folder = Folder("file:x", tmp_path / "others")
    with pytest.raises(PipelineError, match="cannot write: No space left on device"):
        folder.bring(BLOB, Path("/dev/full"), lambda _url, _headers=None: "")


def test_which_cache_a_name_stands_for(tmp_path: Path) -> None:
    stopped = threading.Event()
    assert remote_of("https://x.example/a/", tmp_path, stopped) == Web("https://x.example/a", stopped)
    for name in ("file:others", f"file:{tmp_path}/others", f"file://{tmp_path}/others"):
        assert remote_of(name, tmp_path, stopped) == Folder(name, tmp_path / "others")
