import asyncio
import json
from pathlib import Path

import pytest

from pipeline.boot import stories
from pipeline.boot.stories import Lab, Story
from pipeline.errors import PipelineError
from pipeline.steps.runner import Context
from pipeline.vm import machine
from pipeline.vm.machine import Firmware
from pipeline.vm.session import NotSeenError


async def holds(lab: Lab) -> None:
    lab.times["power-on to Done"] = 12.5
    (lab.work / "disk.img").write_bytes(b"large")


async def does_not_hold(_lab: Lab) -> None:
    raise NotSeenError("'Done' did not come within 180 s")


async def has_no_tool(_lab: Lab) -> None:
    raise PipelineError("'sfdisk' is not installed", "add it")


async def has_no_room(_lab: Lab) -> None:
    raise OSError(28, "No space left on device", "/build/work")


async def has_a_mistake(_lab: Lab) -> None:
    dict[str, bytes]()["BootOrder"]


async def never_ends(_lab: Lab) -> None:
    await asyncio.sleep(60)


TOLD: dict[str, tuple[Story, str]] = {
    "holds": (holds, ""),
    "does-not-hold": (does_not_hold, "'Done' did not come within 180 s"),
    "has-no-tool": (has_no_tool, "'sfdisk' is not installed\n  hint: add it"),
    "has-no-room": (has_no_room, "[Errno 28] No space left on device: '/build/work'"),
    "has-a-mistake": (has_a_mistake, "a traceback"),
    "never-ends": (never_ends, "it did not come to its end within 0 s"),
}


STORIES = {name: story for name, (story, _) in TOLD.items()}


@pytest.fixture
def ctx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A boot container with an ISO in it, and stories that need none."""
    monkeypatch.setattr(stories, "LIMIT", 0.2)
    monkeypatch.setattr(machine, "find_firmware", lambda: Firmware(tmp_path / "code", tmp_path / "vars"))
    inputs = {name: tmp_path / name for name in ("iso", "installer", "payload")}
    for path in inputs.values():
        path.write_bytes(b"content")
    for name in ("out", "work"):
        (tmp_path / name).mkdir()
    params = {
        "stories": list(TOLD),
        "accel": "tcg",
        "version": "0.1.0",
        "folder": "boot-test/install",
        "seed": 7,
    }
    return Context(inputs, params, tmp_path / "out", tmp_path / "work")


def test_every_story_is_told_whatever_became_of_those_before(ctx: Context) -> None:
    with pytest.raises(PipelineError) as caught:
        stories.run(ctx, STORIES)
    for name, (_, failure) in TOLD.items():
        record = json.loads((ctx.out / name / "result.json").read_text())
        assert (record["story"], record["seed"]) == (name, 7)
        assert record["failure"] == failure or name == "has-a-mistake"
        assert not (ctx.work / name).exists(), "disks are large"
    said = caught.value.message
    assert "has-a-mistake: Traceback" in said
    assert "in has_a_mistake\n" in said
    assert "does-not-hold: 'Done' did not come within 180 s\n" in said
    assert "\nholds:" not in f"\n{said}"
    assert caught.value.hint == "logs and pictures: boot-test/install/does-not-hold"


def test_a_story_that_holds_leaves_its_times(ctx: Context) -> None:
    stories.run(Context(ctx.inputs, {**ctx.params, "stories": ["holds"]}, ctx.out, ctx.work), STORIES)
    record = json.loads((ctx.out / "holds" / "result.json").read_text())
    assert record["times"] == {"power-on to Done": 12.5}
    assert record["seconds"] >= 0
