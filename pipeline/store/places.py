"""Which kind of cache a name of the manifest stands for."""

import threading
from pathlib import Path

from pipeline.store.registry import PLAIN, SECURE, Registry
from pipeline.store.remote import Folder, Remote, Web

FILE = "file:"


def folder_of(name: str, root: Path) -> Path:
    """Return the folder that `file:…` names: relative ones are below `root`."""
    return root / Path(name.removeprefix(FILE).replace("///", "/", 1)).expanduser()


def remote_of(name: str, root: Path, stopped: threading.Event) -> Remote:
    """Return the cache of a name that `config.is_cache` accepts."""
    if name.startswith(FILE):
        return Folder(name, folder_of(name, root))
    if name.startswith((PLAIN, SECURE)):
        return Registry(name, stopped)
    return Web(name.rstrip("/"), stopped)
