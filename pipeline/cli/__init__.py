"""Everything behind `./doit`: commands, tasks, and what they print."""
