"""Pins that go on: what is said of it, and what is written."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli import commands, lock, lock_update
from pipeline.cli.lock import Change, Consent, Resolved
from pipeline.debian.lock import AnyLock, Package
from pipeline.errors import PipelineError
from pipeline.project.checkout import Project, load
from pipeline.release.bom import licence_lock
from pipeline.report import Report
from tests.fixtures import checkout
from tests.fixtures.release_contents import package

NOW = "20270101T000000Z"
INDICES = {"debian/trixie": NOW}
LOCKED = {
    name: tuple(map(checkout.package, names)) for name, names in (checkout.CONTAINERS | checkout.SETS).items()
}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("time.strftime", lambda *_: NOW)
    monkeypatch.setattr(
        lock, "lock_for", lambda project, _builder, name, packages, _line: remade(project, name, packages)
    )
    return Session(checkout.write(tmp_path / "checkout"), Report())


def remade(project: Project, name: str, packages: tuple[Package, ...]) -> AnyLock:
    before = project.all_locks[name]
    return replace(before, snapshot=project.manifest.debian.snapshot, packages=packages)


def apt_says(monkeypatch: pytest.MonkeyPatch, **changed: tuple[Package, ...]) -> None:
    monkeypatch.setattr(lock_update, "resolve_now", lambda *_: Resolved(LOCKED | changed, INDICES))


def test_all_locks_and_the_manifest_go_on(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = session.root / "manifests/manifest.toml"
    path.write_text(path.read_text() + '\n[versions] # kept\nlinux = "1"\n')
    story = ("./usr/share/doc/linux-source-6.12/copyright", b"A story.\n")
    source = replace(
        package(session.store, "linux-source-6.12", "Source: linux\n", [story]),
        version="6.12.118-1",
        archive="debian-security",
    )
    apt_says(monkeypatch, kernel=(checkout.package("gcc"), source))
    monkeypatch.setattr(lock_update, "download", lambda pair, *_: list(pair))
    monkeypatch.setattr(
        lock_update, "options", lambda package: {"EFI_STUB" if package.version == "1-1" else "NEW"}
    )
    assert commands.lock(session, [], update=True) is True
    said = capsys.readouterr().out
    assert (
        "packages that change: 1, by security updates: 1\n"
        "  security: linux-source-6.12 1-1 becomes 6.12.118-1 (kernel)\n"
    ) in said
    assert (
        "  kernel options that appear (1): NEW\n"
        "  kernel options that vanish (1): EFI_STUB\n"
        "  recipes/kernels/base.config names what vanishes: EFI_STUB\n"
    ) in said
    found = load(session.root)  # the locks are those of the manifest
    assert {each.snapshot for each in found.all_locks.values()} == {NOW}
    assert found.manifest.versions == {"linux": "6.12.118"}
    assert licence_lock.read(found)[source.sha256].expression == "LicenseRef-linux-copyright-f678d826"
    assert "[versions] # kept" in path.read_text()


def test_where_nothing_is_newer_nothing_is_written(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in (session.root / "manifests").iterdir()}
    apt_says(monkeypatch)
    assert lock_update.update(session, Consent()) is True
    assert capsys.readouterr().out == f"nothing is newer than the snapshot {checkout.SNAPSHOT}\n"
    assert {path: path.read_bytes() for path in (session.root / "manifests").iterdir()} == before


def test_an_update_that_was_stopped_is_finished_by_the_next(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: Project) -> None:
        raise KeyboardInterrupt

    apt_says(monkeypatch, resolver=(replace(checkout.package("apt"), version="1-2"),))
    with monkeypatch.context() as patch:
        patch.setattr(lock_update, "write_manifest", stop)
        with pytest.raises(KeyboardInterrupt):
            lock_update.update(session, Consent())
    assert lock_update.update(session, Consent()) is True
    assert load(session.root).manifest.debian.snapshot == NOW  # the locks are those of the manifest


def test_an_older_package_needs_a_yes_and_leaves_all_as_it_was(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in (session.root / "manifests").iterdir()}
    apt_says(monkeypatch, resolver=(replace(checkout.package("apt"), version="1-0"),))
    with pytest.raises(PipelineError, match=r"^packages that would become older than they are locked: 1\n"):
        lock_update.update(session, Consent())
    assert {path: path.read_bytes() for path in (session.root / "manifests").iterdir()} == before


def test_what_is_said_of_each_kind_of_change() -> None:
    one, two = checkout.package("one"), checkout.package("two")
    found = {
        Change(one, replace(one, version="1-2", sha256="b" * 64)): ["boot", "rust"],
        Change(one, replace(one, path="pool/x.deb")): ["rust"],
        Change(two, None): ["boot"],
        Change(None, replace(two, archive="debian-security")): ["imager"],
    }
    assert list(lock_update.told(found)) == [
        "packages that change: 3, by security updates: 1",
        "  security: two 1-1 comes (imager)",
        "  one 1-1 becomes 1-2 (boot, rust)",
        "  two 1-1 goes (boot)",
        "  packages that only moved within the archive: 1",
    ]


@pytest.mark.parametrize("more", [{"names": ["imager"]}, {"names": [], "check": True}])
def test_all_locks_have_one_snapshot(session: Session, more: dict[str, object]) -> None:
    with pytest.raises(PipelineError) as caught:
        commands.lock(session, update=True, **more)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "--update renews all locks, which have one snapshot\n  hint: name none, and no --check"
    )
