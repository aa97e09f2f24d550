"""Owns the cache: blobs by SHA-256, downloads into them, results of steps by key, and their cleaning.

Must not know recipes, steps' meaning or engines. Everything that appears here appears by one rename
of a complete file, so a reader never sees a half; a blob is hashed again each time it is used.

    blobs/<sha256>          content
    results/<key>.json      what a step made: names, digests, sizes; its mtime is its last use
    locks/<name>.lock       one process makes a thing, the others wait
    tmp/                    what is being written
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock
import platformdirs

from pipeline.errors import PipelineError

ABANDONED = 86400  # seconds: scratch that is older belongs to no build that still runs


@dataclass(frozen=True)
class Blob:
    """A file by content: SHA-256 in hex and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Result:
    """What a step made. `seconds` is how long it took then; `checked` the digest of the rules it passed."""

    outputs: dict[str, Blob]
    seconds: float
    checked: str


@dataclass(frozen=True)
class Usage:
    """What the store holds, or what a cleaning would remove: counts, and bytes on disk."""

    results: int
    blobs: int
    size: int


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn the operating system's errors into a sentence that names the path and what is needed."""
    try:
        yield
    except PermissionError as error:
        raise PipelineError(
            f"{path}: no right to {doing} here ({error.strerror})",
            "make it writable for this user, or set INSTALLER_ISO_CACHE to a folder that is",
        ) from error
    except OSError as error:
        if error.errno is None:  # not the system's: requests.RequestException is an OSError, too
            raise
        name = error.filename or path
        raise PipelineError(
            f"{name}: cannot {doing}: {error.strerror}",
            "free some space (`./doit gc` cleans the cache), or set INSTALLER_ISO_CACHE to another disk"
            if error.errno in (errno.ENOSPC, errno.EDQUOT)
            else "the path above has to be a writable folder on a disk with a few GB free",
        ) from error


def default_root() -> Path:
    """Return the cache's folder: INSTALLER_ISO_CACHE, else what is usual on this system."""
    if chosen := os.environ.get("INSTALLER_ISO_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("installer-iso"))


class Store:
    """The cache below one folder, which many processes may use at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        with explained(folder, "make the cache"):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextlib.contextmanager
    def lock(self, name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the lock `name` against other processes; call `waiting` once if another has it."""
        path = self._folder("locks") / f"{name}.lock"
        with explained(path, "take a lock"):
            lock = filelock.FileLock(path)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                waiting()
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

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
            path.unlink(missing_ok=True)
        return None

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
        """Copy a blob out to `target` in one rename; False when the store does not hold it intact."""
        path = self.find(blob)
        if path is None:
            return False
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        with explained(target, "write"):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(path, partial)
                partial.chmod(mode)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
        return True

    def result(self, key: str) -> Result | None:
        """Return what the step with this key made, or None; outputs may have been lost since."""
        path = self.root / "results" / f"{key}.json"
        with contextlib.suppress(OSError):
            os.utime(path)
        return _read_result(path)

    def record(self, key: str, result: Result) -> None:
        """Remember what the step with this key made."""
        path = self._folder("results") / f"{key}.json"
        with self.scratch() as scratch, explained(path, "write"):
            partial = scratch / path.name
            partial.write_text(json.dumps(asdict(result), indent=1, sort_keys=True) + "\n")
            partial.replace(path)

    def touch(self, blob: Blob) -> None:
        """Note that a build used this blob, so that cleaning keeps it."""
        with contextlib.suppress(OSError):
            os.utime(self._place(blob))

    def usage(self) -> Usage:
        """Return what the store holds now."""
        blobs = self._files("blobs")
        return Usage(len(self._files("results")), len(blobs), sum(path.stat().st_size for path in blobs))

    def clean(self, older_than: float) -> Usage:
        """Remove results and blobs not used for `older_than` seconds, and scratch of dead processes."""
        horizon = time.time() - older_than
        kept: set[str] = set()
        results = 0
        for path in self._files("results"):
            if path.stat().st_mtime < horizon:
                path.unlink(missing_ok=True)
                results += 1
            elif result := _read_result(path):
                kept |= {blob.sha256 for blob in result.outputs.values()}
        blobs = [p for p in self._files("blobs") if p.name not in kept and p.stat().st_mtime < horizon]
        size = sum(path.stat().st_size for path in blobs)
        abandoned = min(horizon, time.time() - ABANDONED)
        scratch = [path for path in self._files("tmp") if path.stat().st_mtime < abandoned]
        for path in [*blobs, *scratch]:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return Usage(results, len(blobs), size)

    def _files(self, name: str) -> list[Path]:
        folder = self.root / name
        return sorted(folder.iterdir()) if folder.is_dir() else []


def _read_result(path: Path) -> Result | None:
    try:
        data = json.loads(path.read_text())
        outputs = {name: Blob(**blob) for name, blob in data["outputs"].items()}
        return Result(outputs, data["seconds"], data["checked"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
