"""A cache in a real registry, Debian's, which has a password and a certificate of an authority of ours.

Its container is locked in `registry/`.
"""

import base64
import contextlib
import hashlib
import io
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli.push import push
from pipeline.errors import PipelineError
from pipeline.plan.step import Source, Step
from pipeline.report import Line
from pipeline.sandbox.docker import EngineError
from pipeline.store import registry
from pipeline.store.registry import LOG_IN
from tests.fixtures import certificates, docker_registry, own_locks
from tests.fixtures.artifact_server import CONTENT
from tests.fixtures.caches import KEY, public, write_key
from tests.fixtures.machines import MADE, Machine, have
from tests.fixtures.toy_step import Shop

PATIENCE = 300
"""Seconds until the registry listens."""

HTPASSWD = b"me:$2b$05$7v3NRhkkGyXkyO4BuwSwV.FHGytpzLhVzSKUGqf3R6J5zCvAE8mrG\n"
"""What bcrypt makes of `secret`."""


@dataclass(frozen=True)
class Server:
    """The registry: where it listens, and the certificate of who signed its own."""

    host: str
    authority: Path


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def server(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, found, port = tmp_path_factory.mktemp("registry"), own_locks.locked("registry"), free_port()
    names = ("authority", "certificate", "key", "htpasswd")
    for name, data in zip(names, (*certificates.loopback(), HTPASSWD), strict=True):
        (folder / name).write_bytes(data)
    containers = own_locks.containers(session, found)
    step = Step(
        name="registry",
        summary="",
        container=found,
        inputs={name: Source(folder / name) for name in names[1:]},
        outputs=(),
        params={"epoch": 0, "port": port},
        run=docker_registry.serve,
    )
    work = session.builder.work(step, Line.silent(), port=port)
    with own_locks.fetching("registry"):
        containers.image(found, Line.silent().progress)
    said, listens = list[str](), threading.Event()

    def hear(line: str) -> None:
        said.append(line)
        if docker_registry.LISTENS in line:
            listens.set()

    def serve() -> None:
        with contextlib.suppress(EngineError):  # as it is told to stop
            containers.run(work, folder, hear)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        if not listens.wait(PATIENCE):
            pytest.fail("\n".join(said))
        yield Server(f"127.0.0.1:{port}", folder / "authority")
    finally:
        containers.stop()
        thread.join()


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where docker's configuration is, with no password yet."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder / "config.json"


@pytest.fixture
def name(server: Server, login: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The registry as caches name it, its authority known, and logged in to."""
    for other in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # requests would heed them by itself
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
    log_in(login, server, "secret")
    return f"oci://{server.host}/team/iso"


def log_in(path: Path, server: Server, password: str) -> None:
    auth = base64.b64encode(f"me:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {server.host: {"auth": auth}}}))


def refused(machine: Machine, name: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        push(machine.session(), ["push", name], "")
    assert str(caught.value) == message


def asked(machine: Machine, screen: io.StringIO, name: str) -> str:
    """Return why a machine gives the cache up, which then builds all itself."""
    machine.ask(name, keys=(public(KEY),))
    have(machine, CONTENT)
    machine.build()
    assert machine.artifacts() == MADE
    (said,) = [line for line in screen.getvalue().splitlines() if name in line]
    return said.partition(f"the cache {name} is not asked any more: ")[2]


@pytest.mark.container
@pytest.mark.parametrize("large", [False, True])
def test_what_one_machine_pushes_another_takes(
    ours: Machine, theirs: Machine, shop: Shop, name: str, monkeypatch: pytest.MonkeyPatch, *, large: bool
) -> None:
    if large:
        monkeypatch.setattr(registry, "LARGE", 0)
    name += "-in-pieces" if large else ""
    write_key(ours.root / "key")
    push(ours.session(), ["push", name], "key")
    theirs.ask(name, keys=(public(KEY),))
    session = theirs.build()
    assert (theirs.artifacts(), shop.engine.runs, session.built) == (MADE, [], set())
    push(ours.session(), ["push", name], "key")  # all of it is there already


@pytest.mark.container
def test_a_password_that_is_wrong(
    ours: Machine, theirs: Machine, screen: io.StringIO, server: Server, name: str, login: Path
) -> None:
    log_in(login, server, "guess")
    nothing = hashlib.sha256(b"{}").hexdigest()
    refused(ours, name, f"{name}: does not take {nothing}: HTTP 401 Unauthorized\n  hint: {LOG_IN}")
    assert asked(theirs, screen, name) == "HTTP 401 Unauthorized"


@pytest.mark.container
def test_no_password(ours: Machine, theirs: Machine, screen: io.StringIO, name: str, login: Path) -> None:
    login.unlink()
    refused(ours, name, f"{name}: wants a name and a password\n  hint: {LOG_IN}")
    assert asked(theirs, screen, name) == "wants a name and a password"


@pytest.mark.container
def test_an_authority_that_nobody_knows(
    ours: Machine, theirs: Machine, screen: io.StringIO, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    told = "certificate verify failed: unable to get local issuer certificate"
    with pytest.raises(PipelineError) as caught:
        push(ours.session(), ["push", name], "")
    assert (caught.value.message.count(told), caught.value.hint) == (1, LOG_IN)
    assert told in asked(theirs, screen, name)
