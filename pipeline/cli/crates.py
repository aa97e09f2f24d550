"""Where the crates that a Cargo.lock names can be downloaded: at the registry, as its index says."""

import json
import threading
import tomllib
from collections.abc import Iterable
from pathlib import Path

from pipeline.store.remote import small
from pipeline.store.reply import FetchError

INDEX = "https://index.crates.io/config.json"
CRATES_IO = ("registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/")
"""What a Cargo.lock calls crates.io, the one registry of which crates are built."""


def crate_urls(locks: Iterable[Path], stopped: threading.Event) -> dict[str, str]:
    """Return the URL of each crate of crates.io that these Cargo.lock files name, by name and version.

    The Cargo Book, "Registry Index": https://doc.rust-lang.org/cargo/reference/registry-index.html#index-configuration
    Raises FetchError where the index does not say where crates are, as far as there are any.
    """
    named = {
        (package["name"], package["version"])
        for lock in locks
        for package in tomllib.loads(lock.read_text(encoding="utf-8")).get("package", [])
        if package.get("source") in CRATES_IO
    }
    folder = _folder(stopped) if named else ""
    return {f"{name} {version}": f"{folder}/{name}/{version}/download" for name, version in sorted(named)}


def _folder(stopped: threading.Event) -> str:
    try:
        return str(json.loads(small(INDEX, stopped) or b"")["dl"])
    except FetchError as error:
        reason = error.message
    except (ValueError, KeyError, TypeError):
        reason = "does not say where crates are"
    raise FetchError(f"{INDEX}: {reason}", "look at the network, then try again")
