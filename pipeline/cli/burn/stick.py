"""A disk, and what a person is asked before it is overwritten: what the installer asks, in its words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.report import size_text

ENOUGH = 4  # characters of a serial number that have to be typed


@dataclass(frozen=True)
class Part:
    """A partition, or what fills a disk where `number` is None; `size` in bytes."""

    number: int | None
    size: int
    kind: str = ""
    label: str = ""

    def __str__(self) -> str:
        number = "-" if self.number is None else self.number
        return f"{number:>3}  {size_text(self.size):>9}  {self.kind:<16} {self.label}".rstrip()


@dataclass(frozen=True)
class Stick:
    """A disk, as its system describes it; nothing of it has been opened.

    `node` is what is opened to write to it, and has to be the device of this `number` (`st_rdev`), where that
    is known. `place` tells one insertion from the next. `uses` are sentences that say what of it is mounted,
    or in use otherwise, and `release` is the command that ends that.
    """

    name: str
    node: Path
    model: str
    serial: str
    bus: str
    size: int
    block: int
    removable: bool
    read_only: bool = False
    number: int | None = None
    place: str = ""
    parts: tuple[Part, ...] = ()
    uses: tuple[str, ...] = ()
    release: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.model}, {size_text(self.size)}, {self.bus}"

    @property
    def proof(self) -> str:
        """What has to be typed: the end of the serial number, or the name where there is none."""
        return self.serial[-ENOUGH:].strip() or self.name

    def is_proven_by(self, typed: str) -> bool:
        """Say whether that was typed; capitals do not matter."""
        return typed.strip().lower() == self.proof.lower()

    def question(self, disks: Iterable["Stick"]) -> Iterator[str]:
        """Yield the lines that are shown before anything is written; `disks` are all that the machine has."""
        yield str(self)
        yield f"Serial number {self.serial or 'none'}"
        if self.serial and any(each.name != self.name and each.serial == self.serial for each in disks):
            yield "Another disk has the same."
        if self.parts:
            yield "All of this will be lost"
            yield from (f"  {part}" for part in self.parts)
        else:
            yield "All of this disk will be overwritten"
            yield "  On it: nothing was found."
        what = f"the last {len(self.proof)} characters of its serial number"
        if not self.serial:
            what = f"{self.name}, since this disk has no serial number"
        yield f"If you are sure, type {what}; Enter alone leaves it as it is."

    def judge(self, size: int) -> None:
        """Raise PipelineError where an image of that many bytes must not, or cannot, be written to it."""
        if not self.removable:
            raise PipelineError(
                f"{self}: is not removable", "name a USB stick or a memory card; `./doit burn` lists them"
            )
        if self.size == 0:
            raise PipelineError(f"{self.name}: there is no medium in it", "put one in")
        if self.read_only:
            raise PipelineError(f"{self}: is write-protected", "look for a switch on it, or take another one")
        if self.uses:
            raise PipelineError(f"{self}: is in use: {'; '.join(self.uses)}", self.release)
        if self.size < size:
            raise PipelineError(f"{self}: the image has {size_text(size)}", "take a larger one")
