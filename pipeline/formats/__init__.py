"""Readers and writers of bytes: pure functions over files, no policy, no subprocess."""
