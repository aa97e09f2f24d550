"""The comparison of what two builds made, and the proof that it would see a difference."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.compare.difference import Difference, first_difference
from pipeline.formats.fields import open_image
from pipeline.plan.step import file_name
from pipeline.sandbox.run import StepError
from pipeline.store.files import sha256_of


@dataclass(frozen=True)
class Pair:
    """One artifact of one step, as each build made it."""

    step: str
    name: str
    first: Path
    second: Path

    @property
    def size(self) -> int:
        """Bytes of the first."""
        return self.first.stat().st_size

    @cached_property
    def sha256(self) -> str:
        """The digest of the first."""
        return sha256_of(self.first)


@dataclass(frozen=True)
class Divergence:
    """An artifact that is not the same, and where."""

    pair: Pair
    difference: Difference

    def text(self) -> str:
        """Return it as one line."""
        return f"step {self.pair.step}, {self.pair.name}: {self.difference.text()}"


def divergences(pairs: Sequence[Pair]) -> list[Divergence]:
    """Return the artifacts that differ, in the order of the steps: the first is where it began."""
    found = [(pair, first_difference(open_image(pair.first), open_image(pair.second))) for pair in pairs]
    return [Divergence(pair, difference) for pair, difference in found if difference is not None]


def plant(pairs: Sequence[Pair], folder: Path) -> Divergence:
    """Change one byte of one artifact, and return how the comparison tells it.

    Which byte follows from the artifacts, so it is another one for every version. Raises StepError
    when the comparison does not find it, or anything else.
    """
    candidates = [pair for pair in pairs if pair.size]
    if not candidates:
        raise StepError("no artifact has a byte to change", "choose another --step")
    number = int(candidates[0].sha256, 16)
    pair = candidates[number % len(candidates)]
    offset = number % pair.size
    planted = folder / "planted"
    shutil.copyfile(pair.first, planted)
    with planted.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 0x01]))
    found = divergences([Pair(pair.step, pair.name, pair.first, planted)])
    if [(each.difference.offset, each.difference.count) for each in found] != [(offset, 1)]:
        raise StepError(
            f"a byte was changed at offset {offset:#x} of {pair.name}, and the comparison "
            f"{'told: ' + found[0].text() if found else 'did not see it'}",
            "what it says of other files cannot be trusted: this is a defect of this program",
        )
    return found[0]


def keep(pairs: Sequence[Pair], folder: Path) -> None:
    """Copy both files of each pair below `folder`, instead of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    for pair in pairs:
        for side, path in (("first", pair.first), ("second", pair.second)):
            kept = folder / side / file_name(pair.step) / pair.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, kept)
