"""Commands on the images of a small checkout, with results as steps would have left them."""

import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.build.record import build_record, made
from pipeline.build.session import Session
from pipeline.cli import burn, commands, realise
from pipeline.errors import ConfigError, PipelineError
from pipeline.inspection import cli
from pipeline.plan.step import Pinned, Source, Step
from pipeline.report import Report
from pipeline.sandbox.docker import EngineError
from pipeline.sandbox.image import digits_of
from pipeline.store.cache import Blob, Result
from tests.fixtures import checkout


@dataclass
class Images:
    """An engine that has images, and nothing else."""

    tags: list[str]
    removed: list[str] = field(default_factory=list)

    def images(self, repository: str) -> list[str]:
        return [tag for tag in self.tags if f"{repository}/" in tag]

    def remove_image(self, tag: str) -> None:
        self.removed.append(tag)


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(tmp_path: Path, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(tmp_path / "cache"))
    root = checkout.write(tmp_path / "checkout")
    monkeypatch.chdir(root)
    monkeypatch.delenv("INSTALLER_ISO_CALLED_FROM", raising=False)
    return Session(root, Report(screen))


def three(session: Session) -> tuple[Step, Step, Step]:
    """Return a chain of three steps without code, and make the session's image of them."""
    blob = Blob("2" * 64, 5)
    (session.root / "text").write_text("hello")
    first = Step(
        name="kernel:toy",
        summary="",
        inputs={"a": Source(session.root / "text"), "b": Pinned(blob, "b")},
        outputs=("a",),
        published={"a": 0o644},
        container=session.project.lock_of("kernel"),
    )
    second = Step(
        name="uki:toy", summary="", inputs={"a": first.output("a")}, outputs=("b",), published={"b": 0o644}
    )
    aside = Step(name="other:toy", summary="", inputs={}, outputs=("c",), published={"c": 0o644})
    vars(session)["plans"] = {"toy": (first, second, aside)}
    return first, second, aside


def leave(session: Session, step: Step, seconds: float) -> None:
    """Leave what a run of the step leaves: result and published files."""
    blobs = {}
    for name in step.outputs:
        with session.store.scratch() as scratch:
            (scratch / name).write_text(f"content of {name}")
            blobs[name] = session.store.add(scratch / name)
    result = Result(blobs, seconds, step.checks_digest())
    session.store.record(session.builder.key(step) or "", result)
    for name, mode in step.published.items():
        session.store.copy(blobs[name], session.folder("toy") / name, mode)


def there(session: Session) -> list[str]:
    return sorted(path.name for path in session.folder("toy").iterdir())


def test_what_follows_from_a_changed_step_is_withdrawn(session: Session) -> None:
    steps = three(session)
    for step in steps:
        leave(session, step, 1)
    realise.withdraw((steps[1], *realise.followers(steps, steps[1])), session.folder("toy"))
    assert there(session) == ["a", "c"]
    realise.withdraw((steps[0], *realise.followers(steps, steps[0])), session.folder("toy"))
    assert there(session) == ["c"]


def test_a_step_that_fails_leaves_no_artifact_of_older_inputs(session: Session, screen: io.StringIO) -> None:
    steps = three(session)
    for step in steps:
        leave(session, step, 1)
    (session.root / "text").unlink()
    session.builder.keys.clear()
    session.builder.sources.clear()
    with pytest.raises(PipelineError):
        realise.realise_step(session, steps[0].name)
    assert there(session) == ["c"]
    assert "✗ kernel:toy" in screen.getvalue()


def test_a_step_from_the_cache_is_published_again_and_said_to_be_cached(
    session: Session, screen: io.StringIO
) -> None:
    steps = three(session)
    leave(session, steps[0], 1)
    (session.folder("toy") / "a").unlink()
    assert not realise.is_current(session, steps[0].name)
    realise.realise_step(session, steps[0].name)
    assert realise.is_current(session, steps[0].name)
    assert (there(session), session.cached) == (["a"], {"kernel:toy"})
    assert screen.getvalue() == "✓ kernel:toy                                       cached\n"


