"""The part of the benchmark that is about whole systems, without building one."""

import contextlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, cast

import pytest

from pipeline.build.session import Session
from pipeline.cli import bench_mkosi, bench_systems
from pipeline.cli.bench_edits import Checkout, Figure
from pipeline.cli.bench_mkosi import OWNER, files_for, mkosi_seconds
from pipeline.cli.bench_systems import NAME, forget, systems
from pipeline.debian.lock import SetIntent
from pipeline.report import Report
from pipeline.sandbox.docker import Job
from pipeline.sandbox.run import StepError
from tests.conftest import ROOT
from tests.fixtures.deb import control, deb

IMAGE = "truthdb-installer"


class Copied:
    """Copies of the checkout: what is asked of doit there is noted, and leaves files of these sizes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder / "copy", list[str]()

    @contextlib.contextmanager
    def __call__(self, _session: Session, image: str) -> Iterator[Checkout]:
        for name in ("recipes", "roots", "containers", "manifests", "programs"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).symlink_to(ROOT / name)
        (self.folder / "recipes").unlink()
        (self.folder / "recipes").mkdir()
        for each in (ROOT / "recipes").iterdir():
            (self.folder / "recipes" / each.name).symlink_to(each)
        yield Noting(self.folder, image, self.asked)


class Noting(Checkout):
    """A copy in which nothing is built."""

    def __init__(self, folder: Path, image: str, asked: list[str]) -> None:
        super().__init__(folder, image)
        self.asked = asked

    def doit(self, *arguments: str) -> float:
        edited = self.folder / f"recipes/{NAME}/root/etc/edited"
        self.asked.append(" ".join([*arguments, *(["edited"] if edited.exists() else [])]))
        assert not self.artifacts.exists() or edited.exists()  # it is made, not found to be there
        self.artifacts.mkdir(parents=True, exist_ok=True)
        (self.artifacts / "root.erofs").write_bytes(bytes(40))
        (self.artifacts / "Host.efi").write_bytes(bytes(12))
        return float(len(self.asked))


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copied:
    made = Copied(tmp_path)

    def forgotten(session: Session) -> None:
        made.asked.append(f"forget {session.root.name}")

    monkeypatch.setattr(bench_systems, "copied", made)
    monkeypatch.setattr(bench_systems, "forget", forgotten)
    monkeypatch.setattr(bench_systems, "mkosi_seconds", lambda *_: 12.0)
    return made


def test_a_system_is_made_of_nothing_then_edited(session: Session, copy: Copied) -> None:
    with_none = replace(session.project, recipes={IMAGE: session.project.recipes[IMAGE]})
    measured = cast(Session, SimpleNamespace(project=with_none))
    assert list(systems(measured, IMAGE)) == [
        Figure("a system, from packages to its disk", 3, "seconds"),
        Figure("a file of its root changed, to the disk", 4, "seconds"),
        Figure(f"size of the root of {NAME}", 40, "bytes"),
        Figure(f"size of the UKI of {NAME}", 12, "bytes"),
        Figure("the same root by mkosi, on a disk without UKI, ESP and /var", 12, "seconds"),
        Figure("ratio of the two", 0.25, "times"),
    ]
    assert copy.asked == [f"image {NAME}", "forget copy", f"image {NAME}", f"image {NAME} edited"]
    assert (copy.folder / f"recipes/{NAME}/splash.bmp").is_file()


def test_a_project_without_its_sets_or_mkosi(
    session: Session, copy: Copied, capsys: pytest.CaptureFixture[str]
) -> None:
    project = replace(session.project, recipes={IMAGE: session.project.recipes[IMAGE]})
    without = replace(project, set_locks={"bare": project.set_locks["bare"]})
    measured = cast(Session, SimpleNamespace(project=without, report=Report()))
    assert list(systems(measured, IMAGE)) == []
    assert capsys.readouterr().out == "no system is measured: there is no set roots/initramfs.toml\n"
    alone = replace(project, locks={})
    figures = list(systems(cast(Session, SimpleNamespace(project=alone)), IMAGE))
    assert [figure.unit for figure in figures] == ["seconds", "seconds", "bytes", "bytes"]


def test_systems_of_the_project_are_measured_by_what_is_there(
    session: Session, copy: Copied, tmp_path: Path
) -> None:
    with copy(session, NAME) as made:
        bench_systems._write_recipe(made, ROOT / f"recipes/{IMAGE}/splash.bmp")
        recipe = Session(made.folder, Report()).project.recipes[NAME]
    results: dict[str, dict[str, object]] = {
        "virtio-blk": {"way": "virtio-blk", "accel": "tcg", "seconds": {"greeting on serial": 60.0}},
        "ahci": {"way": "ahci", "accel": "tcg", "seconds": {"EFI program": 2.0}},
    }
    for name, result in results.items():
        path = tmp_path / "artifacts/mine/boot-test" / name / "result.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(result))
    (tmp_path / "artifacts/mine/Host.efi").write_bytes(bytes(7))
    assert list(bench_systems._of_project(tmp_path, {"mine": recipe, "none": recipe})) == [
        Figure("size of the UKI of mine", 7, "bytes"),
        Figure("power-on to login of mine, virtio-blk, tcg", 60, "seconds"),
    ]


def test_what_is_forgotten_is_the_recipes_own(session: Session, copy: Copied) -> None:
    with copy(session, NAME) as made:
        bench_systems._write_recipe(made, ROOT / f"recipes/{IMAGE}/splash.bmp")
        measured = Session(made.folder, Report())
    names = list[str]()
    store = SimpleNamespace(forget=names.append)
    # what a step takes of another one has no digest any more, once that is forgotten
    lost = {True: None}
    builder = SimpleNamespace(
        key=lambda step: lost.get(any(need.name in names for need in step.needs()), step.name)
    )
    given = SimpleNamespace(plans=measured.plans, store=store, builder=builder)
    forget(cast(Session, given))
    assert sorted(names) == sorted(
        [
            f"root:{NAME}",
            f"filesystem:{NAME}:root",
            f"verity:{NAME}:root",
            f"modules:{NAME}",
            f"initramfs:{NAME}",
            f"uki:{NAME}",
            f"filesystem:{NAME}:var",
            f"filesystem:{NAME}:esp",
            f"disk:{NAME}",
            f"disk:{NAME}:qcow2",
        ]
    )


def test_mkosi_gets_an_archive_of_exactly_these_packages(tmp_path: Path) -> None:
    package = tmp_path / "x"
    package.write_bytes(deb([], said=control("x", "1.0") + "Depends: y\n"))
    texts, pool = files_for(["x", "y"], {"x.deb": package})
    assert pool == {"archive/pool/x.deb": package}
    index = texts["archive/dists/trixie/main/binary-amd64/Packages"]
    assert index.startswith("Package: x\nSource: other\nVersion: 1.0\nArchitecture: amd64\n")
    assert "\nDepends: y\n" in index
    assert f"\nFilename: pool/x.deb\nSize: {package.stat().st_size}\nSha256: " in index
    assert f" {len(index)} main/binary-amd64/Packages\n" in texts["archive/dists/trixie/Release"]
    assert "\nPackages=x,y\n" in texts["conf/mkosi.conf"]
    assert texts["conf/mkosi.repart/20-root.conf"].startswith("[Partition]\nType=root\n")


class Container:
    """What an engine gives: it keeps what it was given, and says what mkosi said."""

    def __init__(self, **said: str) -> None:
        self.said, self.job, self.names = said, Job("", (), ()), list[str]()

    @contextlib.contextmanager
    def __call__(self, job: Job, files: IO[bytes]) -> Iterator["Container"]:
        self.job = job
        with tarfile.open(fileobj=files) as tar:
            self.names = tar.getnames()
            assert {(each.uid, each.gid) for each in tar} == {(OWNER, OWNER)}
        yield self

    def start(self) -> None:
        pass

    def wait(self) -> dict[str, int]:
        return {"StatusCode": 0}

    def get_archive(self, path: str) -> tuple[list[bytes], dict[str, Any]]:
        assert path == "/build/mkosi/said"
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for name, text in self.said.items():
                info = tarfile.TarInfo(f"said/{name}")
                info.size = len(text)
                tar.addfile(info, io.BytesIO(text.encode()))
        return [data.getvalue()], {}


def measured_by(session: Session, container: Container, monkeypatch: pytest.MonkeyPatch) -> float:
    containers = SimpleNamespace(engine=SimpleNamespace(container=container), image=lambda *_: "sha256:0")
    monkeypatch.setattr(bench_mkosi, "download", lambda packages, *_: [ROOT / "doit" for _ in packages])
    monkeypatch.setattr(bench_mkosi, "index_of", lambda _: "")
    given = SimpleNamespace(containers=containers, project=session.project, store=session.store)
    intent = session.project.all_intents["bare"]
    assert isinstance(intent, SetIntent)
    return mkosi_seconds(cast(Session, given), intent, session.project.set_locks["bare"])


def test_mkosi_is_timed_without_network_or_rights(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    container = Container(log="", status="0\n", seconds="100.5\n112.0\n")
    assert measured_by(session, container, monkeypatch) == 11.5
    assert (container.job.namespaces, container.job.network) == (True, False)
    assert {"mkosi/conf/mkosi.conf", "mkosi/said", "mkosi/archive/pool/udev.deb"} <= set(container.names)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"log": "a\nforbidden\n", "status": "1\n", "seconds": "1\n2\n"}, "mkosi failed:\na\nforbidden"),
        ({}, "mkosi failed:\nit did not start"),
    ],
)
def test_mkosi_that_fails(
    session: Session, monkeypatch: pytest.MonkeyPatch, said: dict[str, str], told: str
) -> None:
    with pytest.raises(StepError) as caught:
        measured_by(session, Container(**said), monkeypatch)
    assert caught.value.message == told
