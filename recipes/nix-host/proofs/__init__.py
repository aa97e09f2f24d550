"""The stories that prove the Nix host: what a user sees at the serial console.

`console` knows how somebody logs in and types; `host` has what must hold of a host that runs.
"""

from pipeline.boot import stories
from pipeline.steps.runner import Context
from proofs.scenarios import STORIES

__all__ = ["STORIES", "run"]


def run(ctx: Context) -> None:
    """Play some of the stories, as `stories.run` says; the disk is `inputs.disk`."""
    stories.run(ctx, STORIES)
