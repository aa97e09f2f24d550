"""How a step becomes files, with an engine that needs no container."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tarfile import TarFile

import pytest

from pipeline.build.build import build_step
from pipeline.build.builder import Builder
from pipeline.build.rules import CheckError
from pipeline.checks.finding import Finding, Severity
from pipeline.errors import PipelineError
from pipeline.plan.step import Entry, Output, Pinned, Source, Step
from pipeline.report import Line
from pipeline.sandbox import environment, run
from pipeline.sandbox.run import StepError
from pipeline.sandbox.transfer import add_file
from pipeline.steps import runner
from pipeline.store.cache import Blob, Result, Store
from pipeline.store.files import sha256_of
from tests.fixtures.toy_step import LOCK, Shop, no_y, shop_below, warns


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return shop_below(tmp_path, monkeypatch)


def test_it_is_made_checked_and_published(shop: Shop) -> None:
    line = shop.build(shop.step())
    assert not line.cached
    assert shop.artifacts() == {"made": "ABC!"}
    assert (shop.publish / "made").stat().st_mode & 0o777 == 0o640
    assert (shop.publish / "logs" / "toy-x.log").read_text() == "capitals\n"
    assert list((shop.store.root / "tmp").iterdir()) == []


def test_what_the_container_finds(shop: Shop) -> None:
    (shop.root / "folder").mkdir()
    (shop.root / "folder" / "run").touch(mode=0o700)
    (shop.root / "folder" / "link").symlink_to("run")
    folder = Source(shop.root / "folder")
    shop.build(shop.step(inputs={"text": Source(shop.text), "folder": folder}))
    (job,), (found,) = shop.engine.jobs, shop.engine.found
    assert (job.image, job.argv) == (
        f"sha256:{LOCK.layer}",
        environment.Conditions().argv([]),
    )
    assert (job.network, job.device, dict(job.env)) == (False, "", runner.ENVIRONMENT)
    assert shop.engine.steps[0]["epoch"] == 1795219200
    assert {name: mode for name, mode in found.items() if not name.startswith("src/")} == {
        "out": 0o755,
        "work": 0o755,
        "src": 0o755,
        "in": 0o755,
        "step.json": 0o444,
        "in/text": 0o444,
        "in/folder/run": 0o555,
        "in/folder/link": 0o644,
    }
    assert [name for name in found if name.startswith("src/")] == [
        "src/pipeline/__init__.py",
        "src/pipeline/errors.py",
        "src/pipeline/steps/__init__.py",
        "src/pipeline/steps/runner.py",
        "src/toy_steps.py",
    ]


def test_a_container_for_another_architecture_is_asked_for_as_such(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = shop.step(container=replace(LOCK, architecture="arm64"))
    error = shop.error(elsewhere)
    assert error.message == "step toy:x: the builder container runs on 'x86_64', not on aarch64"
    shop.build(shop.step(params={"end": "?"}))
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", "6", "1", "aarch64")))
    shop.build(elsewhere)
    assert [job.architecture for job in shop.engine.jobs] == ["arm64", "amd64", "arm64"]


def test_the_epoch_of_its_parameters_is_the_step_s_clock(shop: Shop) -> None:
    shop.build(shop.step(params={"end": "", "epoch": 1}))
    assert shop.engine.steps[0]["epoch"] == 1


def test_it_comes_from_the_cache_the_second_time(shop: Shop) -> None:
    shop.build(shop.step())
    (shop.publish / "made").unlink()
    assert shop.build(shop.step()).cached
    assert (shop.engine.runs, shop.artifacts()) == (["upper"], {"made": "ABC!"})


def test_what_fails_its_check_does_not_appear(shop: Shop) -> None:
    shop.text.write_text("xyz")
    step = shop.step(checks={"made": no_y})
    error = shop.error(step)
    assert isinstance(error, CheckError)
    assert str(error) == (
        "step toy:x made something that must not be used:\n"
        "    made: TOY001: 'XYZ!' holds Y\n"
        "      hint: take another letter"
    )
    assert shop.builder().result(step) is None


def test_a_warning_is_told_and_keeps_nothing_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Line, "note", lambda _self, text: told.append(text))
    shop.build(shop.step(checks={"made": warns}))
    assert told == ["made: TOY002: is small (make it larger)"]
    assert shop.artifacts() == {"made": "ABC!"}


LINES = "\n    ".join(f"line {number}" for number in range(10, 30))


@pytest.mark.parametrize(
    ("function", "message", "hint"),
    [
        ("forget", "step toy:x: ended without making made", "its log: {log}"),
        ("refuse", "step toy:x: the text is too short", "write more\n  log: {log}"),
        ("refuse_plainly", "step toy:x: the text is too short", "its log: {log}"),
        ("die", f"step toy:x ended with status 1:\n    {LINES}", "its log: {log}"),
        (
            "run_out_of_memory",
            "step toy:x ended with status 137:\n    ",
            "was there enough memory? its log: {log}",
        ),
        (
            "meet_another_machine",
            "step toy:x ended with status 255:\n    exec /usr/bin/python3: exec format error",
            "this engine cannot run linux/amd64: install its emulation (`qemu-user-static` on Debian)",
        ),
    ],
)
def test_a_step_that_fails(shop: Shop, function: str, message: str, hint: str) -> None:
    error = shop.error(shop.step(function))
    log = shop.publish / "logs" / "toy-x.log"
    assert isinstance(error, StepError)
    assert (error.message, error.hint) == (message, hint.format(log=log))


def test_one_that_is_stopped_leaves_nothing_and_runs_again(shop: Shop) -> None:
    def stop(_function: str) -> None:
        raise KeyboardInterrupt

    shop.engine.before = stop
    with pytest.raises(KeyboardInterrupt):
        shop.build(shop.step())
    assert (shop.artifacts(), shop.builder().result(shop.step())) == ({}, None)
    assert list((shop.store.root / "tmp").iterdir()) == []
    shop.engine.before = lambda _: None
    shop.build(shop.step())
    assert shop.artifacts() == {"made": "ABC!"}


def test_inputs_that_change_meanwhile(shop: Shop) -> None:
    shop.engine.before = lambda _: (shop.text.write_text("changed"), None)[1]
    error = shop.error(shop.step())
    assert str(error) == "step toy:x: its inputs changed while it ran\n  hint: run it again"
    assert not (shop.store.root / "results").exists()


def test_a_spoiled_blob_is_made_again(shop: Shop) -> None:
    shop.build(shop.step())
    shop.spoil(shop.step(), "made")
    assert not shop.build(shop.step()).cached
    assert (shop.engine.runs, shop.artifacts()) == (["upper", "upper"], {"made": "ABC!"})


def test_rules_that_changed_are_applied_without_making_it_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.build(shop.step())
    monkeypatch.setattr(Step, "checks_digest", lambda *_: "new rules")
    assert not shop.builder().is_current(shop.step(), shop.publish)
    assert shop.build(shop.step()).cached
    assert shop.builder().is_current(shop.step(), shop.publish)
    (shop.publish / "made").unlink()
    monkeypatch.setattr(Step, "checks_digest", lambda *_: "newer rules")
    strict = shop.step(checks={"made": lambda _: [Finding("TOY003", Severity.ERROR, "is wrong", "mend it")]})
    assert shop.error(strict).message.endswith("made: TOY003: is wrong\n      hint: mend it")
    assert shop.engine.runs == ["upper", "upper"]


def doubled(shop: Shop) -> tuple[Step, Step]:
    """Return two steps, the first of which keeps its output in the cache."""
    first = shop.step(published={})
    second = shop.step(
        "double",
        name="toy:double",
        inputs={"made": Output(first, "made")},
        outputs=("doubled",),
        checks={},
        published={"doubled": 0o644},
    )
    return first, second


def test_a_step_takes_what_another_made(shop: Shop) -> None:
    shop.build(*doubled(shop))
    assert shop.artifacts() == {"doubled": "ABC!ABC!"}


def test_one_whose_needs_are_not_made(shop: Shop) -> None:
    error = shop.error(doubled(shop)[1])
    assert str(error) == "step toy:double: something it needs has not been made yet"


@pytest.mark.parametrize("damage", [b"spoiled", b"ABD!", None])
def test_an_intermediate_result_that_was_lost_or_spoiled_is_made_anew_by_the_same_run(
    shop: Shop, damage: bytes | None
) -> None:
    first, second = doubled(shop)
    shop.build(first)
    blob = shop.blob(first, "made")
    blob.chmod(0o644)
    if damage is None:
        blob.unlink()
    else:
        blob.write_bytes(damage)
    shop.build(second)
    assert (shop.artifacts(), shop.engine.runs) == ({"doubled": "ABC!ABC!"}, ["upper", "upper", "double"])


def poisoned(shop: Shop, step: Step, text: str, checked: str = "") -> Blob:
    """Have the cache say that the step made `text`, and return what it says of it."""
    builder = shop.builder()
    with builder.store.scratch() as scratch:
        (scratch / "x").write_text(text)
        blob = builder.store.add(scratch / "x")
    builder.store.record(builder.key(step) or "", Result({"made": blob}, 1, checked or step.checks_digest()))
    return blob


def test_a_cache_that_the_lock_disproves_is_not_believed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Line, "note", lambda _self, text: told.append(text))
    first, second = doubled(shop)
    shop.build(first)
    key = shop.builder().key(first) or ""
    right = shop.store.result(key)
    assert right
    shop.locked = {key: right.outputs}
    wrong = poisoned(shop, first, "POISON")
    assert not shop.builder().is_current(first, shop.publish)
    assert shop.builder().key(second) is None
    shop.build(first, second)
    assert list(dict.fromkeys(told)) == [
        f"the cache is wrong, this is made again: made has 6 bytes and the SHA-256 {wrong.sha256}, "
        f"locked are 4 and {right.outputs['made'].sha256}"
    ]
    assert (shop.artifacts(), shop.engine.runs) == ({"doubled": "ABC!ABC!"}, ["upper", "upper", "double"])


def test_the_same_inputs_with_other_bytes_are_an_error(shop: Shop) -> None:
    step = shop.step()
    shop.locked = {shop.builder().key(step) or "": {"made": Blob("e" * 64, 5)}}
    error = shop.error(step)
    made = hashlib.sha256(b"ABC!").hexdigest()
    assert error.message == (
        "step toy:x: same inputs, other bytes: "
        f"made has 4 bytes and the SHA-256 {made}, locked are 5 and {'e' * 64}"
    )
    assert shop.builder().result(step) is None


@pytest.mark.parametrize("checked", ["", "other rules"])
def test_the_rules_hold_for_what_comes_out_of_a_cache(shop: Shop, checked: str) -> None:
    step = shop.step(checks={"made": no_y})
    poisoned(shop, step, "Y", checked)
    assert not shop.build(step).cached
    assert (shop.artifacts(), shop.engine.runs) == ({"made": "ABC!"}, ["upper"])


def test_a_result_without_all_outputs_is_none(shop: Shop) -> None:
    first, second = doubled(shop)
    shop.store.record(shop.builder().key(first) or "", Result({}, 1, first.checks_digest()))
    assert shop.builder().key(second) is None
    shop.build(first, second)
    assert shop.artifacts() == {"doubled": "ABC!ABC!"}


def test_a_file_that_was_another_for_a_moment_is_noticed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(tar: TarFile, name: str, path: Path) -> Entry:
        before = path.read_bytes()
        path.write_text("bad")
        read = add_file(tar, name, path)
        path.write_bytes(before)
        return read

    monkeypatch.setattr("pipeline.sandbox.containers.add_file", meanwhile)
    for inputs in (
        {"text": Source(shop.text)},
        {"text": Pinned(Blob(sha256_of(shop.text), 3), "x", path=shop.text)},
        {"text": Source(shop.text), "folder": Source(shop.code)},
    ):
        error = shop.error(shop.step(inputs=inputs))
        assert str(error) == "step toy:x: its inputs changed while they were read\n  hint: run it again"
    assert shop.engine.runs == []


def gone(path: Path) -> None:
    path.unlink()


def no_longer_a_file(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "why"), [(gone, "No such file or directory"), (no_longer_a_file, "Is a directory")]
)
def test_a_file_that_cannot_be_read_when_it_is_sent_is_named(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None], why: str
) -> None:
    def meanwhile(tar: TarFile, name: str, path: Path) -> Entry:
        spoil(path)
        return add_file(tar, name, path)

    monkeypatch.setattr("pipeline.sandbox.containers.add_file", meanwhile)
    assert str(shop.error(shop.step())) == (
        f"{shop.text}: cannot read: {why}\n  hint: it has to be there as long as this works on it,"
        " on a disk without faults"
    )
    assert shop.engine.runs == []


def test_a_module_that_is_another_when_it_is_sent_is_noticed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder, step = shop.builder(), shop.step()
    assert builder.key(step)
    with (shop.code / "toy_steps.py").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(StepError, match="its inputs changed while they were read"):
        build_step(step, builder, shop.publish, Line.silent())


def test_a_pinned_file_that_is_passed_on_is_what_its_pin_says(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = Pinned(Blob(sha256_of(shop.text), 3), "x", path=shop.text)
    files = Builder.files

    def meanwhile(self: Builder, step: Step, line: Line) -> dict[str, Path]:
        found = files(self, step, line)
        shop.text.write_text("bad")
        return found

    monkeypatch.setattr(Builder, "files", meanwhile)
    error = shop.error(shop.step(inputs={"made": pinned}, container=None, run=None))
    assert error.message == "step toy:x: its inputs changed while they were read"


@pytest.mark.parametrize("changed", [False, True])
def test_a_cache_for_reading_only_that_holds_everything_is_enough(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, *, changed: bool
) -> None:
    steps = doubled(shop)
    shop.build(*steps)
    (shop.publish / "doubled").unlink()
    store = {path: path.stat().st_mtime_ns for path in shop.store.root.rglob("*")}

    def refuse(self: Store, name: str) -> Path:
        raise PipelineError(f"{self.root / name}: no right to make the cache here")

    monkeypatch.setattr(Store, "_folder", refuse)
    if changed:
        monkeypatch.setattr(Step, "checks_digest", lambda *_: "new rules")
    assert shop.build(*steps).cached
    assert shop.artifacts() == {"doubled": "ABC!ABC!"}
    assert store.keys() == set(shop.store.root.rglob("*"))


def test_a_step_without_code_passes_its_inputs_on_through_its_checks(shop: Shop) -> None:
    taken = shop.step(inputs={"made": Source(shop.text)}, container=None, run=None)
    shop.build(taken)
    assert (shop.artifacts(), shop.engine.runs) == ({"made": "abc"}, [])
    shop.text.write_text("Y")
    with pytest.raises(CheckError):
        shop.build(replace(taken, checks={"made": no_y}))


def test_a_disk_without_room_for_a_log_is_a_sentence(shop: Shop) -> None:
    builder = shop.builder()
    work = builder.work(shop.step(), Line.silent())
    with pytest.raises(PipelineError) as caught:
        run.run(builder.sandbox, work, shop.root / "out", Path("/dev/full"))
    assert str(caught.value) == (
        "/dev/full: cannot write: No space left on device\n  hint: free some space on the disk that it is on"
    )


def test_a_log_does_not_fill_the_disk(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MOST_LOG", 20)
    shop.error(shop.step("die"))
    log = (shop.publish / "logs" / "toy-x.log").read_text()
    assert log == f"line 0\nline 1\n{run.LEFT_OUT}"
