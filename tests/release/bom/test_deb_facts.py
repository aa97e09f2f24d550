import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.release.bom.deb_facts import Documents, Facts, documents, facts, files
from tests.fixtures.deb import Member, deb, link

TOOL = ("./usr/bin/toy", b"toy", 0o755)
OWN = ("./usr/share/doc/toy/copyright", b"mine")


def toy(tmp_path: Path, said: str = "", *members: Member) -> Path:
    path = tmp_path / "toy.deb"
    path.write_bytes(deb([TOOL, *members], said=f"Package: toy\nVersion: 1-2+b3\n{said}"))
    return path


@pytest.mark.parametrize(
    ("said", "source"),
    [
        ("", ("toy", "1-2")),
        ("Source: toys\n", ("toys", "1-2")),
        ("Source: toys (3-4)\n", ("toys", "3-4")),
    ],
)
def test_the_source_package(tmp_path: Path, said: str, source: tuple[str, str]) -> None:
    path = toy(tmp_path, said)
    assert facts(path, "toy") == Facts(source, ())
    assert documents(path, "toy") == Documents(source[0])


def test_what_was_linked_into_it(tmp_path: Path) -> None:
    said = "Built-Using: glibc (= 2.41-1), a+b (= 1:2~3)\nStatic-Built-Using: rustc (= 1.90)\n"
    found = facts(toy(tmp_path, said), "toy")
    assert found.linked == (("glibc", "2.41-1"), ("a+b", "1:2~3"), ("rustc", "1.90"))


@pytest.mark.parametrize(
    ("member", "found"),
    [
        (OWN, Documents("toy", b"mine")),
        (("./usr/share/doc/other/copyright", b"theirs"), Documents("toy")),
        (("./usr/share/doc/toy/README", b"read me"), Documents("toy")),
        (link("./usr/share/doc/toy", "../doc/toys/"), Documents("toy", elsewhere="toys")),
        (link("./usr/share/doc/toy/copyright", "../toys/copyright"), Documents("toy", elsewhere="toys")),
        (link("./usr/share/doc/toy/copyright", "./usr/bin/toy", hard=True), Documents("toy")),
    ],
    ids=["own", "another's", "another-file", "linked-folder", "linked-file", "hard-link"],
)
def test_its_copyright_or_who_has_it(tmp_path: Path, member: Member, found: Documents) -> None:
    assert documents(toy(tmp_path, "", member), "toy") == found


def test_its_files(tmp_path: Path) -> None:
    found = files(toy(tmp_path, "", OWN, ("./usr/share/toy", b"data"), ("./etc/empty", b"")))
    wanted = {"bin/toy": b"toy", "share/doc/toy/copyright": b"mine", "share/toy": b"data"}
    assert found == {(hashlib.sha256(data).hexdigest(), name) for name, data in wanted.items()}


@pytest.mark.parametrize(
    "read", [lambda path: facts(path, "toy"), lambda path: documents(path, "toy"), files]
)
def test_no_package(tmp_path: Path, read: Callable[[Path], object]) -> None:
    (tmp_path / "toy.deb").write_bytes(b"no")
    with pytest.raises(FormatError, match=r"toy.deb: not a Debian package"):
        read(tmp_path / "toy.deb")
