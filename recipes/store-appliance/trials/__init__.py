"""The stories that prove the store-shaped system: what its administrator sees at the serial console.

`firmware` has those of a firmware that verifies /boot; `disks` changes what lies on a disk; `system` has what
must hold of a system that runs.
"""

from pipeline.boot import stories
from pipeline.steps.runner import Context
from trials import firmware, scenarios

STORIES = {**scenarios.STORIES, **firmware.STORIES}

__all__ = ["STORIES", "run"]


def run(ctx: Context) -> None:
    """Play some of the stories, as `stories.run` says; the disk is `inputs.disk`."""
    stories.run(ctx, STORIES)
