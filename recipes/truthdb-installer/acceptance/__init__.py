"""The stories that prove the product: from power-on to the running appliance, and what goes wrong.

What the screens say stands in `screens` alone; `installation` has what must hold of an installed disk.
"""

from acceptance.first_start import FIRST_START
from acceptance.hardened import HARDENED
from acceptance.images import IMAGES
from acceptance.platform import PLATFORM
from acceptance.scenarios import STORIES
from pipeline.boot import stories
from pipeline.steps.runner import Context

__all__ = ["DISKS", "STORIES", "run"]

DISKS = (*IMAGES, *PLATFORM, *FIRST_START, *HARDENED)
"""The stories that start ready-made disks."""


def run(ctx: Context) -> None:
    """Play some of the stories, as `stories.run` says.

    They need, beside the ISO, the program that it was made of, `inputs.installer`, and what that installs,
    `inputs.payload`.
    """
    stories.run(ctx, STORIES)
