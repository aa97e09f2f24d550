"""One archive of all inputs: of a toy project, whose cache has them."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli import vendor
from pipeline.debian.lock import Package
from pipeline.errors import PipelineError
from pipeline.plan.step import Source, Step
from pipeline.project.manifest import Artifact
from pipeline.report import Report
from pipeline.store.cache import Blob, Result, Store
from pipeline.store.inputs import INDEX
from tests.fixtures import checkout
from tests.fixtures.packages import toy_package


def stored(store: Store, data: bytes) -> Blob:
    with store.scratch() as folder:
        (folder / "file").write_bytes(data)
        return store.add(folder / "file")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a run on a checkout whose one step takes the network, and whose inputs the cache has."""
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(tmp_path))
    package, _ = toy_package(tmp_path / "cache")
    package = replace(package, path="pool/toy_1%2bb1_amd64.deb")
    session = Session(checkout.write(tmp_path / "checkout"), Report())
    fetched = Step(
        "crates:toy", "Fetch.", {"text": Source(session.root / "doit")}, ("crates.tar",), network=True
    )
    (session.root / "doit").touch()
    pin = stored(session.store, b"program")
    locked = (replace(session.project.locks["rust"], packages=(package,)),) * 2
    project = replace(
        session.project,
        locks=dict(zip("ab", locked, strict=True)),
        set_locks={},
        manifest=replace(
            session.project.manifest,
            artifacts={"toy": Artifact(pin.sha256, pin.size, url="https://127.0.0.1:9/toy")},
            payload={"own": Artifact("0" * 64, 1, path="vendor/own")},
        ),
    )
    vars(session).update(project=project, plans={"toy": (fetched,)})
    key = session.builder.key(fetched)
    assert key
    made = {"crates.tar": stored(session.store, b"crates")}
    session.store.record(key, Result(made, 1.0, ""))
    vars(session)["builder"] = replace(session.builder, locked={key: made})
    wheel = {"one-1-py3-none-any.whl": stored(session.store, b"wheel")}
    monkeypatch.setattr(vendor, "wheels", lambda *_: wheel)
    return session


def test_it_holds_every_input_once_and_is_the_same_again(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.vendor(session, ["first.tar"])
    said = capsys.readouterr().out
    assert said.endswith(
        "first.tar: 4 files, 10.2 kB\n  to build from it:  ./doit iso --offline --inputs first.tar\n"
    )
    vendor.vendor(session, [str(tmp_path / "again.tar")])
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "again.tar").read_bytes()
    with tarfile.open(tmp_path / "first.tar") as tar:
        index = tar.extractfile(INDEX)
        assert index
        members = json.load(index)["members"]
        assert tar.getnames() == [INDEX, *(each["path"] for each in members)]
    assert {each["path"]: each["what"] for each in members} == {
        "debian/pool/toy_1+b1_amd64.deb": "Debian package toy 1",
        "pinned/artifacts.toy": "https://127.0.0.1:9/toy",
        "steps/crates-toy/crates.tar": "crates.tar of step crates:toy",
        "wheels/one-1-py3-none-any.whl": "Python package",
    }


def test_what_a_step_fetches_has_to_be_locked(session: Session, tmp_path: Path) -> None:
    vars(session)["builder"] = replace(session.builder, locked={})
    with pytest.raises(PipelineError) as caught:
        vendor.vendor(session, ["x.tar"])
    assert str(caught.value) == (
        "step crates:toy: manifests/outputs.lock.json does not say what it makes of the present inputs\n"
        "  hint: without that no archive is trusted: build, then run `./doit lock outputs`"
    )
    assert not (tmp_path / "x.tar").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], f"vendor takes one file, got 0\n  hint: {vendor.USAGE}"),
        (["a", "b"], f"vendor takes one file, got 2\n  hint: {vendor.USAGE}"),
        (["checkout"], f"checkout: is a folder\n  hint: name the file to write: {vendor.USAGE}"),
        (["no/x.tar"], "no/x.tar: there is no folder {here}/no\n  hint: make it first"),
    ],
)
def test_what_it_is_not_called_with(
    session: Session, tmp_path: Path, arguments: list[str], said: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        vendor.vendor(session, arguments)
    assert str(caught.value) == said.replace("{here}", str(tmp_path))


def test_a_package_that_nobody_has(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Package("gone", "1", "debian", "pool/gone.deb", 1, "b" * 64)
    lock = replace(session.project.locks["a"], packages=(gone,))
    vars(session)["project"] = replace(session.project, locks={"a": lock})
    monkeypatch.setattr("pipeline.project.checkout.Project.sources", lambda _: [])
    with pytest.raises(PipelineError, match=r"^download of Debian package gone 1 failed:"):
        vendor.vendor(session, ["x.tar"])
    assert not (tmp_path / "x.tar").exists()
