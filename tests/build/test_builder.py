"""Inputs: where they lie, and what is said when they do not."""

import hashlib
import importlib
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from pipeline.build.builder import Builder
from pipeline.debian.mirrors import Mirror
from pipeline.errors import PipelineError
from pipeline.plan.step import LockedPackage, Pinned, Source, Step
from pipeline.report import Line
from pipeline.sandbox.run import StepError
from pipeline.store.cache import Blob, Result, Store
from tests.fixtures.artifact_server import CONTENT, Server
from tests.fixtures.packages import toy_package

DIGEST = hashlib.sha256(b"kernel").hexdigest()
BLOB = Blob(DIGEST, 6)


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(Store(tmp_path / "cache"), Mock())


def step(**inputs: Source | Pinned | LockedPackage) -> Step:
    return Step(name="toy", summary="", inputs=inputs, outputs=("made",), published={"made": 0o644})


def test_files_of_each_kind(builder: Builder, tmp_path: Path, thread_server: str) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"kernel")
    (tmp_path / "folder").mkdir()
    content = Blob(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    fetched = Pinned(content, "artifact 'x'", urls=(Server(thread_server).url("good"),))
    files = builder.files(
        step(
            a=Pinned(BLOB, "artifact 'k'", path=tmp_path / "vmlinuz"),
            b=fetched,
            c=Source(tmp_path / "vmlinuz"),
            d=Source(tmp_path / "folder"),
        ),
        Line.silent(),
    )
    assert list(files) == ["a", "b", "c"]
    assert files["a"] == files["c"] == tmp_path / "vmlinuz"
    assert files["b"].read_bytes() == CONTENT


def test_a_package_is_fetched_and_is_what_its_lock_says(builder: Builder, tmp_path: Path) -> None:
    package, file = toy_package(tmp_path / "cache")
    toy = step(a=LockedPackage(package, "manifests/x.lock.json"))
    assert builder.files(toy, Line.silent()) == {"a": file}
    assert builder.digest(toy.inputs["a"], "") == package.sha256
    other = LockedPackage(replace(package, name="other"), "manifests/x.lock.json")
    with pytest.raises(PipelineError, match="its control file says Package: 'toy', not other"):
        builder.files(step(a=other), Line.silent())


def test_a_package_comes_from_the_mirrors(tmp_path: Path, thread_server: str) -> None:
    package, file = toy_package(tmp_path / "cache")
    file.unlink()
    asked = []

    def mirrors() -> list[Mirror]:
        asked.append(thread_server)
        return [Mirror(thread_server, "test")]

    builder = Builder(Store(tmp_path / "cache"), Mock(), mirrors)
    builder.files(step(), Line.silent())
    assert asked == []  # to know them takes longer than doing nothing
    with pytest.raises(PipelineError, match="Debian package toy 1"):
        builder.files(step(a=LockedPackage(package, "x")), Line.silent())
    assert asked == [thread_server]


def test_a_pinned_file_that_is_not_there(builder: Builder, tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        builder.files(step(a=Pinned(BLOB, "artifact 'k'", path=tmp_path / "x")), Line.silent())
    assert str(caught.value) == (
        f"artifact 'k': there is no file {tmp_path}/x\n  hint: correct its path in manifests/manifest.toml"
    )


def test_a_pinned_file_that_is_another(builder: Builder, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"other")
    with pytest.raises(PipelineError) as caught:
        builder.files(step(a=Pinned(BLOB, "artifact 'k'", path=tmp_path / "x")), Line.silent())
    other = hashlib.sha256(b"other").hexdigest()
    assert str(caught.value) == (
        f"artifact 'k': {tmp_path}/x has 5 bytes and SHA-256 {other}, the manifest says 6 and {DIGEST}\n"
        "  hint: if the new file is the one you want, correct its pin in manifests/manifest.toml"
    )


def test_a_step_is_current_while_all_it_made_and_published_is_there(builder: Builder, tmp_path: Path) -> None:
    toy = step(a=Pinned(BLOB, "x"))
    folder = tmp_path / "artifacts"
    assert not builder.is_current(toy, folder)
    with builder.store.scratch() as scratch:
        (scratch / "made").write_bytes(b"made")
        blob = builder.store.add(scratch / "made")
    builder.store.record(builder.key(toy) or "", Result({"made": blob}, 1, toy.checks_digest()))
    assert not builder.is_current(toy, folder)
    builder.store.copy(blob, folder / "made", 0o644)
    assert builder.is_current(toy, folder)
    (folder / "made").write_bytes(b"mad?")
    assert not builder.is_current(toy, folder)
    builder.store.copy(blob, folder / "made", 0o644)
    (builder.store.root / "blobs" / blob.sha256).unlink()
    assert not builder.is_current(toy, folder)


def test_a_key_is_computed_once_a_run(builder: Builder, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    toy = step(a=Source(tmp_path / "x"))
    key = builder.key(toy)
    (tmp_path / "x").write_text("y")
    assert builder.key(toy) == key != builder.key_now(toy)
    assert builder.source(Source(tmp_path / "x"), "").size == 1


def test_modules_are_read_once_a_run(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "read_once.py").write_text("def build(context):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "read_once", raising=False)
    toy = replace(step(), run=importlib.import_module("read_once").build)
    key = builder.key(toy)
    (tmp_path / "read_once.py").write_text("def build(context):\n    return 1\n")
    assert builder.key(replace(toy, name="other")) == key
    assert key not in (None, builder.key_now(toy))
    with pytest.raises(StepError, match="its inputs changed while they were read"):
        builder.expect_read(toy, {})
