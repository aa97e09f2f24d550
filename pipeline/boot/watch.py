"""Owns what is seen of one machine while it boots: what it said, what it showed, what it reached and when.

Must not touch the machine, nor decide what to do next.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.vm import symptoms
from pipeline.vm.stages import Console, Stage
from pipeline.vm.symptoms import Cause


class Stopped(Exception):  # noqa: N818 - not an error of this program
    """The boot cannot succeed any more. `cause` is what is known without looking at the output."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.sentence)
        self.cause = cause


class Watch:
    """One boot. Seconds count from `start`, when the machine's processors begin to run.

    `listener` is told of each stage when it is reached first, with its time.
    """

    def __init__(self, serial_log: Path, accel: str, listener: Callable[[Stage, float], None]) -> None:
        self.times: dict[Stage, float] = {Stage.POWER: 0.0}
        self.timeline: list[tuple[float, str]] = []
        self.screen = ""
        self.missing: list[str] = []
        self.complaints = ""
        self.quiet_since = 0.0
        self.asked_to_reboot = False
        self._accel = accel
        self._console = Console()
        self._serial_log = serial_log
        self._listener = listener
        self._unjudged = False
        self._start = time.monotonic()

    def start(self) -> None:
        """Set the clock to zero."""
        self._start = time.monotonic()

    @property
    def now(self) -> float:
        """Seconds since power-on."""
        return time.monotonic() - self._start

    @property
    def stage(self) -> Stage:
        """The furthest stage that was reached."""
        return max(self.times)

    @property
    def serial(self) -> str:
        """What the serial console said, as a person reads it."""
        return self._console.text()

    def note(self, event: str, at: float | None = None) -> None:
        """Write `event` into the timeline, with its time or now."""
        self.timeline.append((self.now if at is None else at, event))

    def reach(self, stage: Stage, at: float | None = None) -> None:
        """Remember when a stage was reached first; `at` seconds, or now."""
        if stage not in self.times:
            self.times[stage] = self.now if at is None else at
            self.note(str(stage), self.times[stage])
            self._listener(stage, self.times[stage])

    async def hear(self, serial: asyncio.StreamReader) -> None:
        """Take in what the serial console says, until it closes, and keep every byte of it in the log."""
        with self._serial_log.open("wb", buffering=0) as log:
            while data := await serial.read(1 << 16):
                log.write(data)
                self.quiet_since = self.now
                self._unjudged = True
                for stage in self._console.feed(data):
                    self.reach(stage)

    async def overhear(self, messages: asyncio.StreamReader) -> None:
        """Take in QEMU's own messages, until it ends."""
        while line := await messages.readline():
            self.complaints += line.decode(errors="replace")
            self._unjudged = True

    def see(self, text: str) -> None:
        """Take in what the screen shows now."""
        self.screen = text
        self._unjudged = True

    def judge(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Take in QMP's events; raise Stopped when one of them, or any output, shows that it is over."""
        for event in events:
            match event["event"]:
                case "RESET" if self.asked_to_reboot:
                    self.reach(Stage.REBOOT)
                case "RESET":
                    raise Stopped(symptoms.RESET)
                case "STOP" if self._accel == "kvm":
                    raise Stopped(symptoms.KVM_BROKEN)
                case "SHUTDOWN":
                    raise Stopped(symptoms.OFF)
        if not self._unjudged:
            return
        self._unjudged = False
        for symptom in self.showing():
            if symptom.final:
                raise Stopped(symptom.cause)

    def showing(self) -> list[symptoms.Symptom]:
        """Return the symptoms on the serial console, on the screen and in QEMU's messages, best first."""
        texts = (self.complaints, self.serial, self.screen)
        found = {symptom for text in texts for symptom in symptoms.find(text)}
        return [symptom for symptom in symptoms.SYMPTOMS if symptom in found]

    def diagnose(self, otherwise: Cause) -> Cause:
        """Return why the boot failed: what the best symptom says, else `otherwise`."""
        return next((symptom.cause for symptom in self.showing()), otherwise)
