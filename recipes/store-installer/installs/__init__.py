"""The stories that prove the installer of the store-shaped system: on a whole disk, and beside another one.

`installer` has what is told to it and what its screens say; `installed` what must hold of a disk afterwards;
`others` makes disks with another system, and knows what of them must stay.
"""

from installs.scenarios import STORIES
from pipeline.boot import stories
from pipeline.steps.runner import Context

__all__ = ["STORIES", "run"]


def run(ctx: Context) -> None:
    """Play some of the stories, as `stories.run` says; the ISO is `inputs.iso`, its set `inputs.payload`."""
    stories.run(ctx, STORIES)
