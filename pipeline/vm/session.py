"""Owns a machine that runs: what is pressed on it, what is waited for, how it is switched off.

Must not know what the story is.
"""

import asyncio
import http.client
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

from pipeline.vm import screen
from pipeline.vm.film import Film, filming
from pipeline.vm.machine import Machine, argv, watched
from pipeline.vm.monitor import Monitor, MonitorError, attached
from pipeline.vm.processes import running
from pipeline.vm.serial_terminal import KEYS, Terminal

TICK = 0.05
PATIENCE = 400.0  # seconds for whatever must come at last: a busy machine without KVM is slow, not wrong
LAST_LOOK = 10.0  # seconds that a picture of what failed may take
LAST_LINES = 24


class NotSeenError(Exception):
    """What was waited for did not come; the message says what, and what was there instead."""


class Play:
    """One run of a machine, from power-on to whatever ends it. Seconds count from power-on."""

    def __init__(
        self, monitor: Monitor, process: asyncio.subprocess.Process, guest: Machine, folder: Path
    ) -> None:
        self.monitor, self.terminal, self.folder = monitor, Terminal(), folder
        self._process, self._guest = process, guest
        self._start = time.monotonic()
        self.times: dict[str, float] = {}

    @property
    def now(self) -> float:
        """Seconds since power-on."""
        return time.monotonic() - self._start

    async def listen(self) -> None:
        """Take in what the serial console says, until the machine ends."""
        serial = cast("asyncio.StreamReader", self._process.stdout)
        with (self.folder / "serial.log").open("ab", buffering=0) as log:
            while data := await serial.read(1 << 16):
                log.write(data)
                self.terminal.feed(data)

    async def power_on(self) -> None:
        """Let the processors run."""
        self._start = time.monotonic()
        await self.monitor.power_on()

    async def until(self, what: str, holds: Callable[[], bool], timeout: float = PATIENCE) -> float:
        """Wait until something holds; return when it did. Raises NotSeenError after `timeout` seconds."""
        end = self.now + timeout
        while not holds():
            if self._process.returncode is not None:
                raise NotSeenError(f"the machine ended while it was waited for {what}")
            if self.now > end:
                raise NotSeenError(f"{what} did not come within {timeout:.0f} s")
            await asyncio.sleep(TICK)
        return self.times.setdefault(what, self.now)

    async def see(self, *texts: str, timeout: float = PATIENCE) -> float:
        """Wait until all texts stand on the serial console's screen at once."""
        return await self.until(
            " and ".join(map(repr, texts)),
            lambda: all(text in self.terminal.text() for text in texts),
            timeout,
        )

    async def hear(self, text: str, timeout: float = PATIENCE, since: int = 0) -> float:
        """Wait until the serial console has said `text`, whatever stands there now.

        `since` is how much of the terminal's history does not count.
        """
        return await self.until(repr(text), lambda: text in self.terminal.history[since:], timeout)

    async def press(self, key: str, *, on_screen: bool = False) -> None:
        """Press a key: one of KEYS, or a character; `on_screen` is the machine's own keyboard."""
        if on_screen:
            await self.monitor.press(QCODES.get(key, key))
        else:
            await self.write(KEYS.get(key) or key.encode())
        await asyncio.sleep(TICK)

    async def type(self, text: str, *, on_screen: bool = False) -> None:
        """Press the keys of a text of letters and digits."""
        for character in text:
            await self.press(character.lower(), on_screen=on_screen)

    async def write(self, data: bytes) -> None:
        """Send bytes to the serial console."""
        stdin = cast("asyncio.StreamWriter", self._process.stdin)
        stdin.write(data)
        await stdin.drain()

    async def photograph(self, name: str) -> Path:
        """Keep what the screen shows, as `name`.png, which is returned."""
        picture = self.folder / f"{name}.png"
        await self.monitor.screenshot(picture)
        return picture

    async def shows(self, name: str, *words: str, timeout: float = PATIENCE) -> None:
        """Wait until all words stand on the screen, as OCR reads it; keep the picture as `name`.png."""
        end = self.now + timeout
        while lacking := screen.missing(await screen.read(await self.photograph(name)), words):
            if self.now > end:
                raise NotSeenError(f"the screen ({name}.png) lacks {', '.join(map(repr, lacking))}")
            await asyncio.sleep(TICK)

    def filming(self, name: str) -> AbstractAsyncContextManager[Film]:
        """Return a film of the screen while a block runs; its pictures go to the folder `name`."""
        return filming(self.monitor, lambda: self.now, self.folder / name)

    async def resets(self, timeout: float = PATIENCE) -> None:
        """Wait until the machine starts anew, as after Reboot."""
        await self.until(
            "a reset", lambda: any(event["event"] == "RESET" for event in self.monitor.events()), timeout
        )

    async def get(self, path: str, timeout: float = PATIENCE) -> tuple[int, Any]:
        """Return status and body (JSON, else text) of the appliance's answer, once there is one."""
        end = self.now + timeout
        while True:
            with suppress(OSError, http.client.HTTPException):
                return await asyncio.to_thread(_get, self._guest.port, path)
            if self.now > end or self._process.returncode is not None:
                raise NotSeenError(f"GET {path}: no answer within {timeout:.0f} s")
            await asyncio.sleep(4 * TICK)

    async def is_off(self, timeout: float = PATIENCE) -> None:
        """Wait until the machine has switched itself off."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), timeout)
            return
        raise NotSeenError(f"the machine did not switch itself off within {timeout:.0f} s")

    async def cut_power(self) -> None:
        """End the machine between two instructions."""
        self._process.kill()
        await self._process.wait()

    def seen(self) -> str:
        """Return what stands on the serial console, for a message."""
        lines = [line for line in self.terminal.text().splitlines() if line.strip()]
        return "the serial console shows:\n" + "\n".join(f"    {line}" for line in lines[-LAST_LINES:])


QCODES = {"enter": "ret", "-": "minus", ".": "dot", " ": "spc"}
"""QEMU's names of keys (QKeyCode) that are not their character."""


