"""Where credentials go: to the scheme, host and port that they were given for, however a server redirects."""

import contextlib
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.store.registry import Registry
from pipeline.store.remote import small
from tests.fixtures import certificates

GIVEN = {"Authorization": "Bearer given"}
NETRC = "Basic bWU6c2VjcmV0"  # me:secret


@dataclass
class Place:
    """A server that sends on who asks for /to/URL, and what it was told by whom."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Place]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place.asked.append(self.headers.get("Authorization", ""))
            there = self.path.removeprefix("/to/")
            self.send_response(200 if there == self.path else 307)
            self.send_header("Location", there)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    place = Place(f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}")
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield place
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def plain() -> Iterator[Place]:
    with serving() as place:
        yield place


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A server with TLS, whose authority is known."""
    names = ("authority", "certificate", "key")
    for name, data in zip(names, certificates.loopback(), strict=True):
        (tmp_path / name).write_bytes(data)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    with serving(context) as place:
        yield place


@pytest.fixture(autouse=True)
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = (f"machine {host} login me password secret\n" for host in ("127.0.0.1", "localhost"))
    (tmp_path / "netrc").write_text("".join(entries))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.mark.parametrize(
    ("headers", "sent"), [(GIVEN, "Bearer given"), (None, NETRC), ({}, "")], ids=["given", "netrc", "none"]
)
def test_where_a_redirect_takes_credentials(
    headers: Mapping[str, str] | None, sent: str, plain: Place, secure: Place
) -> None:
    def asked(first: Place, *urls: str) -> list[str]:
        for place in (plain, secure):
            place.asked.clear()
        assert small(f"{first.url}/to/" + "/to/".join(urls), threading.Event(), headers) == b""
        return [*first.asked, *(other.asked if first is not other else [])]

    for first, other in ((plain, secure), (secure, plain)):
        assert asked(first, "/here") == [sent, sent]
        assert asked(first, f"{first.url}/here") == [sent, sent]
        assert asked(first, f"{other.url}/here") == [sent, ""]
        assert asked(first, other.url, f"{first.url}/here") == [sent, "", ""]
    assert asked(plain, plain.url.replace("127.0.0.1", "localhost") + "/here") == [sent, ""]


def test_another_port_is_another_place(plain: Place) -> None:
    with serving() as other:
        assert small(f"{plain.url}/to/{other.url}/here", threading.Event()) == b""
    assert (plain.asked, other.asked) == ([NETRC], [""])


def test_a_registry_s_credentials_are_docker_s_alone(
    plain: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    registry = Registry(plain.url.replace("http", "oci+http") + "/team", threading.Event())
    assert registry.headers() == {}
    with contextlib.suppress(Exception):
        registry._token(f'Bearer realm="{plain.url}/token"', {})
    assert plain.asked == ["", ""]
