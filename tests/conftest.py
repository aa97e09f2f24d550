"""What all tests share: golden files, tools that may be missing, and an artifact server in a container."""

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from pipeline.build.session import Session
from pipeline.project.checkout import Project
from pipeline.report import Report
from pipeline.sandbox.docker import Engine, EngineError
from tests.fixtures import artifact_server
from tests.fixtures.artifact_server import PORT, Server
from tests.fixtures.workshop import Workshop

pytest_plugins = [
    "tests.fixtures.machines",
    "tests.fixtures.stand_ins",
    "tests.fixtures.release_folder",
    "tests.fixtures.releasable",
]

TESTS = Path(__file__).parent
ROOT = TESTS.parent

Compare = Callable[[str, str], None]

os.environ.pop("FORCE_COLOR", None)  # a CI may set it; what has colours here is tried on a terminal


def lacking(what: str) -> NoReturn:
    """Skip the test on a laptop; fail it where CI is set."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite golden files, and fail the tests that did"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Compare:
    """Compare a text with a file of tests/golden."""

    def compare(name: str, text: str) -> None:
        path = TESTS / "golden" / name
        known = path.read_text(encoding="utf-8") if path.exists() else ""
        if text != known and request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
            pytest.fail(f"{path.relative_to(ROOT)} was rewritten: read what changed")
        assert text.splitlines() == known.splitlines()

    return compare


@pytest.fixture(scope="session")
def session() -> Session:
    """A run of the program on this checkout, with the cache that builds use."""
    return Session(ROOT, Report())


@pytest.fixture(scope="session")
def checkout(session: Session) -> Project:
    """This checkout's files, as they are."""
    return session.project


@pytest.fixture(scope="session")
def engine(session: Session) -> Engine:
    """The container engine of this machine."""
    try:
        return session.containers.engine
    except EngineError as error:
        lacking(str(error))


@pytest.fixture(scope="session")
def load(session: Session, engine: Engine) -> Callable[[str], str]:
    """Have a container's image loaded, and return its tag."""

    def tag(container: str) -> str:
        assert engine
        lock = session.project.lock_of(container)
        session.containers.image(lock, lambda *_: None)
        return lock.tag

    return tag


@pytest.fixture(scope="session")
def imager(load: Callable[[str], str]) -> str:
    """The tag of the container that makes images, loaded."""
    return load("imager")


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom nobody gave a home: no HOME, and no entry in the list of users."""

    def nobody(_user: int) -> NoReturn:
        raise KeyError

    for name in ("HOME", "DOCKER_HOST", "CONTAINER_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)


@pytest.fixture(scope="session")
def latin1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a terminal that reads ISO 8859-1, in a locale made here."""
    folder = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / "en_US.ISO-8859-1")]
    if shutil.which("localedef") is None or subprocess.run(command, capture_output=True).returncode:
        lacking("no locale can be made here: localedef or its sources are missing")
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1"}


@pytest.fixture
def workshop(session: Session, engine: Engine, tmp_path: Path) -> Workshop:
    """A place to run steps' functions in real containers."""
    assert engine
    (tmp_path / "workshop").mkdir()
    return Workshop(session, tmp_path / "workshop")


@pytest.fixture(scope="session")
def docker_compose_command() -> str:
    """`docker compose`, or its predecessor."""
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return "docker compose"
    if shutil.which("docker-compose"):
        return "docker-compose"
    lacking("neither docker compose nor docker-compose is there")


@pytest.fixture(scope="session")
def docker_setup() -> str:
    """Version 1 of compose has no --wait: the server is asked until it answers."""
    return "up -d"


@pytest.fixture(scope="session")
def docker_cleanup() -> str:
    return "down -v -t 0"


@pytest.fixture(scope="session")
def docker_compose_file(load: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The server's source is its command: nothing of this machine is mounted, so any engine will do."""
    source = Path(artifact_server.__file__).read_text(encoding="utf-8")
    service = {
        "image": load("resolver"),
        "command": ["/usr/bin/python3", "-c", source.replace("$", "$$")],
        "user": "1000:1000",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "ports": [f"127.0.0.1::{PORT}"],
    }
    path = tmp_path_factory.mktemp("compose") / "compose.yml"
    path.write_text(json.dumps({"services": {"artifacts": service}}))  # JSON is YAML
    return str(path)


@pytest.fixture(scope="session")
def thread_server() -> Iterator[str]:
    """The artifact server in this process: quick, and there without an engine."""
    with artifact_server.running() as url:
        yield url


@pytest.fixture(scope="session")
def container_server(request: pytest.FixtureRequest) -> str:
    """The artifact server in one of our own containers."""
    services = request.getfixturevalue("docker_services")
    url = f"http://{request.getfixturevalue('docker_ip')}:{services.port_for('artifacts', PORT)}"
    services.wait_until_responsive(lambda: Server(url).answers(), timeout=30, pause=0.05)
    return url


@pytest.fixture(params=["thread", pytest.param("container", marks=pytest.mark.container)])
def server(request: pytest.FixtureRequest) -> Server:
    """An artifact server, with a name of its own for what this test asks for."""
    url: str = request.getfixturevalue(f"{request.param}_server")
    return Server(url)
