"""The stories that prove the stand-in: what it starts, and what it refuses, each on a /boot made for it.

A stand-in that started anything would prove nothing of what stories start with it.
"""

from pipeline.boot import stories
from pipeline.steps.runner import Context
from refusals.scenarios import STORIES

__all__ = ["STORIES", "run"]


def run(ctx: Context) -> None:
    """Play some of the stories, as `stories.run` says; the firmware is both input and what is tried."""
    stories.run(ctx, STORIES)
