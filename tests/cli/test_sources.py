"""Which source packages an image consists of, and their files in the archive."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.build.session import Session
from pipeline.cli import sources
from pipeline.debian.packages import WAY_OUT
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


@dataclass
class Archive:
    """A session whose sources are `b_N` and a signature, and what of them was asked for; some are gone."""

    session: Session
    gone: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)

    def fetch(self, _store: object, _blob: object, _urls: object, what: str) -> Path:
        self.asked.append(what.removeprefix("source file "))
        if self.asked[-1] in self.gone:
            raise FetchError(f"download of {what} failed")
        return Path(self.asked[-1])


FILES = ("b_1.dsc", "b_1.orig.tar.gz", "b_1.orig.tar.gz.asc", "b_1.debian.tar.xz")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))

    def apt(_step: Step, _builder: Any, out: Path, *_: object, **__: object) -> None:
        parts = [
            {"archive": "debian", "path": f"pool/{name}", "size": 3, "sha256": str(number) * 64}
            for number, name in enumerate(FILES)
        ]
        (out / "sources.json").write_text(json.dumps({"b=1": parts}))

    found = Archive(Session(checkout.write(tmp_path / "checkout"), Report()))
    monkeypatch.setattr(sources, "run_uncached", apt)
    monkeypatch.setattr(sources, "download", lambda packages, *_: packages)
    monkeypatch.setattr(sources, "control", lambda _: {})
    monkeypatch.setattr(sources, "fetch", found.fetch)
    return found


def test_a_signature_that_no_mirror_has_is_left_out(archive: Archive) -> None:
    archive.gone = ("b_1.orig.tar.gz.asc",)
    found = sources.source_files(archive.session, Line.silent())
    wanted = [f"sources/debian/pool/{name}" for name in FILES if name not in archive.gone]
    assert [each.path for each in found] == wanted


def test_all_that_no_mirror_has_are_named_once_the_others_are_fetched(archive: Archive) -> None:
    archive.gone = ("b_1.dsc", "b_1.orig.tar.gz.asc", "b_1.debian.tar.xz")
    with pytest.raises(FetchError) as caught:
        sources.source_files(archive.session, Line.silent())
    assert str(caught.value) == (
        "no source has 2 of the source files, all others are in the cache:\n"
        "  download of source file b_1.dsc failed\n"
        "  download of source file b_1.debian.tar.xz failed\n"
        f"  hint: {WAY_OUT}"
    )
    assert archive.asked == list(FILES)


def test_nothing_more_is_asked_for_once_it_is_stopped(archive: Archive) -> None:
    archive.gone = FILES
    archive.session.store.stopped.set()
    with pytest.raises(FetchError):
        sources.source_files(archive.session, Line.silent())
    assert archive.asked == ["b_1.dsc"]
