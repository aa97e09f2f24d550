import asyncio
from pathlib import Path

import pytest

from pipeline.vm import film
from pipeline.vm.film import Film, Shot, filming
from pipeline.vm.monitor import MonitorError


class Screen:
    """A screen that shows one content after another; the last one stays."""

    def __init__(self, *contents: str, breaks: bool = False) -> None:
        self.contents, self.breaks = list(contents), breaks
        self.now = 0.0

    async def screenshot(self, file: Path) -> None:
        self.now += film.EVERY
        if self.breaks and len(self.contents) == 1:
            raise MonitorError("QEMU hung up")
        file.write_text(self.contents[0])
        if len(self.contents) > 1:
            del self.contents[0]


async def filmed(screen: Screen, folder: Path) -> Film:
    async with filming(screen.screenshot, lambda: screen.now, folder) as taken:
        await asyncio.sleep(0.05)
    return taken


def test_each_picture_is_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film, "EVERY", 0.001)
    screen = Screen("black", "black", "splash", "black", "welcome")
    taken = asyncio.run(filmed(screen, tmp_path / "film"))
    contents = [shot.picture.read_text() for shot in taken.shots]
    assert contents == ["black", "splash", "black", "welcome"]
    assert taken.frames > len(taken.shots)
    assert [shot.at for shot in taken.shots] == sorted(shot.at for shot in taken.shots)
    assert taken.ended >= taken.shots[-1].at


def test_a_camera_that_fails_is_no_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film, "EVERY", 0.001)
    with pytest.raises(MonitorError, match="QEMU hung up"):
        asyncio.run(filmed(Screen("black", "splash", breaks=True), tmp_path / "film"))


def test_a_frame_like_the_last_is_no_shot(tmp_path: Path) -> None:
    taken = Film(tmp_path)
    for at, content in enumerate(("a", "a", "b")):
        frame = tmp_path / "frame.png"
        frame.write_text(content)
        taken.take(float(at), frame)
    assert taken.frames == 3
    assert taken.shots == [Shot(0.0, taken.shots[0].picture), Shot(2.0, taken.shots[1].picture)]
