"""Caches elsewhere: a folder, a web server or a registry that has blobs by digest, and signed claims by key.

None of them is trusted. A folder, and what a web server serves of it:

    blobs/<sha256>          content
    results/<key>.json      who vouches for what a step made, see `envelope`
"""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Protocol, TypeVar

import requests

from pipeline.store.cache import Blob
from pipeline.store.envelope import Claim, opened
from pipeline.store.files import explained
from pipeline.store.reply import FetchError, Headers, Reply, StoppedError, TooSlowError, short

MOST = 1 << 20
"""Bytes of a claim, or of what leads to one."""

ATTEMPTS = 2
PAUSE = 0.5  # seconds
ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
ABSENT_REASONS = tuple(f"HTTP {status.value} " for status in ABSENT)
UNSETTLED = (HTTPStatus.TOO_MANY_REQUESTS, *(status for status in HTTPStatus if status >= 500))

T = TypeVar("T")


class Get(Protocol):
    """Downloads what is wanted from a URL; returns why it did not, or ""."""

    def __call__(self, url: str, headers: Headers = None) -> str:
        """Download."""


class Remote(Protocol):
    """One cache. What it cannot answer raises FetchError."""

    @property
    def name(self) -> str:
        """What the manifest calls it."""

    def bring(self, blob: Blob, part: Path, get: Get) -> str:
        """Write a blob to `part`, or return why it did not; "" for success."""

    def offers(self, blob: Blob) -> bool:
        """Tell whether it says that it has the blob."""

    def claim(self, key: str) -> bytes | None:
        """Return what it says of the step with this key, None for nothing."""


def small(url: str, stopped: threading.Event, headers: Headers = None, method: str = "GET") -> bytes | None:
    """Return what a URL sends, at most MOST bytes; None where there is nothing. Raises FetchError."""
    reason = ""
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE * attempt)
        answer = Reply(url, stopped, headers, method=method)
        try:
            status, text = answer.status()
            if status in ABSENT:
                return None
            if status == HTTPStatus.OK:
                found = b""
                for piece in answer.pieces():
                    found += piece
                    if len(found) > MOST:
                        raise FetchError(f"a claim of more than {MOST} bytes")
                return found
            reason = f"HTTP {status} {text}"
            if status not in UNSETTLED:
                break
        except TooSlowError as error:
            reason = str(error)
            break
        except requests.RequestException as error:
            reason = short(error)
        finally:
            answer.close()
    raise FetchError(reason)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FetchError(f"{path}: {error.strerror}") from error


def _size(path: Path) -> int | None:
    """Return the bytes of a file, None where there is none."""
    with _readable(path):
        return path.stat().st_size if path.is_file() else None


def copied(source: Path, blob: Blob, part: Path, start: int = 0) -> bool:
    """Copy a blob to `part`, from `start` on in a file, and no byte more; tell whether it is that blob."""
    digest, left = hashlib.sha256(), blob.size
    with _readable(source), source.open("rb") as file, explained(part, "write"), part.open("wb") as target:
        file.seek(start)
        while left and (data := file.read(min(left, 1 << 20))):
            digest.update(data)
            left -= target.write(data)
    if digest.hexdigest() == blob.sha256:
        return True
    part.unlink()
    return False


@dataclass(frozen=True)
class Folder:
    """A cache in a folder of this machine."""

    name: str
    path: Path

    def bring(self, blob: Blob, part: Path, get: Get) -> str:
        """Copy a blob, and no byte more; see `Remote`."""
        del get
        source = self.path / "blobs" / blob.sha256
        size = _size(source)
        if size is None:
            return ABSENT_REASONS[0]
        if size == blob.size and copied(source, blob, part):
            return ""
        return f"{source}: is not what its name says"

    def offers(self, blob: Blob) -> bool:
        """Tell whether there is a file of this name and size."""
        return _size(self.path / "blobs" / blob.sha256) == blob.size

    def claim(self, key: str) -> bytes | None:
        """Return the file about a key."""
        path = self.path / "results" / f"{key}.json"
        if _size(path) is None:
            return None
        with _readable(path), path.open("rb") as file:
            return file.read(MOST)


@dataclass(frozen=True)
class Web:
    """A cache on a web server: such a folder below the URL that is its name."""

    name: str
    stopped: threading.Event

    def bring(self, blob: Blob, part: Path, get: Get) -> str:
        """Download a blob; see `Remote`."""
        del part
        return get(f"{self.name}/blobs/{blob.sha256}")

    def offers(self, blob: Blob) -> bool:
        """Ask for a blob without its content."""
        return small(f"{self.name}/blobs/{blob.sha256}", self.stopped, method="HEAD") is not None

    def claim(self, key: str) -> bytes | None:
        """Download the file about a key."""
        return small(f"{self.name}/results/{key}.json", self.stopped)


@dataclass
class Remotes:
    """Caches in the order in which they are asked; one that fails, or lies, is not asked again.

    `keys` are the public keys whose signature a claim needs, `note` is told what failed, and `taken` counts
    the bytes that came.
    """

    remotes: Sequence[Remote] = ()
    keys: Sequence[str] = ()
    note: Callable[[str], None] = lambda _: None
    taken: int = 0
    given_up: set[str] = field(default_factory=set)
    guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __bool__(self) -> bool:
        return bool(self.remotes)

    def _asked(self, question: Callable[[Remote], T | None]) -> T | None:
        """Return the first answer, None where nobody has one."""
        for remote in self.remotes:
            if remote.name in self.given_up:
                continue
            try:
                found = question(remote)
            except StoppedError:
                raise
            except FetchError as error:
                self._give_up(remote, error.message)
            else:
                if found is not None:
                    return found
        return None

    def _give_up(self, remote: Remote, reason: str) -> None:
        with self.guard:
            told = remote.name in self.given_up
            self.given_up.add(remote.name)
        if not told:
            self.note(f"the cache {remote.name} is not asked any more: {reason}")

    def bring(self, blob: Blob, part: Path, get: Get) -> bool:
        """Write a blob to `part` from the first cache that has it; False where none does."""

        def one(remote: Remote) -> bool | None:
            reason = remote.bring(blob, part, get)
            if reason and not reason.startswith(ABSENT_REASONS):
                raise FetchError(reason)
            return None if reason else True

        if not self._asked(one):
            return False
        with self.guard:
            self.taken += blob.size
        return True

    def offers(self, blob: Blob) -> bool:
        """Tell whether one of them says that it has the blob."""
        return bool(self._asked(lambda remote: remote.offers(blob) or None))

    def claim(self, key: str) -> Claim | None:
        """Return what the step with this key made, as the first says that has it signed by one of `keys`."""

        def one(remote: Remote) -> Claim | None:
            found = remote.claim(key)
            claim = opened(found, self.keys) if found else None
            return claim if claim and claim.key == key else None

        return self._asked(one) if self.keys else None