def test_a_build_is_compared_with_what_is_locked(session: Session, screen: io.StringIO) -> None:
    steps = three(session)
    for step in steps:
        leave(session, step, 1)
    assert commands.verify_outputs(session) is False
    assert screen.getvalue() == (
        "not compared with what is locked: manifests/outputs.lock.json: no such file\n"
        "  hint: `./doit lock outputs` writes it anew, of what was built last\n"
    )
    assert commands.lock(session, ["outputs"], check=True) is False
    commands.lock(session, ["outputs"])
    screen.truncate(screen.seek(0))
    assert commands.lock(session, ["outputs"], check=True) is True
    once = made({"one": steps}, session.builder)
    assert made({"one": steps, "carries it": steps}, session.builder) == once
    path = session.root / "manifests/outputs.lock.json"
    key = session.builder.key(steps[0])
    other = path.read_text().replace(
        f'{key}", "name": "a", "size": 12', f'{"0" * 64}", "name": "a", "size": 13'
    )
    assert other != path.read_text()
    path.write_text(other)
    screen.truncate(0)
    screen.seek(0)
    assert commands.verify_outputs(session) is False
    digest = made(session.images, session.builder)[0].sha256
    assert screen.getvalue().splitlines() == [
        f"not what is locked: a of step kernel:toy has 12 bytes and the SHA-256 {digest}, "
        f"manifests/outputs.lock.json says 13 and {digest}",
        "  if that is what you changed: `./doit lock outputs`",
    ]
    path.write_text(other.replace('"size": 13', '"size": 12'))
    screen.truncate(0)
    screen.seek(0)
    assert commands.verify_outputs(session) is True
    assert screen.getvalue().splitlines()[1:] == [
        "  of other inputs than locked: kernel:toy; `./doit lock outputs`"
    ]
    path.write_text("<<<<<<< ours")
    with pytest.raises(ConfigError):
        commands.summarise(session)


def test_what_was_not_built_cannot_be_locked(session: Session) -> None:
    three(session)
    with pytest.raises(PipelineError) as caught:
        commands.lock(session, ["outputs"])
    assert str(caught.value) == "step kernel:toy has not been made\n  hint: run `./doit iso` first"


def test_the_summary(session: Session, screen: io.StringIO) -> None:
    steps = three(session)
    for step, seconds in zip(steps, (600.25, 0.5, 0), strict=True):
        leave(session, step, seconds)
    session.cached.add("uki:toy")
    commands.summarise(session)
    digests = {
        name: result.outputs[name].sha256
        for step in steps
        if (result := session.builder.result(step))
        for name in step.outputs
    }
    lines = screen.getvalue().splitlines()
    assert [line.split() for line in lines[1:5]] == [
        ["artifact", "size", "SHA-256", "seconds"],
        ["a", "12", "B", digests["a"], "600.2"],
        ["b", "12", "B", digests["b"], "0.5"],
        ["c", "12", "B", digests["c"], "0.0"],
    ]
    iso = "artifacts/toy/toy.iso"
    assert lines[6:10] == [
        iso,
        *(f"  to a USB stick:  {line}" for line in burn.commands(iso)),
        "",
    ]
    record = json.loads((session.folder("toy") / "build.json").read_text())
    assert record["version"] == 1
    assert record["steps"][0] == {
        "step": "kernel:toy",
        "key": session.builder.key(steps[0]),
        "container": {"image": "installer-iso/kernel:6666666666666666", "layer": "6" * 64},
        "inputs": {
            "a": {"sha256": session.builder.digest(steps[0].inputs["a"], ""), "size": 5},
            "b": {"sha256": "2" * 64, "size": 5},
        },
        "outputs": {"a": {"sha256": digests["a"], "size": 12}},
        "seconds": 600.25,
        "from_cache": False,
    }
    assert record["steps"][1]["inputs"] == {"a": {"step": "kernel:toy", "sha256": digests["a"], "size": 12}}
    assert record["steps"][1]["container"] is None
    assert [step["from_cache"] for step in record["steps"]] == [False, True, False]
    assert there(session) == ["a", "b", "build.json", "c"]


