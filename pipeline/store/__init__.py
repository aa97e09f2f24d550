"""Bytes by digest, results by key, and the downloads that fill them."""