def _get(port: int, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    finally:
        connection.close()
    with suppress(json.JSONDecodeError):
        return response.status, json.loads(text)
    return response.status, text


@asynccontextmanager
async def playing(guest: Machine, folder: Path) -> AsyncIterator[Play]:
    """Build the machine and switch it on; end it on leaving. Its logs and pictures go to `folder`.

    What goes wrong in between, also that time is over, is raised as a NotSeenError that says in which run of
    a machine, and what was to be seen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ours, theirs = socket.socketpair()
    words = argv(guest, watched(theirs.fileno()))
    async with running(words, fds=[theirs.fileno()], interactive=True) as process:
        theirs.close()
        async with _overheard(process, folder), attached(ours) as monitor:
            play = Play(monitor, process, guest, folder)
            listening = asyncio.create_task(play.listen())
            try:
                await play.power_on()
                yield play
            except (NotSeenError, MonitorError, asyncio.CancelledError) as error:
                processors = ""
                with suppress(MonitorError, TimeoutError):
                    async with asyncio.timeout(LAST_LOOK):
                        processors = await monitor.processors()
                        await play.photograph("failure")
                sentence = str(error) or "the story's time is over"
                running_at = f"\nprocessors: {processors}" if processors else ""
                raise NotSeenError(f"{folder.name}: {sentence}\n{play.seen()}{running_at}") from error
            finally:
                _end(process)
                await listening


@asynccontextmanager
async def _overheard(process: asyncio.subprocess.Process, folder: Path) -> AsyncIterator[None]:
    """Keep QEMU's own messages in the file qemu.log; where it does not even start they say why."""
    stream = cast("asyncio.StreamReader", process.stderr)
    reading = asyncio.create_task(stream.read())
    try:
        yield
    except MonitorError as error:
        _end(process)
        said = (await reading).decode(errors="replace").strip()
        raise NotSeenError(f"{folder.name}: {error.message}\nQEMU says: {said}") from error
    finally:
        _end(process)
        (folder / "qemu.log").write_bytes(await reading)


def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
