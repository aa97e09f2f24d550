"""Which source packages an image consists of, and their files in the archive."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.cli import sources
from pipeline.plan.step import Step
from pipeline.report import Line, Report
from pipeline.store.inputs import Member
from pipeline.store.reply import FetchError
from tests.fixtures import checkout


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, {("toy", "1-1")}),
        ({"source": "game"}, {("game", "1-1")}),
        ({"source": "game (2:3-1)"}, {("game", "2:3-1")}),
        ({"source": "a mistake, indeed"}, {("toy", "1-1")}),
        (
            {
                "built-using": "glibc (= 2.41-12), gcc-14 (= 14.2.0-19)",
                "static-built-using": "zlib (= 1:1.3-1)",
            },
            {("toy", "1-1"), ("glibc", "2.41-12"), ("gcc-14", "14.2.0-19"), ("zlib", "1:1.3-1")},
        ),
    ],
)
def test_what_a_package_was_built_from(said: dict[str, str], found: set[tuple[str, str]]) -> None:
    assert sources.sources_of(checkout.package("toy"), said) == found


@pytest.mark.parametrize(
    ("name", "linked"),
    [
        ("systemd-boot-efi", True),
        ("musl-dev", True),
        ("libgcc-14-dev", True),
        ("rust-web-src", True),
        ("rust-src", True),
        ("systemd-boot", False),
        ("rustc-web", False),
    ],
)
def test_what_steps_put_into_images(name: str, linked: bool) -> None:
    assert bool(sources.LINKED.fullmatch(name)) is linked


def test_the_files_lie_in_a_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    session = Session(checkout.write(tmp_path / "checkout"), Report())
    asked = []

    def apt(step: Step, _builder: Any, out: Path, *_: object, **__: object) -> None:
        asked.append(step.params["wanted"])
        part = {"archive": "debian", "path": "pool/b/busybox_1%2bb1.orig.xz", "size": 3, "sha256": "c" * 64}
        (out / "sources.json").write_text(json.dumps({"busybox=1-1": [part], "busybox=1-2": [part]}))

    monkeypatch.setattr(sources, "run_uncached", apt)
    monkeypatch.setattr(sources, "download", lambda packages, *_: packages)
    monkeypatch.setattr(
        sources, "control", lambda package: {"source": "busybox"} if "busybox" in package.name else {}
    )
    monkeypatch.setattr(sources, "fetch", lambda _store, _blob, urls, _what: Path(urls[-1]))
    found = sources.source_files(session, Line.silent())
    assert asked == [[("busybox", "1-1")]]
    name = "busybox_1+b1.orig.xz"  # as a .dsc has it; both revisions share it
    wanted = Member(f"sources/debian/pool/b/{name}", 3, "c" * 64, f"source file {name}")
    assert list(found) == [wanted]
    assert str(found[wanted]).endswith(
        "snapshot.example/archive/debian/20261121T000000Z/pool/b/busybox_1%2bb1.orig.xz"
    )


@pytest.mark.parametrize("path", ["pool/b/busybox_1.orig.tar.gz.asc", "pool/b/busybox_1.orig.tar.gz"])
def test_a_signature_that_no_mirror_has_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    session = Session(checkout.write(tmp_path / "checkout"), Report())

    def apt(_step: Step, _builder: Any, out: Path, *_: object, **__: object) -> None:
        part = {"archive": "debian", "path": path, "size": 3, "sha256": "c" * 64}
        (out / "sources.json").write_text(json.dumps({"busybox=1-1": [part]}))

    def fetch(*_: object) -> Path:
        raise FetchError("gone")

    monkeypatch.setattr(sources, "run_uncached", apt)
    monkeypatch.setattr(sources, "download", lambda packages, *_: packages)
    monkeypatch.setattr(sources, "control", lambda _: {})
    monkeypatch.setattr(sources, "fetch", fetch)
    if path.endswith(".asc"):
        assert sources.source_files(session, Line.silent()) == {}
    else:
        with pytest.raises(FetchError):
            sources.source_files(session, Line.silent())
