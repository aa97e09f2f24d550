"""Debian packages: which ones, where from, and what is in them."""
