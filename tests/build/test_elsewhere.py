"""What comes from caches elsewhere: only what is vouched for, only what is needed, under the same rules."""

import hashlib
import threading
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from pipeline.build import build as module
from pipeline.build.build import build_step
from pipeline.build.builder import Builder, LostError
from pipeline.build.rules import CheckError
from pipeline.errors import PipelineError
from pipeline.plan.step import Step
from pipeline.report import Line
from pipeline.store.cache import Blob, Result, Store
from pipeline.store.envelope import Claim, seal
from pipeline.store.remote import Folder, Remotes
from pipeline.store.reply import StoppedError
from tests.build.test_build import doubled
from tests.fixtures.caches import KEY, STRANGER, public, put
from tests.fixtures.toy_step import Shop, no_y, shop_below


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Return a workshop on an empty machine, beside a cache in a folder."""
    shop = shop_below(tmp_path, monkeypatch)
    shop.store.remotes = lambda: Remotes([Folder("file:x", others(shop))], [public(KEY)], shop.told.append)
    return shop


def others(shop: Shop) -> Path:
    return shop.root / "others"


def known(shop: Shop, *steps: Step) -> dict[str, str]:
    """Build steps on another machine, fill the cache, lock what they made; return the outputs' digests."""
    builder = Builder(Store(shop.root / "another"), lambda: shop.builder().sandbox)
    digests = {}
    for step in steps:
        build_step(step, builder, shop.root / "elsewhere", Line.silent())
        key, result = builder.key(step), builder.result(step)
        assert key
        assert result
        shop.locked[key] = result.outputs
        for name, blob in result.outputs.items():
            put(others(shop), (builder.store.root / "blobs" / blob.sha256).read_bytes())
            digests[name] = blob.sha256
    shop.engine.runs.clear()
    return digests


def had(shop: Shop) -> set[str]:
    folder = shop.store.root / "blobs"
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_what_is_locked_and_published_is_fetched_and_nothing_else_is(shop: Shop) -> None:
    first, second = doubled(shop)
    digests = known(shop, first, second)
    line = shop.build(first, second)
    assert (line.cached, line.fetched) == (False, True)
    assert (shop.artifacts(), shop.engine.runs) == ({"doubled": "ABC!ABC!"}, [])
    assert had(shop) == {digests["doubled"]}
    builder = shop.builder()
    assert builder.is_current(first, shop.publish)
    assert builder.is_current(second, shop.publish)
    shop.store.remotes = lambda: None  # nothing asks them again
    assert shop.build(first, second).cached


def test_a_step_that_runs_has_its_inputs_fetched(shop: Shop) -> None:
    first, second = doubled(shop)
    digests = known(shop, first)
    shop.build(first, second)
    assert (shop.artifacts(), shop.engine.runs) == ({"doubled": "ABC!ABC!"}, ["double"])
    assert digests["made"] in had(shop)


def test_what_nobody_has_is_built(shop: Shop) -> None:
    first, second = doubled(shop)
    digests = known(shop, first, second)
    for digest in digests.values():
        (others(shop) / "blobs" / digest).unlink()
    shop.build(first, second)
    assert (shop.artifacts(), shop.engine.runs) == ({"doubled": "ABC!ABC!"}, ["upper", "double"])


@pytest.mark.parametrize("damage", [None, b"ABD!", b"ABC!!"])
def test_an_input_that_cannot_be_fetched_when_it_is_needed_is_built(shop: Shop, damage: bytes | None) -> None:
    first, second = doubled(shop)
    path = others(shop) / "blobs" / known(shop, first)["made"]
    shop.build(first)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    shop.build(second)
    assert (shop.artifacts(), shop.engine.runs) == ({"doubled": "ABC!ABC!"}, ["upper", "double"])


def test_what_the_cache_lost_is_fetched_before_it_is_built(shop: Shop) -> None:
    first, second = doubled(shop)
    known(shop, first)
    shop.store.remotes, remotes = (lambda: None), shop.store.remotes
    shop.build(first)
    shop.spoil(first, "made")
    shop.store.remotes = remotes
    shop.build(second)
    assert shop.engine.runs == ["upper", "double"]


def test_who_needs_what_is_made_again_meanwhile_waits_for_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = doubled(shop)
    third = replace(second, name="toy:third", params={"x": 1})
    path = others(shop) / "blobs" / known(shop, first)["made"]
    shop.build(first)
    path.unlink()
    builder, begun, failed = shop.builder(), threading.Event(), list[Exception]()

    def slowly(step: Step, *args: object, **more: object) -> Result:
        if step.name == first.name:
            begun.set()
            time.sleep(0.3)
        return make(step, *args, **more)  # type: ignore[arg-type]

    def build(step: Step) -> None:
        try:
            build_step(step, builder, shop.publish, Line.silent())
        except PipelineError as error:
            failed.append(error)

    make = module._make_checked
    monkeypatch.setattr(module, "_make_checked", slowly)
    thread = threading.Thread(target=build, args=(second,))
    thread.start()
    begun.wait()
    build(third)
    thread.join()
    assert failed == []
    assert shop.engine.runs.count("upper") == 1


def test_nothing_is_built_because_one_was_stopped(shop: Shop) -> None:
    first, second = doubled(shop)
    known(shop, first)
    shop.build(first)

    def stop(*_: object) -> str:
        shop.store.stopped.set()
        raise StoppedError

    shop.store.remotes = lambda: Remotes([Mock(name="x", bring=stop)])
    assert isinstance(shop.error(second), StoppedError)
    assert shop.engine.runs == []
    assert shop.builder().result(first)


