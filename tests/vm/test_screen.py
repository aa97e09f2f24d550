import asyncio
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.vm import screen
from tests.fixtures.stand_ins import install

WORDS = ("Welcome", "TruthDB", "0.1.0")


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("TruthDB Installer 0.1.0\nWelcome\n", []),
        ("truthdb lnstaller O.1.0\n| WELC0ME |", []),
        ("Truth08 0.1.0 We1come", ["TruthDB"]),
        ("TruthD8 @.l.0 Ve1come", ["Welcome"]),
        ("T r u t h D B  v 0 . 1 . 0  wel come", []),
        ("TruthDB Installer 0.1.01\nWelcome", ["0.1.0"]),
        ("TruthDB Installer 10.1.0\nWelcome", ["0.1.0"]),
        ("TruthDB Installer 2.0.1.0\nWelcome", ["0.1.0"]),
        ("Kernel panic", ["Welcome", "TruthDB", "0.1.0"]),
        ("", ["Welcome", "TruthDB", "0.1.0"]),
    ],
)
def test_missing_words(text: str, lacking: list[str]) -> None:
    assert screen.missing(text, WORDS) == lacking


def test_read_asks_tesseract_for_one_block_and_one_thread(programs: Path, tmp_path: Path) -> None:
    install(programs, "tesseract", 'echo "$@ threads=$OMP_THREAD_LIMIT"\n')
    image = tmp_path / "screen.png"
    assert asyncio.run(screen.read(image)) == f"{image} - --psm 6 -l eng threads=1\n"


def test_an_unreadable_image(programs: Path, tmp_path: Path) -> None:
    install(programs, "tesseract", "echo 'Error in pixRead: no pix' >&2; exit 1\n")
    with pytest.raises(PipelineError) as caught:
        asyncio.run(screen.read(tmp_path / "screen.png"))
    assert caught.value.message == "screen.png: tesseract cannot read it: Error in pixRead: no pix"
