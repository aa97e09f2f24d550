"""Names the first structure in which two artifacts differ: `first_difference` is the way in."""

from pipeline.compare.difference import Difference, first_difference

__all__ = ["Difference", "first_difference"]
