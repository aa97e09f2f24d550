"""Boxes: inside the one around, not over each other, and as large as what they stand for."""

from itertools import combinations

import pytest

from pipeline.release.pages.spent import Spent
from pipeline.release.pages.treemap import Box, treemap


def leaf(name: str, stored: int) -> Spent:
    return Spent(name, "", "data", stored, stored)


def of(*stored: int) -> Spent:
    parts = tuple(leaf(str(number), each) for number, each in enumerate(stored))
    return Spent("all", "", "medium", sum(stored), sum(stored), parts=parts)


def area(box: Box) -> float:
    return box.width * box.height


def overlap(one: Box, other: Box) -> float:
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    return max(across, 0) * max(down, 0)


@pytest.mark.parametrize(
    "stored", [(1,), (5, 5), (900, 60, 30, 10), tuple(range(60, 0, -1)), (1000, 1, 1, 1)]
)
@pytest.mark.parametrize("size", [(1000, 600), (330, 640), (80, 80)])
def test_boxes_fill_the_one_around(stored: tuple[int, ...], size: tuple[float, float]) -> None:
    box = treemap(of(*stored), *size)
    assert (box.left, box.top, box.width, box.height) == (0, 0, 100, 100)
    assert sum(map(area, box.boxes)) == pytest.approx(10_000, rel=0.002)
    assert sum(each.spent.stored for each in box.boxes) == sum(stored)
    for each in box.boxes:
        assert area(each) / 10_000 == pytest.approx(each.spent.stored / sum(stored), abs=0.002)
    assert all(overlap(*pair) < 0.1 for pair in combinations(box.boxes, 2))


def test_what_is_too_small_to_be_seen_is_drawn_together() -> None:
    box = treemap(of(1_000_000, *[1] * 40), 400, 300)
    assert [(each.spent.name, each.spent.stored) for each in box.boxes] == [
        ("0", 1_000_000),
        ("40 others", 40),
    ]


def test_one_that_is_small_is_drawn_under_its_own_name() -> None:
    assert [each.spent.name for each in treemap(of(1_000_000, 1), 400, 300).boxes] == ["0", "1"]


def test_what_takes_nothing_is_not_drawn() -> None:
    assert [each.spent.name for each in treemap(of(10, 0), 400, 300).boxes] == ["0"]


def test_where_there_is_no_room_there_are_no_names_and_no_boxes() -> None:
    box = treemap(of(5, 5), 20, 10)
    assert (box.named, box.boxes) == (False, ())
    assert treemap(leaf("nothing", 0), 400, 300).boxes == ()
