"""The film of a boot: what the screen showed, several times a second, each picture once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

EVERY = 0.2  # seconds between two frames


Camera = Callable[[Path], Awaitable[None]]
"""What writes a picture of a screen to a file, as a PNG."""


@dataclass(frozen=True)
class Shot:
    """From `at`, in seconds since power-on, on the screen showed `picture`, a PNG."""

    at: float
    picture: Path


@dataclass
class Film:
    """What a screen showed: `frames` were looked at, `shots` are those that differ from the one before."""

    folder: Path
    shots: list[Shot] = field(default_factory=list)
    frames: int = 0
    ended: float = 0.0

    def take(self, at: float, picture: Path) -> None:
        """Add the frame `picture`, which was taken at `at`; keep it under a name made of its content."""
        content = hashlib.sha256(picture.read_bytes()).hexdigest()
        kept = picture.replace(self.folder / f"{content[:16]}.png")
        self.frames += 1
        self.ended = at
        if not self.shots or self.shots[-1].picture != kept:
            self.shots.append(Shot(at, kept))


async def _roll(film: Film, camera: Camera, clock: Callable[[], float]) -> None:
    frame = film.folder / "frame.png"
    while True:
        at = clock()
        await camera(frame)
        film.take(at, frame)
        await asyncio.sleep(max(0.0, at + EVERY - clock()))


@asynccontextmanager
async def filming(camera: Camera, clock: Callable[[], float], folder: Path) -> AsyncIterator[Film]:
    """Film what the screen shows until the block is left; pictures go to `folder`, `clock` tells seconds.

    A camera that fails raises its error when the block is left: a film with a gap proves nothing.
    """
    folder.mkdir(parents=True)
    film = Film(folder)
    rolling = asyncio.create_task(_roll(film, camera, clock))
    try:
        yield film
    finally:
        rolling.cancel()
        with suppress(asyncio.CancelledError):
            await rolling
