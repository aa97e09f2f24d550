"""Where a step runs: the container engine, and how files cross into it and out of it."""
