"""What apt resolved, on this side: dates, strictness, and a lock of it."""

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import containers, project, resolve
from pipeline.errors import ConfigError
from pipeline.formats import layer
from pipeline.lock import Lock, Package
from pipeline.report import Line, Report
from pipeline.store import Store
from pipeline.surroundings import Surroundings
from tests.fixtures import checkout
from tests.fixtures.deb import deb


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return Surroundings(Store(tmp_path / "cache"), ())


def test_nothing_is_locked_without_the_resolver(tmp_path: Path) -> None:
    root = checkout.write(tmp_path)
    found = replace(project.load(root), locks={})
    with pytest.raises(ConfigError) as caught:
        resolve._step(found, ["imager"])
    assert caught.value.mistakes == ["manifests/resolver.lock.json: is missing or broken"]


def test_packages_are_read_as_strictly_as_a_lock(tmp_path: Path) -> None:
    good = {
        "name": "gcc",
        "version": "1",
        "archive": "debian",
        "path": "pool/x.deb",
        "size": 1,
        "sha256": "a" * 64,
    }
    path = tmp_path / "toy.json"
    path.write_text(json.dumps([good]))
    assert resolve.read_packages(path) == (Package("gcc", "1", "debian", "pool/x.deb", 1, "a" * 64),)
    path.write_text(json.dumps([good | {"size": 0}, good | {"sha256": "a"}]))
    with pytest.raises(ConfigError) as caught:
        resolve.read_packages(path)
    assert caught.value.mistakes == [
        "toy.json: size: 0: Input should be greater than 0",
        "toy.json: sha256: 'a' is not a SHA-256 digest (64 hex digits)",
    ]


def test_containers_that_are_not_there(tmp_path: Path, around: Surroundings) -> None:
    found = project.load(checkout.write(tmp_path / "checkout"))
    with pytest.raises(ConfigError) as caught:
        resolve.make_locks(found, around, ["imager", "x", "y"], Report())
    assert str(caught.value) == (
        "x: there is no containers/x.toml\n"
        "y: there is no containers/y.toml\n"
        "  hint: known: imager, kernel, resolver, rust"
    )


def test_the_lock_names_the_layer_that_its_packages_make(tmp_path: Path, around: Surroundings) -> None:
    found = project.load(checkout.write(tmp_path / "checkout"))
    image = deb([("./usr/bin/toy", b"toy", 0o755)])
    blob = tmp_path / "cache/blobs" / hashlib.sha256(image).hexdigest()
    blob.parent.mkdir(parents=True)
    blob.write_bytes(image)
    package = Package("toy", "1", "debian", "pool/toy.deb", len(image), blob.name)
    intent = found.intents["imager"]
    made = resolve.lock_for(found, around, "imager", (package,), Line.silent())
    expected = layer.write(
        [blob],
        io.BytesIO(),
        epoch=checkout.EPOCH,
        folders=containers.FOLDERS,
        files=containers.FILES,
        links={},
    )
    assert made == Lock("imager", intent.digest(), checkout.SNAPSHOT, expected, {}, (), (package,))