def test_a_record_that_says_the_same_is_not_written_again(session: Session) -> None:
    steps, path = three(session), session.folder("toy") / "build.json"
    for step in steps:
        leave(session, step, 1)
    inodes = []
    for cached in (set[str](), set[str](), {steps[0].name}):
        build_record(steps, session.builder, path, cached, {})
        inodes.append(path.stat().st_ino)
    assert inodes[0] == inodes[1] != inodes[2]
    assert json.loads(path.read_text())["steps"][0]["from_cache"]


def test_no_record_of_what_was_not_made(session: Session) -> None:
    with pytest.raises(ValueError, match="step kernel:toy has not been made"):
        build_record(three(session), session.builder, session.folder("toy") / "build.json", set(), {})


def test_gc_refuses_a_negative_age(session: Session) -> None:
    with pytest.raises(PipelineError) as caught:
        commands.gc(session, -1)
    assert str(caught.value) == ("--days -1: is negative\n  hint: `./doit gc --days 0` empties the cache")


def test_gc_removes_what_is_old_and_images_that_no_recent_build_used(
    session: Session, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.for_arm64(session.root, "imager")
    wanted, for_arm64 = (session.project.lock_of("imager", each).tag for each in ("amd64", "arm64"))
    old = ["installer-iso/imager:0000000000000000", "localhost/installer-iso/rust:1111111111111111"]
    recent, strange = "installer-iso/rust:2222222222222222", "installer-iso/rust:3333333333333333"
    engine = Images([wanted, for_arm64, f"localhost/{wanted}", *old, recent, strange, "debian:13"])
    for tag in (wanted, for_arm64, *old, recent):
        session.store.use_image(digits_of(tag))
    for tag in (wanted, for_arm64, *old):
        os.utime(session.store.root / "images" / digits_of(tag), (0, 0))
    monkeypatch.setattr("pipeline.sandbox.discovery.connect", lambda: engine)
    leave(session, three(session)[0], 1)
    commands.gc(session, 30)
    assert engine.removed == old
    assert session.store.unused_images(older_than=30 * 86400) == {digits_of(wanted), digits_of(for_arm64)}
    assert screen.getvalue().splitlines() == [
        f"{session.store.root}: 1 results, 1 blobs, 12 B",
        "removed: 0 results, 0 blobs, 0 B",
        *(f"removed: image {tag}" for tag in old),
    ]


def test_paths_are_shown_as_one_would_write_them(session: Session, tmp_path: Path) -> None:
    assert session.shown(session.folder("toy")) == "artifacts/toy"
    assert session.shown(tmp_path / "elsewhere") == str(tmp_path / "elsewhere")


def test_gc_without_an_engine(session: Session, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> None:
        raise EngineError("no container engine answers")

    monkeypatch.setattr("pipeline.sandbox.discovery.connect", nowhere)
    commands.gc(session, 0)
    assert screen.getvalue().splitlines()[-1] == ("no container engine answers: its images are kept")


def test_a_build_forgets_what_was_said_of_the_last_image(session: Session) -> None:
    folder = session.folder("toy")
    (folder / "boot-test/cd").mkdir(parents=True)
    (folder / "build.json").touch()
    realise.forget_verdicts(folder)
    assert list(folder.iterdir()) == []


def test_paths_are_relative_to_where_the_command_was_called(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(session.root / "artifacts"))
    assert session.shown(session.folder("toy")) == "toy"


def test_inspect_is_confined_as_a_task_too(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    confined: list[tuple[int, bool]] = []
    monkeypatch.setattr(cli, "confine", lambda files, *, extracts: confined.append((files, extracts)))
    with pytest.raises(SystemExit) as caught:
        commands.inspect(session, [str(tmp_path / "gone.iso")])
    assert (caught.value.code, confined) == (cli.UNREADABLE, [(1, False)])
    assert "gone.iso" in capsys.readouterr().err
