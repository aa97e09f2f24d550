"""Licences that are written down: as they were, whole, and of the packages that are locked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build.session import Session
from pipeline.cli.lock_licences import read_licences
from pipeline.debian import lock
from pipeline.errors import ConfigError
from pipeline.project.checkout import load as project_of
from pipeline.release.bom.components import Licence
from pipeline.release.bom.licence_lock import (
    PATH,
    Licences,
    Licensed,
    changes,
    licences_of,
    load,
    packages_of,
    read,
    write,
)
from pipeline.report import Report
from tests.conftest import ROOT
from tests.fixtures import checkout

ODD = "LicenseRef-odd-48b60961"
TEXT = "Do as you like."
EXPRESSION = f"MIT AND ({ODD} OR ISC)"
GOOD = Licences(
    (
        Licensed("one", "1", "a" * 64, EXPRESSION),
        Licensed("two", "1", "b" * 64, ""),
    ),
    {ODD: TEXT},
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    write(tmp_path, GOOD)
    assert load(tmp_path) == GOOD
    assert load(tmp_path).by_digest() == {
        "a" * 64: Licence(EXPRESSION, ((ODD, TEXT),)),
        "b" * 64: Licence(),
    }
    assert (tmp_path / PATH).read_text() == (
        '{\n  "packages": [\n'
        f'    {{"name": "one", "version": "1", "sha256": "{"a" * 64}", "licence": "{EXPRESSION}"}},\n'
        f'    {{"name": "two", "version": "1", "sha256": "{"b" * 64}", "licence": ""}}\n'
        f'  ],\n  "texts": {{\n    "{ODD}": "{TEXT}"\n  }}\n}}\n'
    )
    write(tmp_path, Licences((), {}))
    assert load(tmp_path) == Licences((), {})


@pytest.mark.parametrize(
    ("spoil", "mistake"),
    [
        (lambda text: text.replace(TEXT, "Do not."), f"texts: {ODD} is missing, or has another text"),
        (
            lambda text: text.replace(f'"{ODD}": "{TEXT}"', ""),
            f"texts: {ODD} is missing, or has another text",
        ),
        (lambda text: text.replace('"name": "two", ', ""), "packages.1.name: this key is missing"),
        (lambda text: f"<<<<<<< ours\n{text}", "line 1 has a mark of a merge conflict"),
    ],
    ids=["another text", "no text", "no name", "conflict"],
)
def test_what_cannot_be_believed(tmp_path: Path, spoil: Callable[[str], str], mistake: str) -> None:
    path = tmp_path / PATH
    path.parent.mkdir()
    write(tmp_path, GOOD)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{PATH}: {mistake}\n  hint: run `./doit lock licences`"


def test_packages_that_are_locked_and_not_in_it(tmp_path: Path) -> None:
    root = checkout.write(tmp_path)
    assert read(project_of(root)) == {"a" * 64: Licence("MIT")}
    path = root / lock.path_of("imager")
    path.write_text(path.read_text().replace(f'{"a" * 64}"}}\n', f'{"b" * 64}"}}\n'))
    with pytest.raises(ConfigError) as caught:
        read(project_of(root))
    assert str(caught.value) == (
        f"{PATH}: says nothing of 1 packages that are locked, such as xorriso\n"
        "  hint: run `./doit lock licences`"
    )


def test_those_of_this_repository_are_of_all_its_packages() -> None:
    project = project_of(ROOT)
    assert packages_of(project).keys() == read(project).keys()
    assert all(each.expression for each in read(project).values())


@pytest.mark.container
def test_those_of_images_are_what_the_packages_say(session: Session) -> None:
    locked, project = read(session.project), session.project
    images = replace(project, locks={})
    now = read_licences(images, session.store, Report(), {})
    assert now.by_digest() == {digest: locked[digest] for digest in packages_of(images)}


def test_the_order_of_locks_changes_nothing() -> None:
    packages = {
        digest * 64: replace(checkout.package(name), sha256=digest * 64)
        for digest, name in (("1", "b"), ("2", "a"))
    }
    said = {"1" * 64: Licence("ISC"), "2" * 64: Licence(ODD, ((ODD, TEXT),)), "3" * 64: Licence("MIT")}
    found = licences_of(packages, said)
    assert [each.name for each in found.packages] == ["a", "b"]
    assert found.texts == {ODD: TEXT}
    assert licences_of(dict(reversed(packages.items())), said) == found


def test_what_changes() -> None:
    before, after = (
        Licences(tuple(Licensed(name, version, "a" * 64, licence) for name, licence in rows), {})
        for version, rows in (
            (
                "1",
                (
                    ("gone", "MIT"),
                    ("kept", f"{ODD} AND MIT"),
                    ("x", "GPL-2.0-only AND (ISC AND MIT OR Zlib)"),
                ),
            ),
            (
                "2",
                (("kept", "LicenseRef-odd-00000000 AND MIT"), ("new", "MIT"), ("x", "GPL-2.0-only AND ISC")),
            ),
        )
    )
    assert list(changes(before, after)) == ["licences of x 2: + ISC - (ISC AND MIT OR Zlib)"]
