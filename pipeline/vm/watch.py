"""What is seen of one machine while it runs: what it says and shows, what it reached and when, and what that
means.
"""

import time
from collections.abc import Callable, Iterable

from pipeline.vm import symptoms
from pipeline.vm.serial_terminal import Terminal
from pipeline.vm.stages import Stage, reached
from pipeline.vm.symptoms import Cause

FIRST_COMPLAINTS = 8  # lines: what follows is a register dump
LAST_LOGGED = 12  # lines


class Watch:
    """Seconds count from `start`, when the machine's processors begin to run.

    `listener` is told of each stage when it is reached first, with its time; `welcome` is how the machine's
    program greets, if it is waited for.
    """

    def __init__(
        self, listener: Callable[[Stage, float], object] = lambda *_: None, welcome: str = ""
    ) -> None:
        self.times: dict[Stage, float] = {Stage.POWER: 0.0}
        self.timeline: list[tuple[float, str]] = []
        self.terminal = Terminal()
        self.screen = ""
        self.complaints = ""
        self.processors = ""
        self.kernel_log: list[str] = []
        self.quiet_since = 0.0
        self.is_news = False
        self._listener, self._welcome = listener, welcome
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

    def note(self, event: str, at: float | None = None) -> None:
        """Write `event` into the timeline, with its time or now."""
        self.timeline.append((self.now if at is None else at, event))

    def reach(self, stage: Stage, at: float | None = None) -> None:
        """Remember when a stage was reached first; `at` seconds, or now."""
        if stage not in self.times:
            self.times[stage] = self.now if at is None else at
            self.note(str(stage), self.times[stage])
            self._listener(stage, self.times[stage])

    def hear(self, data: bytes) -> None:
        """Take in the next bytes of the serial console."""
        before = len(self.terminal.history)
        self.terminal.feed(data)
        self.quiet_since, self.is_news = self.now, True
        for stage in reached(self.terminal.history, before, self._welcome):
            self.reach(stage)

    def overhear(self, line: str) -> None:
        """Take in a line of QEMU's own messages."""
        self.complaints += line
        self.is_news = True

    def see(self, text: str) -> None:
        """Take in what the screen shows now."""
        self.screen, self.is_news = text, True

    def showing(self) -> list[Cause]:
        """Return the symptoms on the serial console, on the screen and in QEMU's messages, best first."""
        texts = (self.complaints, self.terminal.said(), self.screen, "\n".join(self.kernel_log))
        found = {cause for text in texts for cause in symptoms.find(text, self.stage)}
        return [cause for cause in symptoms.SYMPTOMS if cause in found]

    def diagnose(self, otherwise: Cause | None = None) -> Cause | None:
        """Return why the machine failed: what the best symptom says, else `otherwise`."""
        return next(iter(self.showing()), otherwise)

    def last_words(self, failure: str, cause: Cause | None) -> str:
        """Return what a person is told of `failure`: how far the machine came, and what there was to see."""
        parts = [f"reached {str(self.stage)!r} after {self.times[self.stage]:.1f} s, then failed: {failure}"]
        if cause and cause.sentence not in failure:
            parts.append(f"{cause.sentence} ({cause.hint})")
        for title, lines in (
            ("QEMU says:", self.complaints.splitlines()[:FIRST_COMPLAINTS]),
            ("the screen reads:", self.screen.splitlines()),
            ("the serial console shows (serial.log has all of it):", self.terminal.text().splitlines()),
            ("Linux logged last (kernel.log has all of it):", self.kernel_log[-LAST_LOGGED:]),
        ):
            parts += [title, *_indented(lines)] if any(map(str.strip, lines)) else []
        if not self.terminal.history:
            parts.append("the serial console said nothing")
        if self.processors:
            parts.append(f"processors: {self.processors}")
        return "\n".join(parts)


def _indented(lines: Iterable[str]) -> list[str]:
    return ["    " + line for line in lines if line.strip()]
