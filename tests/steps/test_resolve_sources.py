"""Source packages by exact version, from the first index that has each."""

import json
from pathlib import Path

import certifi
import pytest

from pipeline.errors import PipelineError
from pipeline.steps import resolve_sources
from tests.fixtures.context import Played, played

A, B = "a" * 64, "b" * 64
FILES = {
    "toy=1:1-1": f"'http://m/debian/pool/main/t/toy/toy_1-1.dsc' toy_1-1.dsc 7 SHA256:{A}\n",
    "old=2-1": f"'http://s/debian/T/pool/main/o/old/old_2-1.dsc' old_2-1.dsc 9 SHA256:{B}\n",
}
SOURCES = [
    {"origin": origin, "urls": {"debian": url}, "dated": False}
    for origin, url in (
        ("broken", "http://x/debian"),
        ("mirror", "http://m/debian"),
        ("snapshot", "http://s/debian/T"),
    )
]


def context(folder: Path, *wanted: tuple[str, str]) -> Played:
    (folder / "in").mkdir()
    (folder / "in/ca.pem").symlink_to(certifi.where())

    def apt(argv: list[str], cwd: Path) -> str:
        listed = (cwd / "sources.list").read_text()
        assert listed.startswith("deb-src [signed-by=")
        if argv[1] == "update":
            if "http://x/" in listed:
                raise PipelineError("no index")
            return ""
        said = FILES.get(argv[-1], "")
        if not said or said.split("/pool")[0].strip("'") not in listed:
            raise PipelineError("E: Unable to find a source package")
        return said

    return played(folder, apt, sources=SOURCES, archives={"debian": ["trixie"]}, wanted=wanted)


def test_each_is_taken_of_the_first_source_that_has_it(tmp_path: Path) -> None:
    ctx = context(tmp_path, ("toy", "1:1-1"), ("old", "2-1"))
    resolve_sources.resolve(ctx)
    assert json.loads((ctx.out / "sources.json").read_text()) == {
        "toy=1:1-1": [{"archive": "debian", "path": "pool/main/t/toy/toy_1-1.dsc", "size": 7, "sha256": A}],
        "old=2-1": [{"archive": "debian", "path": "pool/main/o/old/old_2-1.dsc", "size": 9, "sha256": B}],
    }
    assert ctx.notes == ["broken: no index"]


def test_no_more_sources_are_asked_than_needed(tmp_path: Path) -> None:
    ctx = context(tmp_path, ("toy", "1:1-1"))
    resolve_sources.resolve(ctx)
    assert [call[1] for call in ctx.calls] == ["update", "update", "source"]


def test_what_no_source_has_is_named(tmp_path: Path) -> None:
    ctx = context(tmp_path, ("toy", "1:1-1"), ("gone", "3"), ("toy", "9"))
    with pytest.raises(PipelineError) as caught:
        resolve_sources.resolve(ctx)
    assert caught.value.message == "no source has the source packages gone=3, toy=9"
    assert not (ctx.out / "sources.json").exists()
