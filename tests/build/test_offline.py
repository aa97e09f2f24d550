"""Steps that use the network, where there is none: what they make comes from an archive, or is missed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.store.cache import Store
from pipeline.store.inputs import Inputs, member, write
from pipeline.store.remote import Remotes
from tests.fixtures.toy_step import Shop, shop_below


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return shop_below(tmp_path, monkeypatch)


def remotes(archive: Path) -> Callable[[], Remotes]:
    return lambda: Remotes([Inputs(archive)])


def made_elsewhere(shop: Shop, tmp_path: Path) -> Path:
    """Have the step run with a network, its outputs locked and packed; return the archive."""
    step = shop.step(network=True)
    shop.build(step)
    builder = shop.builder()
    result, key = builder.result(step), builder.key(step)
    assert result
    assert key
    shop.locked[key] = dict(result.outputs)
    blob = result.outputs["made"]
    files = {member("steps/toy/made", blob, "made"): shop.blob(step, "made")}
    write(tmp_path / "inputs.tar", files, lambda _: None)
    (shop.publish / "made").unlink()
    shop.engine.runs.clear()
    return tmp_path / "inputs.tar"


def test_what_it_makes_is_taken_from_the_archive(shop: Shop, tmp_path: Path) -> None:
    archive = made_elsewhere(shop, tmp_path)
    away = replace(shop, store=Store(tmp_path / "empty", remotes(archive), offline=True))
    assert away.build(away.step(network=True)).fetched
    assert away.artifacts() == {"made": "ABC!"}
    assert away.engine.runs == []


def test_what_is_not_locked_is_not_taken(shop: Shop, tmp_path: Path) -> None:
    archive = made_elsewhere(shop, tmp_path)
    away = replace(shop, store=Store(tmp_path / "empty", remotes(archive), offline=True), locked={})
    assert str(away.error(away.step(network=True))) == (
        f"what step toy:x fetches is neither in the cache nor in {archive}, "
        "and --offline forbids to fetch it\n"
        "  hint: `./doit vendor FILE`, where there is a network, makes an archive that has it: --inputs FILE"
    )
    assert away.engine.runs == []


def test_an_archive_that_lacks_it_is_not_in_the_way(shop: Shop, tmp_path: Path) -> None:
    made_elsewhere(shop, tmp_path)
    write(tmp_path / "other.tar", {}, lambda _: None)
    away = replace(shop, store=Store(tmp_path / "empty", remotes(tmp_path / "other.tar")))
    assert not away.build(away.step(network=True)).cached
    assert away.artifacts() == {"made": "ABC!"}


def test_a_step_without_network_runs_offline(shop: Shop, tmp_path: Path) -> None:
    away = replace(shop, store=Store(tmp_path / "empty", offline=True))
    assert not away.build(away.step()).cached
    assert away.artifacts() == {"made": "ABC!"}
