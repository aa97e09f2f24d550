"""The build's gates: what a step's artifact has to be before anybody may use it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.checks.finding import POLICIES, Finding, PolicyName

if TYPE_CHECKING:
    from pipeline.checks.kind import Judged


@dataclass(frozen=True, slots=True)
class Gate:
    """A step's check: its artifact is of this kind and has no fault, but for the codes `allowed`.

    `programs` are what an initramfs is for, `setuid` what a root file system may have of such programs.
    """

    kind: str
    allowed: tuple[str, ...] = ()
    policies: tuple[PolicyName, ...] = tuple(POLICIES)
    programs: tuple[str, ...] = ()
    setuid: tuple[str, ...] = ()

    def __call__(self, path: Path) -> list[Finding]:
        """Return what is wrong with the file. OSError when it cannot be read.

        A build puts what it has made and judged into the next artifact, where it is not judged again.
        """
        from pipeline.checks.catalog import (
            take_apart,  # all rules: they take longer to load than doing nothing
        )
        from pipeline.formats.fields import open_image

        judged = _judged(self.policies, self.programs)
        node = take_apart(
            open_image(path),
            path.name,
            self.kind,
            self.policies,
            programs=self.programs,
            setuid=self.setuid,
            judged=judged,
        )
        judged.add(node)
        return [finding for finding in node.all_findings() if finding.code not in self.allowed]


@cache
def _judged(_policies: tuple[PolicyName, ...], _programs: tuple[str, ...]) -> "Judged":
    from pipeline.checks.kind import Judged

    return Judged()
