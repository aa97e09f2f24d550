"""The cache: blobs by SHA-256, downloads into them, results of steps by key, and their cleaning.

Everything that appears here appears by one rename of a complete file, so a reader never sees a half; a blob
is hashed again each time it is used.

    blobs/<sha256>          content
    results/<key>.json      what a step made: names, digests, sizes; its mtime is its last use
    locks/<name>.lock       one process makes a thing, the others wait
    images/<digits>         of a builder image that an engine has: its mtime is its last use
    tmp/                    what is being written
"""

import contextlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import platformdirs
from pydantic import Field, ValidationError

from pipeline import config
from pipeline.config import Sha256
from pipeline.errors import PipelineError
from pipeline.store.files import copy_digested, explained, is_folder, replacing, sha256_of, write_atomically

if TYPE_CHECKING:
    import filelock

    from pipeline.store.remote import Remotes

ABANDONED = 86400  # seconds: scratch that is older belongs to no build that still runs


@dataclass(frozen=True)
class Blob:
    """A file by content: SHA-256 in hex and size in bytes."""

    sha256: Sha256
    size: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class CommandLine:
    """A command that a step ran: its folder, "" for that of all, and what was added to the environment."""

    argv: tuple[str, ...]
    cwd: str = ""
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a step made. `seconds` is how long it took then; `checked` the digest of the rules it passed.

    `commands` is what it ran for that, None where nobody wrote it down. What was `fetched` was made
    elsewhere: those of its outputs that nobody has needed yet may still be there, and have passed no rule.
    """

    outputs: dict[str, Blob]
    seconds: float
    checked: str
    commands: tuple[CommandLine, ...] | None = None
    fetched: bool = False


@dataclass(frozen=True)
class Usage:
    """What the store holds, or what a cleaning would remove: counts, and bytes on disk."""

    results: int
    blobs: int
    size: int


def default_root() -> Path:
    """Return the cache's folder: INSTALLER_ISO_CACHE, else what is usual on this system.

    Raises PipelineError where that is below a home folder and the user has none.
    """
    try:
        if chosen := os.environ.get("INSTALLER_ISO_CACHE"):
            return Path(chosen).expanduser().absolute()
        return Path(platformdirs.user_cache_dir("installer-iso"))
    except RuntimeError:  # neither HOME nor the list of users names one
        raise PipelineError(
            "the cache's folder is below a home folder, and this user has none",
            "set HOME, or INSTALLER_ISO_CACHE to a folder that this user may write to",
        ) from None


class _SpoiledError(Exception):
    """A blob that is not what its name says."""


class Store:
    """The cache below one folder, which many processes may use at once.

    Once this process has `stopped`, nobody in it waits for a download or a lock any more. `remotes` are
    caches elsewhere, of which blobs come that it lacks; `from_source`, results from there are none;
    `offline`, nothing is downloaded.
    """

    def __init__(
        self,
        root: Path,
        remotes: "Callable[[], Remotes | None]" = lambda: None,
        *,
        from_source: bool = False,
        offline: bool = False,
    ) -> None:
        self.root, self.stopped = root, threading.Event()
        self.remotes, self.from_source, self.offline = remotes, from_source, offline
        self.results: dict[str, Result] = {}  # that this process has read

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        with explained(folder, "make the cache"):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextlib.contextmanager
    def lock(self, name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the lock `name` against other processes; call `waiting` once if another has it.

        Raises PipelineError when this process is stopped while it waits.
        """
        import filelock  # a build with nothing to do takes no lock

        path = self._folder("locks") / f"{name}.lock"
        with explained(path, "take a lock"):
            lock = filelock.FileLock(path)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                waiting()
                self._wait(lock)
        try:
            yield
        finally:
            lock.release()

    def _wait(self, lock: "filelock.BaseFileLock") -> None:
        import filelock

        try:
            lock.acquire(cancel_check=self.stopped.is_set)
        except filelock.Timeout:
            raise PipelineError("stopped") from None

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a fresh folder on the cache's file system, and remove it afterwards."""
        with explained(self.root / "tmp", "write"):
            folder = Path(tempfile.mkdtemp(dir=self._folder("tmp")))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _place(self, blob: Blob) -> Path:
        return self.root / "blobs" / blob.sha256

    def find(self, blob: Blob) -> Path | None:
        """Return the path of a blob whose content is what its name says; a corrupt one is thrown away."""
        path = self._place(blob)
        with explained(path, "read"):
            if not path.is_file():
                return None
            if path.stat().st_size == blob.size and sha256_of(path) == blob.sha256:
                return path
        self._discard(blob)
        return None

    def _discard(self, blob: Blob) -> None:
        """Throw a blob away that is not what its name says. Nothing happens where the cache is read-only."""
        with contextlib.suppress(OSError):
            self._place(blob).unlink(missing_ok=True)

    def holds(self, blob: Blob) -> bool:
        """Tell whether a blob of this name and size is there, without reading it."""
        path = self._place(blob)
        return path.is_file() and path.stat().st_size == blob.size

    def add(self, path: Path) -> Blob:
        """Move a complete file from scratch into the store."""
        blob = Blob(sha256_of(path), path.stat().st_size)
        place = self._folder("blobs") / blob.sha256
        with explained(place, "write"):
            path.chmod(0o444)
            path.replace(place)
        return blob

    def copy(self, blob: Blob, target: Path, mode: int) -> bool:
        """Copy a blob out to `target` in one rename; False when the store does not hold it intact.

        What is compared with its digest is what was copied.
        """
        source = self._place(blob)
        if not source.is_file():
            return False
        try:
            with explained(target, "write", cache=False):
                target.parent.mkdir(parents=True, exist_ok=True)
                with replacing(target, mode) as file:
                    _copy_intact(source, file, blob)
        except _SpoiledError:
            self._discard(blob)
            return False
        return True

    def result(self, key: str) -> Result | None:
        """Return what the step with this key made, or None; outputs may have been lost since."""
        if key not in self.results:
            path = self.root / "results" / f"{key}.json"
            with contextlib.suppress(OSError):
                os.utime(path)
            if (read := _read_result(path)) is None:
                return None
            self.results[key] = read
        result = self.results[key]
        return None if result.fetched and self.from_source else result

    def record(self, key: str, result: Result) -> None:
        """Remember what the step with this key made."""
        path = self._folder("results") / f"{key}.json"
        with explained(path, "write"):
            write_atomically(path, json.dumps(asdict(result), indent=1, sort_keys=True) + "\n")
        self.results.pop(key, None)

    def forget(self, key: str) -> None:
        """Forget what the step with this key made; its outputs stay until they are cleaned."""
        path = self.root / "results" / f"{key}.json"
        with explained(path, "remove"):
            path.unlink(missing_ok=True)
        self.results.pop(key, None)

    def touch(self, blob: Blob) -> None:
        """Note that a build used this blob, so that cleaning keeps it."""
        with contextlib.suppress(OSError):
            os.utime(self._place(blob))

    def use_image(self, name: str) -> None:
        """Note that a build uses this image. Nothing happens where the cache is read-only."""
        with contextlib.suppress(OSError, PipelineError):
            (self._folder("images") / name).touch()

    def unused_images(self, older_than: float) -> set[str]:
        """Return the images that builds with this cache used once, and none for `older_than` seconds."""
        horizon = time.time() - older_than
        return {path.name for path in self._files("images") if path.lstat().st_mtime < horizon}

    def forget_image(self, name: str) -> None:
        """Forget an image that is gone."""
        (self.root / "images" / name).unlink(missing_ok=True)

    def usage(self) -> Usage:
        """Return what the store holds now."""
        blobs = self._files("blobs")
        return Usage(len(self._files("results")), len(blobs), sum(path.lstat().st_size for path in blobs))

    def clean(self, older_than: float) -> Usage:
        """Remove results and blobs not used for `older_than` seconds, and scratch of dead processes."""
        horizon = time.time() - older_than
        self.results.clear()
        kept: set[str] = set()
        results = 0
        for path in self._files("results"):
            if path.lstat().st_mtime < horizon:
                path.unlink(missing_ok=True)
                results += 1
            elif result := _read_result(path):
                kept |= {blob.sha256 for blob in result.outputs.values()}
        blobs = [p for p in self._files("blobs") if p.name not in kept and p.lstat().st_mtime < horizon]
        size = sum(path.lstat().st_size for path in blobs)
        abandoned = min(horizon, time.time() - ABANDONED)
        scratch = [path for path in self._files("tmp") if path.lstat().st_mtime < abandoned]
        for path in [*blobs, *scratch]:
            shutil.rmtree(path) if is_folder(path) else path.unlink(missing_ok=True)
        return Usage(results, len(blobs), size)

    def _files(self, name: str) -> list[Path]:
        folder = self.root / name
        return sorted(folder.iterdir()) if folder.is_dir() else []


def _copy_intact(source: Path, target: IO[bytes], blob: Blob) -> None:
    if copy_digested(source, target) != blob.sha256:
        raise _SpoiledError


def _read_result(path: Path) -> Result | None:
    """Return what a file says of a result, read as strictly as a lock: None for anything else.

    Names and digests in it become paths, so that they have to be what they say they are.
    """
    with contextlib.suppress(OSError, ValidationError):
        found: Result | None = config.adapter(Result).validate_json(path.read_bytes())
        return found
    return None
