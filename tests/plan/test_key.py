"""What a step's key depends on, and what it does not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.plan.step import Source, Step
from tests.fixtures.toy_step import LOCK, Shop, no_y, shop_below


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return shop_below(tmp_path, monkeypatch)


def change_input(shop: Shop) -> Step:
    shop.text.write_text("abd")
    return shop.step()


def change_mode(shop: Shop) -> Step:
    shop.text.chmod(0o755)
    return shop.step()


def change_code(shop: Shop) -> Step:
    path = Path(str(shop.toy.__file__))
    path.write_text(path.read_text() + "# changed\n")
    return shop.step()


CHANGES: list[tuple[str, Callable[[Shop], Step]]] = [
    ("input", change_input),
    ("mode of an input", change_mode),
    ("source of its module", change_code),
    ("parameter", lambda shop: shop.step(params={"end": "?"})),
    ("container's layer", lambda shop: shop.step(container=replace(LOCK, layer="3" * 64))),
    ("function", lambda shop: shop.step("forget", outputs=())),
    ("outputs", lambda shop: shop.step(outputs=("made", "more"))),
    ("name of an input", lambda shop: shop.step(inputs={"other": Source(shop.text)})),
]


@pytest.mark.parametrize(("what", "change"), CHANGES, ids=[what for what, _ in CHANGES])
def test_what_changes_the_key(shop: Shop, what: str, change: Callable[[Shop], Step]) -> None:
    before = shop.builder().key(shop.step())
    assert shop.builder().key(change(shop)) != before


def touch_text(shop: Shop) -> Step:
    shop.text.write_text("abc")
    shop.text.chmod(0o600)
    return shop.step()


SAME: list[tuple[str, Callable[[Shop], Step]]] = [
    ("time and rights of an input", touch_text),
    ("name and summary", lambda shop: shop.step(name="other", summary="other")),
    ("checks", lambda shop: shop.step(checks={"made": no_y})),
    ("what people get", lambda shop: shop.step(published={})),
    ("what the container was made from", lambda shop: shop.step(container=replace(LOCK, intent="9" * 64))),
]


@pytest.mark.parametrize(("what", "change"), SAME, ids=[what for what, _ in SAME])
def test_what_does_not(shop: Shop, what: str, change: Callable[[Shop], Step]) -> None:
    before = shop.builder().key(shop.step())
    assert shop.builder().key(change(shop)) == before
