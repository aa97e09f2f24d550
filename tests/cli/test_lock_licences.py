"""Licences of all locked packages: read once, written down, and checked."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli import commands, lock, lock_licences, lock_pins
from pipeline.debian.lock import path_of
from pipeline.debian.lock import write as write_lock
from pipeline.project.checkout import load
from pipeline.release.bom import deb_facts, licence_lock
from pipeline.release.bom.deb_facts import Documents
from pipeline.release.bom.licence_lock import PATH
from pipeline.report import Report
from tests.fixtures import checkout
from tests.fixtures.deb import Member, link
from tests.fixtures.release_contents import package

STORY = "LicenseRef-words-copyright-f678d826"
CHAIN = {"one": "two", "two": "three", "three": ""}
LACKING = (
    f"{PATH}: says nothing of 3 packages that are locked, such as one\n  hint: run `./doit lock licences`\n"
)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A run on a checkout that locks three packages, which the cache has; one has the licences of all."""
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    found = Session(checkout.write(tmp_path / "checkout"), Report(), offline=True)
    for name, each in load(found.root).locks.items():
        write_lock(replace(each, packages=()), found.root / path_of(name))
    lock_packages(found, CHAIN)
    return found


def lock_packages(session: Session, packages: dict[str, str]) -> None:
    """Lock these alone: each has a copyright file, or that of the package it is mapped to."""
    made = []
    for name, other in packages.items():
        doc = f"./usr/share/doc/{name}"
        member: Member = link(doc, other) if other else (f"{doc}/copyright", b"A story.\n")
        made.append(package(session.store, name, "Source: words\n", [member]))
    before = load(session.root, match_locks=False).set_locks["initramfs"]
    write_lock(replace(before, packages=tuple(made)), session.root / path_of("initramfs"))


def said(session: Session) -> dict[str, str]:
    return {each.name: each.licence for each in licence_lock.load(session.root).packages}


def test_they_are_read_and_written(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.lock(session, ["licences"], check=True) is False
    assert capsys.readouterr().out == LACKING
    assert commands.lock(session, ["licences"]) is True
    assert capsys.readouterr().out.endswith(f"written: {PATH}\n")
    assert said(session) == dict.fromkeys(sorted(CHAIN), STORY)
    assert licence_lock.load(session.root).texts == {STORY: "A story.\n"}
    assert commands.lock(session, ["licences"], check=True) is True
    assert capsys.readouterr().out.endswith("written down: the licences of all 3 packages\n")
    assert commands.lock(session, ["licences"]) is True
    assert PATH not in capsys.readouterr().out


def test_those_that_are_known_are_not_read_again(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    project, read = load(session.root, match_locks=False), list[str]()

    def documents(path: Path, name: str) -> Documents:
        read.append(name)
        return real(path, name)

    real = deb_facts.documents
    monkeypatch.setattr(deb_facts, "documents", documents)
    lock_licences.write_licences(project, session.store, Report())
    assert read == ["one", "two", "three"]
    lock_packages(session, CHAIN | {"four": "one"})
    project = load(session.root, match_locks=False)
    lock_licences.write_licences(project, session.store, Report())
    assert read[3:] == ["four"]
    assert said(session)["four"] == STORY
    lock_licences.write_licences(project, session.store, Report(), anew=True)
    assert len(read[4:]) == 4


@pytest.mark.parametrize(
    ("packages", "licences"),
    [
        ({"one": "two", "two": "one"}, {"one": "", "two": ""}),
        ({"one": "nowhere", "two": ""}, {"one": "", "two": STORY}),
    ],
    ids=["circle", "not locked"],
)
def test_licences_that_nobody_has(
    session: Session, packages: dict[str, str], licences: dict[str, str]
) -> None:
    lock_packages(session, packages)
    commands.lock(session, ["licences"])
    assert said(session) == licences


def test_what_is_written_wrongly(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    commands.lock(session, ["licences"])
    found = licence_lock.load(session.root)
    wrong = (replace(found.packages[0], licence="MIT"), *found.packages[1:])
    licence_lock.write(session.root, replace(found, packages=wrong))
    project = load(session.root, match_locks=False)
    assert lock_licences.check_licences(project, session.store, Report()) is True
    capsys.readouterr()
    assert lock_licences.check_licences(project, session.store, Report(), anew=True) is False
    assert capsys.readouterr().out.endswith(f"{PATH}: one 1-1+b2 says {STORY}\n")
    commands.lock(session, ["licences"])
    assert f"licences of one 1-1+b2: + LicenseRef-words-copyright - MIT\nwritten: {PATH}" in (
        capsys.readouterr().out
    )


def test_a_file_that_cannot_be_read_is_made_new(session: Session) -> None:
    (session.root / PATH).write_text("{")
    commands.lock(session, ["licences"])
    assert said(session) == dict.fromkeys(sorted(CHAIN), STORY)


def test_they_come_along_with_each_lock(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lock, "check_locks", lambda *_: True)
    monkeypatch.setattr(lock_pins, "check_pins", lambda *_: True)
    assert commands.lock(session, ["initramfs"], check=True) is False
    assert capsys.readouterr().out == LACKING
    monkeypatch.setattr(lock, "make_locks", lambda *_: lock_packages(session, {"new": ""}))
    assert commands.lock(session, ["initramfs"]) is True
    assert said(session) == {"new": STORY}
    assert commands.lock(session, ["initramfs"], check=True) is True
