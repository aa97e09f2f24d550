"""Proves that the same inputs give the same bytes: two builds in surroundings that differ, compared."""