def test_an_output_that_was_left_elsewhere_is_fetched_for_who_looks_at_it(shop: Shop) -> None:
    first = doubled(shop)[0]
    known(shop, first)
    shop.build(first)
    assert shop.builder().output(first.output("made"), Line.silent()).read_text() == "ABC!"
    odd = replace(first, checks={"made": no_y}, params={"end": "Y"})
    forged(shop, odd, b"XYZ")
    shop.build(odd)
    with pytest.raises(LostError, match=r"(?s)^made of step toy:x is not to be used: .*'XYZ' holds Y"):
        shop.builder().output(odd.output("made"), Line.silent())


def forged(shop: Shop, step: Step, text: bytes) -> None:
    """Lock what no build of the step makes, and have the cache hold it."""
    shop.locked[shop.builder().key(step) or ""] = {"made": put(others(shop), text)}


def test_the_rules_hold_for_what_is_published(shop: Shop) -> None:
    step = shop.step(checks={"made": no_y})
    forged(shop, step, b"Y")
    assert shop.error(step).message.startswith("step toy:x: same inputs, other bytes: ")
    assert shop.engine.runs == ["upper"]


def test_the_rules_hold_for_what_a_step_takes_each_time(shop: Shop) -> None:
    first, second = doubled(shop)
    first = replace(first, checks={"made": no_y})
    second = replace(second, inputs={"made": first.output("made")})
    shop.text.write_text("xyz")
    forged(shop, first, b"XYZ!")
    for _ in range(2):
        with pytest.raises(CheckError, match="'XYZ!' holds Y"):
            shop.build(first, second)
    assert shop.artifacts() == {}
    assert shop.engine.runs == ["upper", "upper"]


def signed(shop: Shop, step: Step, text: bytes, *, by: object = KEY, key: str = "") -> Blob:
    """Have the cache say, signed, that the step made this."""
    blob = put(others(shop), text)
    about = shop.builder().key(step) or ""
    claim = Claim(key or about, {"made": blob}, 2.5)
    (others(shop) / "results").mkdir(exist_ok=True)
    (others(shop) / f"results/{about}.json").write_bytes(seal(claim, by))  # type: ignore[arg-type]
    return blob


def test_what_is_not_locked_is_taken_from_who_is_trusted(shop: Shop) -> None:
    step = shop.step()
    signed(shop, step, b"ABC!")
    assert shop.build(step).fetched
    assert (shop.artifacts(), shop.engine.runs) == ({"made": "ABC!"}, [])
    result = shop.builder().result(step)
    assert result
    assert (result.seconds, result.fetched) == (2.5, True)


def test_what_is_not_locked_is_not_taken_from_others(shop: Shop) -> None:
    step = shop.step()
    put(others(shop), b"ABC!")
    assert not shop.build(step).fetched
    for how in ({"by": STRANGER}, {"key": "1" * 64}):
        other = shop.step(params={"end": str(how)})
        signed(shop, other, b"POISON", **how)
        assert not shop.build(other).fetched
    assert "POISON" not in shop.artifacts().values()


def test_a_signature_does_not_outweigh_the_lock(shop: Shop) -> None:
    step = shop.step()
    known(shop, step)
    signed(shop, step, b"POISON")
    assert shop.build(step).fetched
    assert shop.artifacts() == {"made": "ABC!"}


@pytest.mark.parametrize("outputs", [{}, {"other": Blob("1" * 64, 1)}, {"made": Blob("1" * 64, 1)}])
def test_a_lock_or_a_record_of_other_outputs_is_of_no_use(shop: Shop, outputs: dict[str, Blob]) -> None:
    step = shop.step(outputs=("made", "more"), published={})
    builder = replace(shop.builder(), locked={shop.builder().key(step) or "": outputs})
    assert builder.elsewhere(step, builder.key(step) or "") is None


def test_from_source_what_was_fetched_once_is_made_here(shop: Shop) -> None:
    step = shop.step()
    known(shop, step)
    assert shop.build(step).fetched
    shop.store.remotes, shop.store.from_source = (lambda: None), True
    assert not shop.builder().is_current(step, shop.publish)
    shop.build(step)
    assert shop.engine.runs == ["upper"]
    assert shop.builder().is_current(step, shop.publish)
    assert shop.build(step).cached


def test_a_process_that_ended_before_the_rules_were_applied_leaves_nothing_that_passes(shop: Shop) -> None:
    first, second = doubled(shop)
    first = replace(first, checks={"made": no_y})
    second = replace(second, inputs={"made": first.output("made")})
    shop.text.write_text("xyz")
    forged(shop, first, b"XYZ!")
    shop.build(first)
    with shop.store.scratch() as scratch:
        (scratch / "x").write_bytes(b"XYZ!")
        shop.store.add(scratch / "x")
    with pytest.raises(CheckError):
        shop.build(first, second)


def test_a_result_of_a_fetched_step_says_so(shop: Shop) -> None:
    blob = Blob(hashlib.sha256(b"x").hexdigest(), 1)
    shop.store.record("1" * 64, Result({"made": blob}, 1, "", fetched=True))
    assert shop.store.result("1" * 64) == Result({"made": blob}, 1, "", fetched=True)
    assert Store(shop.store.root, from_source=True).result("1" * 64) is None
