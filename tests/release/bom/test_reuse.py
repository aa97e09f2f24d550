from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.release.bom.components import Licence
from pipeline.release.bom.reuse import licence_of, read


def annotated(*rows: tuple[str, str]) -> str:
    lines = (f"[[annotations]]\npath = {path}\nSPDX-License-Identifier = {said}\n" for path, said in rows)
    return "version = 1\n" + "".join(lines)


@pytest.mark.parametrize(
    ("path", "covered", "not_covered"),
    [
        ("'**'", ["a", "a/b.c"], []),
        ("'*'", ["a", ".b"], ["a/b"]),
        ("'a/*.py'", ["a/b.py"], ["a/b/c.py", "a/b.pyc", "b/a/c.py"]),
        ("'a/**'", ["a/b", "a/b/c"], ["ab", "b/a/c"]),
        ("['a', 'b+(c)']", ["a", "b+(c)"], ["aa", "bbc"]),
        (r"'a\*'", ["a*"], ["ab"]),
    ],
)
def test_which_files_an_annotation_covers(
    tmp_path: Path, path: str, covered: list[str], not_covered: list[str]
) -> None:
    (tmp_path / "REUSE.toml").write_text(annotated((path, "'MIT'")))
    found = read(tmp_path)
    assert {licence_of(each, found) for each in covered} == {Licence("MIT")}
    assert {licence_of(each, found) for each in not_covered} <= {Licence()}


@pytest.mark.parametrize(
    ("said", "expression"),
    [
        ("'MIT'", "MIT"),
        ("['MIT', 'GPL-2.0-only OR ISC']", "MIT AND (GPL-2.0-only OR ISC)"),
        ("'nobody knows it'", ""),
        ("'LicenseRef-own'", ""),  # its text would have to be in the bill
        ("[]", ""),
    ],
)
def test_what_an_annotation_says(tmp_path: Path, said: str, expression: str) -> None:
    (tmp_path / "REUSE.toml").write_text(annotated(("'a'", said)))
    assert licence_of("a", read(tmp_path)) == Licence(expression)


def test_the_last_that_covers_a_file_holds(tmp_path: Path) -> None:
    (tmp_path / "REUSE.toml").write_text(annotated(("'**'", "'MIT'"), ("'a'", "'ISC'"), ("'b'", "'0BSD'")))
    assert licence_of("a", read(tmp_path)) == Licence("ISC")


def test_a_checkout_that_says_nothing(tmp_path: Path) -> None:
    assert licence_of("a", read(tmp_path)) == Licence()


@pytest.mark.parametrize(
    "text", ["[", "annotations = 7", "annotations = [7]", annotated(("7", "'MIT'")), annotated(("'a'", "7"))]
)
def test_what_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "REUSE.toml").write_text(text)
    with pytest.raises(PipelineError, match=r"^REUSE.toml: cannot be read: ") as caught:
        read(tmp_path)
    assert caught.value.hint == "`reuse lint` says what is wrong"
