"""Boxes in boxes, each as large as what it stands for: a squarified treemap (Bruls, Huizing, van Wijk, 2000).

A page draws it without a script: places are in per cent of the box around, so it takes any width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from squarify import squarify

from pipeline.release.pages.spent import OTHERS, Spent

LABEL, EDGE = 18.0, 2.0  # pixels: what a box with boxes in it takes for its name, and on the other sides
SMALLEST = 110.0  # square pixels: what is smaller is drawn together with its like
READABLE = 34.0  # pixels: a box that is narrower has no room for a name
ROOMY = 26.0  # pixels that boxes in a box need each way


@dataclass(frozen=True, slots=True)
class Box:
    """What stands for `spent`, in per cent of the box around; `named` tells whether there is room for it."""

    left: float
    top: float
    width: float
    height: float
    spent: Spent
    named: bool
    boxes: tuple["Box", ...]


def treemap(spent: Spent, width: float, height: float) -> Box:
    """Return boxes for a page that draws the outermost one about that many pixels wide and high."""
    return _box(spent, (0, 0, width, height), width, height)


def _box(spent: Spent, place: tuple[float, float, float, float], around: float, high: float) -> Box:
    left, top, width, height = place
    inner_width, inner_height = width - 2 * EDGE, height - LABEL - EDGE
    boxes: tuple[Box, ...] = ()
    if spent.parts and inner_width > ROOMY and inner_height > ROOMY:
        parts = _together(spent, inner_width * inner_height)
        area = inner_width * inner_height / sum(part.stored for part in parts)
        places = squarify([part.stored * area for part in parts], 0, 0, inner_width, inner_height)
        boxes = tuple(
            _box(part, (each["x"], each["y"], each["dx"], each["dy"]), inner_width, inner_height)
            for part, each in zip(parts, places, strict=True)
        )
    named = width >= READABLE and height >= LABEL - EDGE
    of = 100 / around, 100 / high
    return Box(
        round(left * of[0], 3),
        round(top * of[1], 3),
        round(width * of[0], 3),
        round(height * of[1], 3),
        spent,
        named,
        boxes,
    )


def _together(spent: Spent, area: float) -> Sequence[Spent]:
    """Return the parts as they are drawn in so many square pixels: the smallest as one."""
    drawn = [part for part in spent.parts if part.stored]
    large = [part for part in drawn if part.stored * area / spent.stored >= SMALLEST]
    small = drawn[len(large) :]
    if len(small) < 2:
        return drawn
    stored, size = sum(part.stored for part in small), sum(part.size for part in small)
    others = Spent(f"{len(small)} {OTHERS}", "", "rest", stored, size, small[0].estimated)
    return sorted((*large, others), key=lambda part: -part.stored)
