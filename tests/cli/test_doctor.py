"""Examinations, each on a machine that is well and on one that is not."""

import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.build.session import Session
from pipeline.cli import doctor
from pipeline.cli.doctor import Answer, Mark
from pipeline.report import Report
from pipeline.sandbox.docker import EngineError
from tests.fixtures import checkout
from tests.fixtures.artifact_server import Server


@dataclass
class Engine:
    """What the engine says of itself, and which layers it has."""

    said: str = "x86_64"
    layers: tuple[str, ...] = ()
    warning: str = ""
    architecture: str = "amd64"

    def describe(self) -> str:
        return "Docker 28 (linux/amd64) at unix:///x"

    def image_id(self, _tag: str, layer: str, _architecture: str = "") -> str:
        return f"sha256:{layer}" if layer in self.layers else ""

    def machine(self, image: str) -> str:
        assert image.removeprefix("sha256:") in self.layers, "it is run by its ID"
        return self.said


class Disk(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache/deep"))
    return Session(checkout.write(tmp_path / "checkout"), Report(io.StringIO()))


def broken(session: Session) -> Session:
    (session.root / "recipes/toy/splash.bmp").unlink()
    return session


def use(monkeypatch: pytest.MonkeyPatch, engine: Engine | Exception) -> None:
    def connect() -> Any:
        if isinstance(engine, Exception):
            raise engine
        return engine

    monkeypatch.setattr(doctor, "connect", connect)


def test_python(session: Session) -> None:
    (answer,) = doctor.python(session)
    assert (answer.mark, answer.subject) == (Mark.GOOD, "Python")


def test_files(session: Session) -> None:
    assert list(doctor.files(session)) == [
        Answer(Mark.GOOD, "files", "1 recipes, 4 locked containers, 1 locked package sets")
    ]


def test_files_with_a_mistake(session: Session) -> None:
    mistake = "recipes/toy/recipe.toml: image.splash: there is no recipes/toy/splash.bmp"
    assert list(doctor.files(broken(session))) == [Answer(Mark.BAD, "files", mistake)]


def test_files_outside_a_project(tmp_path: Path) -> None:
    (answer,) = doctor.files(Session(tmp_path, Report()))
    assert (answer.mark, answer.found) == (Mark.FAIR, "no project is here")


def test_files_of_a_project_that_has_lost_its_manifest(session: Session) -> None:
    (session.root / "dodo.py").touch()
    (session.root / "manifests/manifest.toml").unlink()
    (answer,) = doctor.files(session)
    assert (answer.mark, answer.found) == (Mark.BAD, "manifests/manifest.toml: no such file")


FOUND = Answer(Mark.GOOD, "container engine", "Docker 28 (linux/amd64) at unix:///x")
NONE_LOADED = Answer(Mark.GOOD, "builder containers", "none loaded yet: the first build makes them")


@pytest.mark.parametrize(
    ("engine", "answers"),
    [
        (Engine(), [FOUND, NONE_LOADED]),
        (
            Engine(layers=("6" * 64, "4" * 64)),  # as long as their names
            [
                FOUND,
                Answer(Mark.GOOD, "builder containers", "imager, kernel, rust loaded; they run on x86_64"),
            ],
        ),
        (
            Engine("aarch64", ("4" * 64,)),
            [
                FOUND,
                Answer(
                    Mark.BAD,
                    "builder containers",
                    "they run on aarch64",
                    "use an engine that runs linux/amd64",
                ),
            ],
        ),
        (
            EngineError("none answers", "start one"),
            [Answer(Mark.BAD, "container engine", "none answers", "start one")],
        ),
    ],
)
def test_engine(
    session: Session, monkeypatch: pytest.MonkeyPatch, engine: Engine | Exception, answers: list[Answer]
) -> None:
    use(monkeypatch, engine)
    assert list(doctor.engine(session)) == answers


def test_an_engine_is_looked_for_also_when_files_have_mistakes(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Engine(layers=("4" * 64,)))
    assert list(doctor.engine(broken(session))) == [FOUND, NONE_LOADED]


@pytest.mark.parametrize(
    ("usable", "fault", "mark", "found"),
    [
        (True, "", Mark.GOOD, "/dev/kvm can be used by this user; a guest runs on it"),
        (True, None, Mark.GOOD, "/dev/kvm can be used by this user; the next boot test tries it"),
        (True, "opens, but is broken", Mark.FAIR, "/dev/kvm opens, but is broken"),
        (False, "", Mark.FAIR, "not for this user"),
    ],
)
def test_kvm(
    session: Session, monkeypatch: pytest.MonkeyPatch, usable: bool, fault: str | None, mark: Mark, found: str
) -> None:
    use(monkeypatch, Engine())
    vars(session.project)["locks"] = {"boot": session.project.lock_of("imager")}
    monkeypatch.setattr(doctor, "remembered", lambda *_: fault)
    monkeypatch.setattr(os, "access", lambda *_: usable)
    assert [(answer.mark, answer.found) for answer in doctor.kvm(session)] == [(mark, found)]


@pytest.fixture
def for_arm64(session: Session, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose container for machines is the imager, locked for arm64, too."""
    monkeypatch.setattr(doctor, "CONTAINER", "imager")
    checkout.for_arm64(session.root, "imager")
    return session


def test_a_container_for_two_architectures_is_one(
    for_arm64: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    (answer,) = doctor.files(for_arm64)
    assert answer.found == "1 recipes, 4 locked containers, 1 locked package sets"
    use(monkeypatch, Engine(layers=("a" * 64,), architecture="arm64"))
    assert list(doctor.engine(for_arm64)) == [FOUND, NONE_LOADED]  # only builds have to run on x86-64


def test_an_engine_for_which_machines_have_no_container(
    for_arm64: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Engine(architecture="riscv64"))
    *_, answer = doctor.engine(for_arm64)
    assert (answer.mark, answer.found) == (
        Mark.BAD,
        "containers/imager.toml: architectures: 'riscv64', the container engine's, is none of amd64, arm64",
    )


def test_the_kvm_of_another_architecture(for_arm64: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Engine(architecture="arm64"))
    monkeypatch.setattr(doctor, "remembered", lambda *_: "")
    monkeypatch.setattr(os, "access", lambda *_: True)
    assert [(answer.mark, answer.found) for answer in doctor.kvm(for_arm64)] == [
        (Mark.FAIR, "/dev/kvm is arm64's, and runs no x86-64 machine")
    ]


@pytest.mark.parametrize(("pages", "mark"), [(2**20, Mark.GOOD), (2**18, Mark.FAIR)])
def test_memory(session: Session, monkeypatch: pytest.MonkeyPatch, pages: int, mark: Mark) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": pages, "SC_PAGE_SIZE": 4096}.get)
    assert [answer.mark for answer in doctor.memory(session)] == [mark]


@pytest.mark.parametrize(
    ("free", "writable", "mark", "found"),
    [
        (9 * 10**9, True, Mark.GOOD, "{root}/cache/deep: 9.0 GB free"),
        (10**9, True, Mark.FAIR, "{root}/cache/deep: 1.0 GB free, a first build may need 8.0 GB"),
        (9 * 10**9, False, Mark.BAD, "{root} is not writable"),
    ],
)
def test_space(
    session: Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    writable: bool,
    mark: Mark,
    found: str,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(0, 0, free))
    monkeypatch.setattr(os, "access", lambda *_: writable)
    (answer,) = doctor.space(session)
    assert (answer.mark, answer.found) == (mark, found.format(root=tmp_path))


@dataclass
class Mirror:
    """A source that answers as a behaviour of the artifact server does."""

    server: Server
    behaviour: str
    origin: str = "toy"

    def url(self, _archive: str, _path: str) -> str:
        return self.server.url(self.behaviour)


def test_debian(session: Session, thread_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(thread_server)
    sources = [Mirror(server, "missing"), Mirror(server, "good")]
    monkeypatch.setattr(doctor, "_sources", lambda _: sources)
    assert list(doctor.debian(session)) == [
        Answer(Mark.GOOD, "Debian packages", f"from toy: {server.url('good')}")
    ]
    del sources[1]
    (answer,) = doctor.debian(session)
    assert (answer.mark, answer.found) == (Mark.BAD, f"{server.url('missing')}: HTTPError")


def test_debian_with_a_ca_bundle_that_is_not_there(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none")
    (answer,) = doctor.debian(session)
    assert (answer.mark, answer.found) == (Mark.BAD, "REQUESTS_CA_BUNDLE: there is no CA bundle /none")


def test_debian_with_a_mirror_that_is_no_url(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTALLER_ISO_DEBIAN_MIRROR", "http://[x")
    (answer,) = doctor.debian(session)
    assert (answer.mark, answer.found) == (Mark.BAD, "INSTALLER_ISO_DEBIAN_MIRROR: 'http://[x' is not a URL")


@pytest.mark.parametrize(("mark", "good"), [(Mark.GOOD, True), (Mark.FAIR, True), (Mark.BAD, False)])
def test_only_what_is_bad_fails(
    session: Session, monkeypatch: pytest.MonkeyPatch, mark: Mark, good: bool
) -> None:
    def one(_session: Session) -> Iterator[Answer]:
        yield Answer(mark, "x", "found", "do")

    monkeypatch.setattr(doctor, "EXAMINATIONS", (one,))
    assert doctor.examine(session) is good
    assert isinstance(session.report.file, io.StringIO)
    assert session.report.file.getvalue().endswith("hint: do\n")
