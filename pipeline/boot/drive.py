"""Owns the way through one boot: what is waited for, what is pressed, when the screen is looked at.

Must not know how the machine was made, nor how its boot is reported.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from pipeline.boot.watch import Stopped, Watch
from pipeline.vm import screen, symptoms
from pipeline.vm.monitor import Monitor
from pipeline.vm.stages import Stage

FAILURE = "failure.png"

TICK = 0.05
SPLASH_AFTER = 0.5  # seconds from the start of the EFI program to the screenshot of the splash
LOOK_AFTER = 5.0  # seconds of silence on serial after which the screen may tell more
PRESS_EVERY = 1.0
SETTLE = 0.5  # for the rest of a panic to arrive


class Boot:
    """One machine that has just been built and is still off; `folder` takes its screenshots."""

    def __init__(self, monitor: Monitor, watch: Watch, folder: Path) -> None:
        self._monitor = monitor
        self._watch = watch
        self._folder = folder

    async def drive(self, words: Sequence[str], timeout: float) -> None:
        """Power on, wait for the greeting, find `words` on the screen, press Q, see the reboot.

        Raises Stopped as soon as that cannot succeed any more, at the latest after `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                self._watch.start()
                await self._monitor.power_on()
                await self._greeting_on_serial()
                await self._greeting_on_screen(words)
                await self._leave()
        except TimeoutError:
            raise Stopped(symptoms.STUCK[self._watch.stage]) from None

    async def last_look(self) -> None:
        """Wait for the rest of what a failing machine says, and keep what its screen shows."""
        await asyncio.sleep(SETTLE)
        await self._look(FAILURE)

    async def _photograph(self, name: str) -> Path:
        file = self._folder / name
        if not file.exists():
            self._watch.note(f"screenshot {name}")
        await self._monitor.screenshot(file)
        return file

    async def _look(self, name: str) -> None:
        self._watch.see(await screen.read(await self._photograph(name)))

    async def _tick(self) -> None:
        await asyncio.sleep(TICK)
        self._watch.judge(self._monitor.events())

    async def _greeting_on_serial(self) -> None:
        watch = self._watch
        looked = 0.0
        photographed = False
        while Stage.SERIAL not in watch.times:
            await self._tick()
            started = watch.times.get(Stage.LOADER)
            if started is not None and not photographed and watch.now > started + SPLASH_AFTER:
                await self._photograph("splash.png")
                photographed = True
            # A quiet kernel says nothing: that it runs shows in the processor alone.
            if started is not None and Stage.KERNEL not in watch.times and await self._monitor.in_kernel():
                watch.reach(Stage.KERNEL)
            if watch.now > max(looked, watch.quiet_since) + LOOK_AFTER:
                await self._look("silence.png")
                looked = watch.now

    async def _greeting_on_screen(self, words: Sequence[str]) -> None:
        while True:
            await self._tick()
            taken = self._watch.now
            await self._look("welcome.png")
            self._watch.missing = screen.missing(self._watch.screen, words)
            if not self._watch.missing:
                self._watch.reach(Stage.SCREEN, taken)
                return

    async def _leave(self) -> None:
        watch = self._watch
        watch.asked_to_reboot = True
        pressed = -PRESS_EVERY
        while Stage.REBOOT not in watch.times:
            if watch.now > pressed + PRESS_EVERY:
                # A keyboard may come later than the greeting, so one key press may go nowhere.
                await self._monitor.press("q")
                pressed = watch.now
                watch.note("pressed Q")
            await self._tick()
