from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.measure.pcrs import read_pcrs

ONE, TWO = "ab" * 32, "CD" * 32


@pytest.mark.parametrize(
    "text",
    [
        f"PCR 4: {ONE}\nPCR 11: {TWO}\n",
        f"  sha256:\n    4 : 0x{ONE}\n    11: 0x{TWO}\n",
        f'{{"4": "{ONE}", "11": "{TWO}"}}',
        f"4 {ONE}\n11 {TWO}",
    ],
)
def test_lines_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "pcrs").write_text(text)
    assert read_pcrs(tmp_path / "pcrs") == {4: bytes.fromhex(ONE), 11: bytes.fromhex(TWO)}


def test_the_folder_of_linux_is_read(tmp_path: Path) -> None:
    for number, value in ((4, ONE), (11, TWO), (23, "")):
        (tmp_path / str(number)).write_text(value + "\n")
    (tmp_path / "power").mkdir()
    assert read_pcrs(tmp_path) == {4: bytes.fromhex(ONE), 11: bytes.fromhex(TWO)}


@pytest.mark.parametrize("text", ["", "4: abcd", f"4: {ONE}ab", "\0" * 100])
def test_what_has_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "pcrs").write_text(text)
    with pytest.raises(FormatError, match="there are no PCRs of sha256 in it"):
        read_pcrs(tmp_path / "pcrs")


def test_another_bank_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "4").write_text("ab" * 20)
    with pytest.raises(FormatError, match="there are no PCRs of sha256 in it"):
        read_pcrs(tmp_path)
    with pytest.raises(FormatError, match="PCRs cannot be read"):
        read_pcrs(tmp_path / "gone")
