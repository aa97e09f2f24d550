from pathlib import Path

import pytest

from pipeline.reproduce import verdict
from pipeline.reproduce.verdict import Pair, divergences, keep, plant
from pipeline.sandbox.run import StepError


def pair(folder: Path, name: str, first: bytes, second: bytes) -> Pair:
    for side, data in (("first", first), ("second", second)):
        (folder / side).mkdir(exist_ok=True)
        (folder / side / name).write_bytes(data)
    return Pair(f"step:{name}", name, folder / "first" / name, folder / "second" / name)


def test_artifacts_that_differ_are_named_in_the_order_of_the_steps(tmp_path: Path) -> None:
    pairs = [
        pair(tmp_path, "a", b"same", b"same"),
        pair(tmp_path, "b.txt", b"one\ntwo\n", b"one\ntwi\n"),
        pair(tmp_path, "c", b"short", b"short and long"),
    ]
    found = divergences(pairs)
    assert [each.pair.name for each in found] == ["b.txt", "c"]
    assert (found[0].difference.offset, found[0].difference.count) == (6, 1)
    assert found[0].text().startswith("step step:b.txt, b.txt: ")
    assert (found[1].difference.offset, found[1].difference.count) == (5, 9)


@pytest.mark.parametrize("contents", [b"x", b"some text\n" * 100, bytes(range(256)) * 20])
def test_a_planted_difference_is_found(tmp_path: Path, contents: bytes) -> None:
    one = pair(tmp_path, "a", contents, contents)
    found = plant([one, pair(tmp_path, "empty", b"", b"")], tmp_path)
    assert found.difference.count == 1
    planted = (tmp_path / "planted").read_bytes()
    (offset,) = (at for at, (a, b) in enumerate(zip(contents, planted, strict=True)) if a != b)
    assert offset == found.difference.offset == int(one.sha256, 16) % len(contents)
    assert one.first.read_bytes() == contents


def test_a_comparison_that_sees_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "first_difference", lambda *_: None)
    with pytest.raises(StepError) as caught:
        plant([pair(tmp_path, "a", b"a", b"a")], tmp_path)
    assert str(caught.value) == (
        "a byte was changed at offset 0x0 of a, and the comparison did not see it\n"
        "  hint: what it says of other files cannot be trusted: this is a defect of this program"
    )


def test_nothing_to_plant_in_is_told(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no artifact has a byte to change"):
        plant([pair(tmp_path, "empty", b"", b"")], tmp_path)


def test_both_files_are_kept_instead_of_older_ones(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    (folder / "first" / "old").mkdir(parents=True)
    keep([pair(tmp_path, "a", b"1", b"2")], folder)
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert found == ["first/step-a/a", "second/step-a/a"]
