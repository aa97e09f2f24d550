import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.boot import stories
from pipeline.boot.stories import Lab, Story
from pipeline.errors import PipelineError
from pipeline.steps.runner import Context
from pipeline.vm import disks, machine
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


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab of a system: a raw disk of 1 MiB, and one of each format, which are empty files."""
    inputs = {
        name: tmp_path / name for name in ("disk", "uki", "qcow2", "vhd", "vmdk", "raw.zst", "next-vhd")
    }
    for path in inputs.values():
        path.write_bytes(bytes(1 << 20) if path.name == "disk" else b"")
        path.chmod(0o444)  # as a step's inputs are
    work = tmp_path / "work"
    work.mkdir()
    firmware = Firmware(tmp_path, tmp_path)
    return Lab(inputs, "1", lambda _: None, firmware, "tcg", tmp_path, work, 1, 1)


def test_a_system_s_disk_is_a_copy_as_large_as_asked(lab: Lab) -> None:
    for size in (0, 3 << 20):
        disk = lab.system("ahci", size=size)
        assert (disk.bus, disk.kind, disk.read_only, disk.image.parent) == ("ahci", "raw", False, lab.work)
        assert disk.image.stat().st_size == max(size, 1 << 20)
        assert (disk.image.stat().st_blocks, disk.image.stat().st_mode & 0o222) == (0, 0o200)
        disk.image.write_bytes(b"written")
    assert lab.inputs["disk"].read_bytes() == bytes(1 << 20)


@pytest.mark.parametrize(
    ("of", "driver"), [("qcow2", "qcow2"), ("vhd", "vpc"), ("vmdk", "vmdk"), ("next-vhd", "vpc")]
)
def test_what_is_written_to_another_format_lies_on_top_of_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, of: str, driver: str
) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(disks, "run", lambda *argv: ran.append(argv))
    image = lab.work / f"{of}.img"
    for size, more in ((0, ()), (3 << 30, ("3221225472",))):
        disk = lab.system(of=of, size=size)
        assert (disk.bus, disk.kind, disk.image) == ("virtio-blk", "qcow2", image)
        over = ("-F", driver, "-b", str(lab.inputs[of]), str(image), *more)
        assert ran.pop() == ("qemu-img", "create", "-q", "-f", "qcow2", *over)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"of": "raw.zst"}, "'raw.zst' is no disk that can be started"),
        ({"of": "next-disk"}, "'next-disk' is no disk that can be started"),
        ({"size": 4096}, "disk.img has 1048576 bytes, and cannot be of 4096"),
    ],
)
def test_a_disk_that_cannot_be_started(lab: Lab, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineError) as caught:
        lab.system(**asked)
    assert caught.value.message == said
    assert caught.value.hint in ("there are: disk, qcow2, vhd, vmdk, next-vhd", "take a larger size")


def test_a_story_that_holds_leaves_its_times(ctx: Context) -> None:
    stories.run(Context(ctx.inputs, {**ctx.params, "stories": ["holds"]}, ctx.out, ctx.work), STORIES)
    record = json.loads((ctx.out / "holds" / "result.json").read_text())
    assert record["times"] == {"power-on to Done": 12.5}
    assert record["seconds"] >= 0


def test_whom_firmware_trusts_is_said_anew_each_time(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "run", lambda *_: "")
    own = lab.trusted("own", tpm=True)
    assert (own.firmware, own.tpm_state) != (lab.firmware, None)
    assert own.trusted("off").firmware == lab.firmware
    assert own.trusted("off").tpm_state is None
