"""Fuzzing of every reader: `python -m tests.fuzz --minutes 5` for all, or for the targets that are named."""
