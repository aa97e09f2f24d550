"""The build's gates: what a step's artifact has to be before anybody may use it."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.checks.finding import POLICIES, Finding, PolicyName


@dataclass(frozen=True, slots=True)
class Gate:
    """A step's check: its artifact is of this kind and has no fault, but for the codes `allowed`."""

    kind: str
    allowed: tuple[str, ...] = ()
    policies: tuple[PolicyName, ...] = tuple(POLICIES)
    programs: tuple[str, ...] = ()

    def __call__(self, path: Path) -> list[Finding]:
        """Return what is wrong with the file. OSError when it cannot be read."""
        from pipeline.checks.catalog import (
            take_apart,  # all rules: they take longer to load than doing nothing
        )
        from pipeline.formats.fields import open_image

        node = take_apart(open_image(path), path.name, self.kind, self.policies, programs=self.programs)
        return [finding for finding in node.all_findings() if finding.code not in self.allowed]
