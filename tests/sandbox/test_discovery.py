"""Which engine is found, and what a user is told where none is."""

import os
import socket
import ssl
import subprocess
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.sandbox import discovery
from pipeline.sandbox.docker import EngineError
from tests.fixtures import certificates

START = "start Docker or Podman (`systemctl --user start podman.socket`), or set DOCKER_HOST"
JOIN = "let this user use the engine (`sudo usermod -aG docker $USER`, then log in again)"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DOCKER_HOST", "CONTAINER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path


def test_where_engines_listen(home: Path) -> None:
    assert discovery.candidates() == [
        "unix:///var/run/docker.sock",
        f"unix://{home}/run/docker.sock",
        f"unix://{home}/.docker/run/docker.sock",
        f"unix://{home}/.colima/default/docker.sock",
        f"unix://{home}/.rd/docker.sock",
        f"unix://{home}/run/podman/podman.sock",
        "unix:///run/podman/podman.sock",
    ]


def test_where_engines_listen_for_a_user_without_a_home(homeless: None) -> None:
    found = discovery.candidates()
    assert found[0] == "unix:///var/run/docker.sock"
    assert not any("~" in address for address in found)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("tcp://[x", "Invalid IPv6 URL"),
        ("tcp://localhost:99999", "Port out of range 0-65535"),
    ],
)
def test_an_address_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, address: str, reason: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineError) as caught:
        discovery.connect()
    assert caught.value.message == f"no container engine answers:\n    {address}: {reason}"


@pytest.mark.parametrize(
    ("variable", "value", "folder"),
    [("DOCKER_TLS_VERIFY", "1", "~/.docker"), ("DOCKER_CERT_PATH", "/nowhere", "/nowhere")],
)
def test_tls_without_certificates_is_told(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, folder: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(EngineError) as caught:
        discovery.connect()
    assert str(caught.value) == (
        f"the engine is to be asked through TLS, and '{folder}' lacks cert.pem, key.pem or ca.pem\n"
        "  hint: set DOCKER_CERT_PATH to the folder that has them, or unset it and DOCKER_TLS_VERIFY"
    )


class Version(BaseHTTPRequestHandler):
    """Says what an engine says first."""

    def do_GET(self) -> None:
        data = b'{"ApiVersion": "1.41", "Version": "20.10", "Os": "linux", "Arch": "amd64"}'
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


def test_an_engine_is_trusted_by_its_own_certificates_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("ca.pem", "cert.pem", "key.pem")
    for name, data in zip(names, certificates.loopback(), strict=True):
        (tmp_path / name).write_bytes(data)
    web = tmp_path / "web.pem"
    web.write_bytes(certificates.loopback()[0])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Version)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(web))
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
    try:
        assert discovery.connect().describe().startswith("Docker 20.10 (linux/amd64) at tcp://127.0.0.1:")
        (tmp_path / "ca.pem").write_bytes(web.read_bytes())
        with pytest.raises(EngineError, match="certificate verify failed"):
            discovery.connect()
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name", ["DOCKER_HOST", "CONTAINER_HOST"])
def test_one_that_is_named_is_the_only_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "tcp://127.0.0.1:1")
    assert discovery.candidates() == ["tcp://127.0.0.1:1"]
    with pytest.raises(EngineError) as caught:
        discovery.connect()
    assert caught.value.message == ("no container engine answers:\n    tcp://127.0.0.1:1: Connection refused")
    assert caught.value.hint == START


def test_all_that_was_tried_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "there.sock"
    with socket.socket(socket.AF_UNIX) as nobody_listens:
        nobody_listens.bind(str(path))
    tried = [f"unix://{home}/none.sock", f"unix://{path}"]
    monkeypatch.setattr(discovery, "candidates", lambda: tried)
    with pytest.raises(EngineError) as caught:
        discovery.connect()
    assert caught.value.message.splitlines() == [
        "no container engine answers:",
        f"    {tried[0]}: no such socket",
        f"    {tried[1]}: Connection refused",
    ]


def test_no_right_to_use_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "docker.sock"
    path.touch()
    monkeypatch.setattr(discovery, "candidates", lambda: [f"unix://{path}"])
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(EngineError) as caught:
        discovery.connect()
    assert caught.value.message == (
        f"no container engine answers:\n    unix://{path}: this user has no right to use it"
    )
    assert caught.value.hint == JOIN


def test_a_folder_that_this_user_cannot_look_into(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_path: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(discovery, "candidates", lambda: ["unix:///run/podman/podman.sock"])
    monkeypatch.setattr(Path, "stat", closed)
    with pytest.raises(EngineError) as caught:
        discovery.connect()
    assert caught.value.message == (
        "no container engine answers:\n    unix:///run/podman/podman.sock: this user has no right to use it"
    )
    assert caught.value.hint == START


@pytest.mark.parametrize(
    ("variable", "address", "loaded"),
    [
        ("DOCKER_HOST", "unix:///x", False),
        ("DOCKER_HOST", "", False),
        ("DOCKER_HOST", "ssh://there", True),
        ("CONTAINER_HOST", "ssh://there", True),
    ],
)
def test_what_speaks_ssh_is_loaded_for_it_alone(variable: str, address: str, *, loaded: bool) -> None:
    program = "import sys, pipeline.sandbox.discovery; print(bool(sys.modules.get('paramiko')))"
    env = {name: value for name, value in os.environ.items() if not name.endswith("_HOST")}
    said = subprocess.run(
        [sys.executable, "-c", program], env=env | {variable: address}, capture_output=True, check=True
    )
    assert said.stdout.split() == [str(loaded).encode()]
