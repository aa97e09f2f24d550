"""A machine that runs: how it is started and ended, what is pressed on it, and what is waited for."""

import asyncio
import http.client
import json
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

from pipeline.errors import PipelineError
from pipeline.vm import kernel_log, screen
from pipeline.vm.film import Film, filming
from pipeline.vm.machine import Machine, argv, watched
from pipeline.vm.monitor import Monitor, MonitorError, attached
from pipeline.vm.processes import running
from pipeline.vm.serial_terminal import CLEARS, KEYS
from pipeline.vm.stages import Stage, plain
from pipeline.vm.symptoms import Cause
from pipeline.vm.tpm import attached_tpm
from pipeline.vm.watch import Watch

TICK = 0.05
PATIENCE = 400.0  # seconds for whatever must come at last: a busy machine without KVM is slow, not wrong
LAST_LOOK = 30.0  # seconds that a look at what failed may take
SETTLE = 0.5  # for the rest of a panic to arrive

BELOW = 2 << 30
"""Bytes of memory that lie in one piece from address 0 on, if there are as many (QEMU, hw/i386/pc_q35.c)."""
PIECE = 1 << 27
OVERLAP = 1 << 20
"""Bytes of memory that are looked at at once, and how many of those again with the next: no log is longer."""

RESET = "a reset"
PANIC = "Kernel panic - not syncing"

QCODES = {"enter": "ret", "\n": "ret", "-": "minus", ".": "dot", " ": "spc"}
"""QEMU's names of keys (QKeyCode) that are not their character."""


class NotSeenError(Exception):
    """What was waited for did not come: the message says what, and `cause` why, where that is known."""

    def __init__(self, message: str, cause: Cause | None = None) -> None:
        super().__init__(message)
        self.cause = cause


