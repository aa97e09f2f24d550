"""What a person sees while it runs: a line a step, progress where it takes long, tables, errors.

On a terminal lines move; elsewhere they are plain.
"""

import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO, TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:  # rich takes longer to load than many a run: it is, once something has a colour or moves
    from rich.console import Console
    from rich.progress import Progress, TaskID

NAME_WIDTH = 48
QUIET_SECONDS = 20  # between two lines of progress where lines do not move


ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
"""Sequences that move a terminal's cursor, colour it, or change its title (ECMA-48, section 5)."""

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys, or what turns the order of a text around: all but line feeds and tabs."""


def plain(text: str) -> str:
    """Return a text of tools or files as a terminal may show it: without a say over it."""
    return CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", ESCAPES.sub("", text))


def shown(text: str) -> str:
    """Return a text for rich: plain, and without markup."""
    from rich.markup import escape

    return escape(plain(text))


def size_text(size: int) -> str:
    """Return a size in bytes as people read it (1 MB = 10^6 bytes)."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"


@dataclass
class Line:
    """One step's line while it runs; who found its result in the cache, or in one elsewhere, sets `cached` or
    `fetched`, and `left` where nothing of it had to come.
    """

    name: str
    report: "Report | None" = None
    cached: bool = False
    fetched: bool = False
    left: bool = False
    task: "TaskID | None" = None
    started: float = field(default_factory=time.monotonic)
    spoke: float = field(default_factory=time.monotonic)

    @staticmethod
    def silent() -> "Line":
        """Return a line that nobody sees."""
        return Line("")

    @property
    def seconds(self) -> float:
        """The time since the step began."""
        return time.monotonic() - self.started

    def progress(self, done: int, total: int, unit: str) -> None:
        """Show that `done` of `total` are through; `unit` says of what (bytes, objects, crates)."""
        if self.report is None:
            return
        sizes = f"{size_text(done)} of {size_text(total)}"
        amount = sizes if unit == "bytes" else f"{done} of {total} {unit}"
        if self.report.live is not None and self.task is not None:
            self.report.live.update(self.task, completed=done, total=total, amount=shown(amount))
        elif time.monotonic() - self.spoke > QUIET_SECONDS:
            self.spoke = time.monotonic()
            self.report.print(f"  {self.name}: {amount}, {self.seconds:.0f} s")

    def note(self, text: str) -> None:
        """Tell one sentence that must not wait for the step's end."""
        if self.report is not None:
            self.report.print(f"  {self.name}: {text}")


def _console(file: IO[str] | None) -> "Console":
    from rich.console import Console

    return Console(file=file, highlight=False, soft_wrap=True, emoji=False)


class Report:
    """Standard output, or another `file`, shared by all steps of a run."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self.file = file
        self.live: Progress | None = None
        self.running = 0
        self.guard = threading.Lock()

    @cached_property
    def console(self) -> "Console":
        """Where marked lines go."""
        return _console(self.file)

    def print(self, text: str, style: str = "") -> None:
        """Print one line above whatever moves."""
        if self._is_plain:
            print(plain(text), file=self.file)
        else:
            self.console.print(shown(text), style=style or None)

    @property
    def _is_plain(self) -> bool:
        """Whether nothing here can have a colour, or move: rich asks for more than this."""
        return "FORCE_COLOR" not in os.environ and not (self.file or sys.stdout).isatty()

    @contextlib.contextmanager
    def step(self, name: str, summary: str = "") -> Iterator[Line]:
        """Show a step from now until the block ends, then leave one line of it."""
        self._begin()
        line = Line(name, self)
        if self.live is not None:
            line.task = self.live.add_task(shown(name), total=None, amount=shown(summary))
        elif summary:
            self.print(f"  {name}: {summary}")
        failed = True
        try:
            yield line
            failed = False
        finally:
            if self.live is not None and line.task is not None:
                self.live.remove_task(line.task)
            self._end()
            mark, style = ("✗", "red") if failed else ("✓", "green")
            told = {"cached": line.cached, "not needed": line.left, "fetched": line.fetched}
            what = next((word for word, holds in told.items() if holds), f"{line.seconds:6.1f} s")
            self.console.print(f"[{style}]{mark}[/] {shown(name):{NAME_WIDTH}} {'' if failed else what}")

    def unchanged(self, name: str) -> None:
        """Say that there was nothing to do for a step."""
        if self._is_plain:
            self.print(f"✓ {plain(name):{NAME_WIDTH}} unchanged")
        else:
            self.console.print(f"[green]✓[/] {shown(name):{NAME_WIDTH}} [dim]unchanged[/]")

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; columns whose heading ends in a colon hold numbers, aligned to the right.

        Lines are as long as they have to be: a digest that is cut off is of no use to anybody.
        """
        names = [heading.rstrip(":") for heading in headings]
        widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]

        def line(cells: Sequence[str]) -> str:
            padded = [
                cell.rjust(width) if heading.endswith(":") else cell.ljust(width)
                for cell, width, heading in zip(cells, widths, headings, strict=True)
            ]
            return "  ".join(padded).rstrip()

        self.print(line(names), style="bold")
        for row in rows:
            self.print(line(row))

    def answer(self, mark: str, subject: str, found: str, hint: str) -> None:
        """Print one line of an examination; `mark` may hold rich's markup."""
        self.console.print(f"{mark} {shown(subject):20} {shown(found)}")
        if hint:
            self.console.print(f"  {'':20} hint: {shown(hint)}")

    def error(self, error: PipelineError) -> None:
        """Print what is wrong, and what to do, on standard error."""
        errors = _console(sys.stderr)
        errors.print(f"[red bold]error:[/] {shown(error.message)}")
        if error.hint:
            errors.print(f"[bold]  hint:[/] {shown(error.hint)}")

    def _begin(self) -> None:
        with self.guard:
            self.running += 1
            if self.running == 1 and self.console.is_terminal:
                from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

                columns = (
                    SpinnerColumn(),
                    TextColumn(f"{{task.description:{NAME_WIDTH}}}"),
                    TimeElapsedColumn(),
                    BarColumn(bar_width=20),
                    TextColumn("{task.fields[amount]}"),
                )
                self.live = Progress(*columns, console=self.console, transient=True)
                self.live.start()

    def _end(self) -> None:
        with self.guard:
            self.running -= 1
            if self.running == 0 and self.live is not None:
                self.live.stop()
                self.live = None
