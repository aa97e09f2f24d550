import hashlib
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.release.bom.deb_facts import Facts, read
from tests.fixtures.deb import deb, link

TOOL = ("./usr/bin/toy", b"toy", 0o755)
DIGEST = hashlib.sha256(b"toy").hexdigest()


def facts(tmp_path: Path, said: str = "", *members: object, with_files: bool = False) -> Facts:
    path = tmp_path / "toy.deb"
    path.write_bytes(deb([TOOL, *members], said=f"Package: toy\nVersion: 1-2+b3\n{said}"))  # type: ignore[list-item]
    return read(path, "toy", with_files=with_files)


@pytest.mark.parametrize(
    ("said", "source"),
    [
        ("", ("toy", "1-2")),
        ("Source: toys\n", ("toys", "1-2")),
        ("Source: toys (3-4)\n", ("toys", "3-4")),
    ],
)
def test_the_source_package(tmp_path: Path, said: str, source: tuple[str, str]) -> None:
    assert facts(tmp_path, said).source == source


def test_what_was_linked_into_it(tmp_path: Path) -> None:
    said = "Built-Using: glibc (= 2.41-1), a+b (= 1:2~3)\nStatic-Built-Using: rustc (= 1.90)\n"
    assert facts(tmp_path, said).linked == (("glibc", "2.41-1"), ("a+b", "1:2~3"), ("rustc", "1.90"))


def test_its_copyright_or_who_has_it(tmp_path: Path) -> None:
    own = ("./usr/share/doc/toy/copyright", b"mine")
    assert facts(tmp_path, "", own) == Facts(("toy", "1-2"), (), b"mine")
    assert facts(tmp_path, "", ("./usr/share/doc/other/copyright", b"theirs")).copyright == b""
    assert facts(tmp_path, "", link("./usr/share/doc/toy", "../doc/toys/")).documented_by == "toys"


def test_its_files(tmp_path: Path) -> None:
    own = ("./usr/share/doc/toy/copyright", b"mine")
    after = ("./usr/share/toy", b"data")
    empty = ("./etc/empty", b"")
    assert facts(tmp_path, "", own, after).files == frozenset()
    found = facts(tmp_path, "", own, after, empty, with_files=True)
    data = hashlib.sha256(b"data").hexdigest()
    assert found.files == {(DIGEST, "bin/toy"), (data, "share/toy")}
    assert found.copyright == b"mine"


def test_no_package(tmp_path: Path) -> None:
    (tmp_path / "toy.deb").write_bytes(b"no")
    with pytest.raises(FormatError, match=r"toy.deb: not a Debian package"):
        read(tmp_path / "toy.deb", "toy", with_files=True)