class Session:
    """One run of a machine, from power-on to whatever ends it; its logs and pictures go to `folder`.

    `times` are the seconds since power-on at which something was seen that was waited for. A kernel's panic
    ends all waiting, unless it `may_panic`.
    """

    monitor: Monitor
    _process: Process

    def __init__(self, machine: Machine, folder: Path, watch: Watch | None = None) -> None:
        self.machine, self.folder = machine, folder
        self.watch = watch or Watch()
        self.terminal = self.watch.terminal
        self.times: dict[str, float] = {}
        self.may_panic = False
        self._shown = b""
        self._is_silent = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Build the machine and switch it on; end it on leaving.

        What goes wrong in between is raised as a NotSeenError that says in which run of a machine, why, and
        what was to be seen; a CancelledError, as when time is over, has that as its note.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        try:
            async with AsyncExitStack() as stack:
                machine, fds = self.machine, [theirs.fileno()]
                if machine.tpm_state is not None:
                    tpm = await stack.enter_async_context(attached_tpm(machine.tpm_state))
                    machine, fds = replace(machine, tpm=tpm), [*fds, tpm]
                words = argv(machine, watched(theirs.fileno()))
                self._process = await stack.enter_async_context(running(words, fds=fds, interactive=True))
                theirs.close()
                listening = asyncio.gather(self._hear(), self._overhear())
                try:
                    async with self._switched_on(ours):
                        yield self
                finally:
                    self._end()
                    await listening
        except asyncio.CancelledError as error:
            error.add_note(self._last_words("it was stopped", self.watch.diagnose()))
            raise
        except (NotSeenError, MonitorError) as error:
            given = error.cause if isinstance(error, NotSeenError) else None
            cause = self.watch.diagnose(given)
            failure = cause.sentence if given and cause and cause != given else str(error)
            raise NotSeenError(self._last_words(failure, cause), cause) from error

    @asynccontextmanager
    async def _switched_on(self, channel: socket.socket) -> AsyncIterator[None]:
        async with attached(channel) as self.monitor:
            try:
                self.watch.start()
                await self.monitor.power_on()
                yield
            except (NotSeenError, MonitorError, asyncio.CancelledError):
                await self._look_last()
                raise

    def _last_words(self, failure: str, cause: Cause | None) -> str:
        return f"{self.folder.name}: {self.watch.last_words(failure, cause)}"

    async def _hear(self) -> None:
        """Take in what the serial console says, until the machine ends; keep every byte of it in the log."""
        serial = cast("asyncio.StreamReader", self._process.stdout)
        with (self.folder / "serial.log").open("wb", buffering=0) as log:
            while data := await serial.read(1 << 16):
                log.write(data)
                self.watch.hear(data)
        self._is_silent = True

    async def _overhear(self) -> None:
        """Take in QEMU's own messages, until it ends, and keep them."""
        messages = cast("asyncio.StreamReader", self._process.stderr)
        while line := await messages.readline():
            self.watch.overhear(line.decode(errors="replace"))
        (self.folder / "qemu.log").write_text(self.watch.complaints, encoding="utf-8")

    async def _look_last(self) -> None:
        """Wait for the rest of what a failing machine says; keep what its screen and its processors show."""
        with suppress(PipelineError, OSError):  # no time left, or no room, is no news beside what failed
            async with asyncio.timeout(LAST_LOOK):
                await asyncio.sleep(SETTLE)
                self.watch.processors = await self.monitor.processors()
                await self.lacks("failure", ())
                if self.watch.stage < Stage.KERNEL and await self.monitor.in_kernel():
                    self.watch.reach(Stage.KERNEL)
                if RESET not in self.times:  # which leaves an earlier boot's log in memory
                    await self._read_kernel_log()

    async def _read_kernel_log(self) -> None:
        """Keep what Linux has logged as kernel.log, if its log is in the machine's memory."""
        memory = min(self.machine.memory << 20, BELOW)
        for start in range(0, memory, PIECE):
            size = min(PIECE + OVERLAP, memory - start)
            if lines := kernel_log.find(await self.monitor.memory(start, size, self.folder / "memory")):
                self.watch.kernel_log = lines
                (self.folder / "kernel.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
                return

    def _end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()

    @property
    def now(self) -> float:
        """Seconds since power-on."""
        return self.watch.now

    async def until(self, what: str, holds: Callable[[], bool], timeout: float = PATIENCE) -> float:
        """Wait until something holds; return when it did. Raises NotSeenError after `timeout` seconds."""
        end = self.now + timeout
        while not holds():
            self._is_alive(what)
            if self.now > end:
                raise NotSeenError(f"{what} did not come within {timeout:.0f} s")
            await asyncio.sleep(TICK)
        return self.times.setdefault(what, self.now)

    def _is_alive(self, what: str) -> None:
        """Raise NotSeenError when it is in vain to wait for something."""
        if PANIC in self.terminal.history and not self.may_panic:
            raise NotSeenError(f"Linux panicked while waiting for {what}")
        if self._process.returncode is not None and self._is_silent:  # what it said last counts
            raise NotSeenError(f"the machine ended while waiting for {what}")

    async def see(self, *texts: str, timeout: float = PATIENCE) -> float:
        """Wait until all texts stand on the serial console's screen at once."""
        return await self.until(
            " and ".join(map(repr, texts)),
            lambda: all(text in self.terminal.text() for text in texts),
            timeout,
        )

    async def passes(self, what: str, holds: Callable[[str], bool], since: int | None = None) -> str:
        """Wait until something holds of a screen of the serial console, be it gone by now; return the screen.

        For one that goes away by itself: a busy host may look too late. `since` is how much of the terminal's
        history does not count; unless it is given, what stands there now is the first that does.
        """
        at = max(0, self.terminal.history.rfind(CLEARS)) if since is None else since
        found: list[str] = []

        def seen() -> bool:
            nonlocal at
            *gone, last = self.terminal.history[at:].split(CLEARS)
            at = len(self.terminal.history) - len(last)
            found.extend(each for each in map(plain, (*gone, last)) if holds(each))
            return bool(found)

        await self.until(what, seen)
        return found[0]

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
        if not picture.exists():
            self.watch.note(f"screenshot {picture.name}")
        await self.monitor.screenshot(picture)
        return picture

    async def lacks(self, name: str, words: Iterable[str]) -> list[str]:
        """Read what the screen shows, keep it as `name`.png, and return which of `words` it lacks."""
        picture = await self.photograph(name)
        if (shown := picture.read_bytes()) != self._shown:  # reading takes longer than the look
            self.watch.see(await screen.read(picture))
            self._shown = shown
        return screen.missing(self.watch.screen, words)

    async def shows(self, name: str, *words: str, timeout: float = PATIENCE) -> None:
        """Wait until all words stand on the screen, as OCR reads it; keep the picture as `name`.png."""
        end = self.now + timeout
        while lacking := await self.lacks(name, words):
            if self.now > end:
                raise NotSeenError(f"the screen ({name}.png) lacks {', '.join(map(repr, lacking))}")
            await asyncio.sleep(TICK)

    def filming(self, name: str) -> AbstractAsyncContextManager[Film]:
        """Return a film of the screen while a block runs; its pictures go to the folder `name`."""
        return filming(self.monitor.screenshot, lambda: self.now, self.folder / name)

    async def resets(self, timeout: float = PATIENCE) -> None:
        """Wait until the machine starts anew, as after Reboot."""
        await self.until(
            RESET, lambda: any(event["event"] == "RESET" for event in self.monitor.events()), timeout
        )

    async def get(self, path: str, timeout: float = PATIENCE) -> tuple[int, Any]:
        """Return status and body (JSON, else text) of the service's answer, once there is one."""
        end = self.now + timeout
        while True:
            with suppress(OSError, http.client.HTTPException):
                return await asyncio.to_thread(_get, self.machine.port, path)
            self._is_alive(f"an answer to GET {path}")
            if self.now > end:
                raise NotSeenError(f"GET {path}: no answer within {timeout:.0f} s")
            await asyncio.sleep(4 * TICK)

    async def is_off(self, timeout: float = PATIENCE) -> None:
        """Wait until the machine has switched itself off."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), timeout)
            return
        raise NotSeenError(f"the machine did not switch itself off within {timeout:.0f} s")

    async def switch_off(self) -> None:
        """Press the power button, and wait until the machine has obeyed."""
        await self.monitor.press_power_button()
        await self.is_off()

    async def cut_power(self) -> None:
        """End the machine between two instructions."""
        self._end()
        await self._process.wait()


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
