"""Which kind of cache a name of the manifest, or of the environment, stands for."""

import threading
from pathlib import Path

from pipeline.config import is_cache
from pipeline.errors import PipelineError
from pipeline.store.registry import PLAIN, SECURE, Registry
from pipeline.store.remote import Folder, Remote, Web

FILE = "file:"


def more_caches(named: str) -> tuple[str, ...]:
    """Return the caches that are named between blanks. Raises PipelineError for what is none."""
    names = tuple(named.split())
    for name in names:
        if not is_cache(name):
            raise PipelineError(
                f"INSTALLER_ISO_CACHE_SOURCES: {name!r} is not a cache",
                "name some as in [caches] of the manifest, such as oci://registry.example.org/team/iso-cache",
            )
    return names


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
