"""Downloads: exactly the bytes that a pin names, from the first source that has them.

The size and SHA-256 are checked while they arrive; a part that was cut off is continued (RFC 9110, section
14); only a complete and right file enters the store.
"""

import contextlib
import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import certifi
import requests

from pipeline.errors import PipelineError
from pipeline.report import size_text
from pipeline.store.cache import Blob, Store
from pipeline.store.files import explained

CHUNK = 1 << 15
ATTEMPTS = 4  # that bring nothing
MOST_ATTEMPTS = 30  # of one source, whatever they bring
LEAST = 1 << 17  # bytes, or the rest, that have to come in each
WINDOW = 30  # seconds
LOOK = 0.5  # seconds, after which one looks whether this process was stopped
STOPPED = "stopped"
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces
FINAL = {400, 401, 403, 404, 410, 451}
"""Status codes that a second try does not change."""

TRANSIENT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)

Progress = Callable[[int], None]


class FetchError(PipelineError):
    """Something that no source has, or none sends whole."""


class _TryAgainError(Exception):
    """Something that may be over in a moment."""


class _WrongBytesError(Exception):
    """Something else than what the pin names."""


class _TooSlowError(Exception):
    """A source that trickles, or has stopped sending."""


class _GiveUpError(Exception):
    """Something that this source will not change."""


def ca_bundle() -> str:
    """Return the CA bundle that the environment names, by any of the names in use, else a common one.

    Raises FetchError when it names a file that is not there.
    """
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    for name in names:
        if value := os.environ.get(name):
            if not Path(value).is_file():
                raise FetchError(f"{name}: there is no CA bundle {value}", "correct or unset it")
            return value
    return certifi.where()


def _have(part: Path, digest: "hashlib._Hash") -> int:
    """Feed what is there of a part to `digest`; return its length in bytes."""
    size = 0
    with contextlib.suppress(FileNotFoundError), part.open("rb") as file:
        while data := file.read(CHUNK):
            digest.update(data)
            size += len(data)
    return size


class _Answer:
    """What a source sends, read in a thread of its own: `pieces` waits for each of them only so long.

    A read's own time-out begins anew with every byte, in the headers, too. A thread whose source trickles is
    left alone: it ends with the next piece, or with this process.
    """

    def __init__(self, url: str, start: int, stopped: threading.Event) -> None:
        self.url, self.start, self.stopped = url, start, stopped
        self.coming: queue.Queue[requests.Response | bytes | BaseException | None] = queue.Queue(8)
        self.left = threading.Event()
        self.arrived, self.until = 0, time.monotonic() + WINDOW
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        # Compressed transfer would make lengths and ranges mean something else.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={self.start}-"} if self.start else {})
        try:
            with (
                requests.Session() as session,
                session.get(
                    self.url, headers=headers, stream=True, timeout=TIMEOUT, verify=ca_bundle()
                ) as answer,
            ):
                self._hand(answer)
                for data in answer.iter_content(CHUNK):
                    if self.left.is_set():
                        return
                    self._hand(data)
            self._hand(None)
        except BaseException as error:  # raised where it is waited for
            self._hand(error)

    def _hand(self, piece: requests.Response | bytes | BaseException | None) -> None:
        while not self.left.is_set():
            with contextlib.suppress(queue.Full):
                self.coming.put(piece, timeout=1)
                return

    def _take(self) -> requests.Response | bytes | None:
        while not self.stopped.is_set():
            left = self.until - time.monotonic()
            with contextlib.suppress(queue.Empty):
                piece = self.coming.get(timeout=min(max(left, 0), LOOK))
                if isinstance(piece, BaseException):
                    raise piece
                return piece
            if left <= 0:
                raise _TooSlowError(f"sent less than {size_text(LEAST)} in {WINDOW} seconds")
        raise FetchError(STOPPED)

    def status(self) -> tuple[int, str]:
        """Return status code and reason, which come first."""
        answer = cast("requests.Response", self._take())
        return answer.status_code, answer.reason

    def pieces(self) -> Iterator[bytes]:
        """Give the body. Raises _TooSlowError where it trickles, and what `requests` raises."""
        while isinstance(piece := self._take(), bytes):
            yield piece
            self.arrived += len(piece)
            if self.arrived >= LEAST:
                self.arrived, self.until = 0, time.monotonic() + WINDOW

    def close(self) -> None:
        """Take nothing more of it."""
        self.left.set()


def _attempt(url: str, blob: Blob, part: Path, progress: Progress, stopped: threading.Event) -> None:
    """Complete `part` from one source, or raise after leaving it in a state worth continuing."""
    digest = hashlib.sha256()
    done = _have(part, digest)
    if done == blob.size and digest.hexdigest() == blob.sha256:
        return
    if done >= blob.size:
        part.unlink()
        done, digest = 0, hashlib.sha256()
    answer = _Answer(url, done, stopped)
    with contextlib.closing(answer):
        status, reason = answer.status()
        if status in FINAL:
            raise _GiveUpError(f"HTTP {status} {reason}")
        if status not in (200, 206):
            part.unlink(missing_ok=True)
            raise _TryAgainError(f"HTTP {status} {reason}")
        if status == 200:
            done, digest = 0, hashlib.sha256()
        progress(done)
        with explained(part, "write"), part.open("ab" if done else "wb") as file:
            for data in answer.pieces():
                done += len(data)
                if done > blob.size:
                    break
                digest.update(data)
                file.write(data)
                progress(done)
    if done < blob.size:
        raise _TryAgainError(f"cut off after {done} of {blob.size} bytes")
    if done > blob.size or digest.hexdigest() != blob.sha256:
        part.unlink()
        got = f"more than {blob.size} bytes" if done > blob.size else f"SHA-256 {digest.hexdigest()}"
        raise _WrongBytesError(f"expected {blob.size} bytes, SHA-256 {blob.sha256}, got {got}")


def _from_one(url: str, blob: Blob, part: Path, progress: Progress, stopped: threading.Event) -> str:
    """Complete `part` from one source and return "", or return why this source is given up.

    A source that sends wrong bytes is asked once more (a proxy may have a bad copy), one that breaks
    off is asked as long as each attempt brings more, and a few times besides; one that trickles once more,
    too: its connection may have been lost.
    """
    failures, reached, slow, reason = 0, 0, 0, ""
    for _ in range(MOST_ATTEMPTS):
        if stopped.is_set():
            raise FetchError(STOPPED)
        try:
            _attempt(url, blob, part, progress, stopped)
        except _GiveUpError as error:
            return str(error)
        except _WrongBytesError as error:
            reason = str(error)
            failures += ATTEMPTS // 2
        except _TooSlowError as error:
            reason = str(error)
            slow += 1
        except _TryAgainError as error:
            reason = str(error)
            failures += 1
        except TRANSIENT as error:
            reason = _short(error)
            failures += 1
        except requests.RequestException as error:
            return _short(error)
        else:
            return ""
        now = part.stat().st_size if part.exists() else 0
        if now > reached:
            reached, failures = now, 1
        if failures >= ATTEMPTS or slow >= ATTEMPTS // 2:
            return reason
        time.sleep(0.2 * 2**failures)
    return f"{MOST_ATTEMPTS} attempts, the last: {reason}"


def _short(error: Exception) -> str:
    """Return the innermost reason of a requests exception, which else tells its whole life."""
    while (inner := getattr(error, "reason", None) or error.__context__) and isinstance(inner, Exception):
        error = inner
    return f"{type(error).__name__}: {error}".split(": ", 1)[-1].strip() or type(error).__name__


def _found(store: Store, blob: Blob, progress: Progress) -> Path | None:
    path = store.find(blob)
    if path is not None:
        progress(blob.size)
        store.touch(blob)
    return path


def fetch(
    store: Store, blob: Blob, urls: Sequence[str], what: str, progress: Progress = lambda _: None
) -> Path:
    """Return the path of `blob` in the store, downloading it from the first of `urls` that has it.

    `progress` is called with the number of bytes so far. Raises FetchError when no source has it,
    naming each source and what it answered, or when this process is stopped (`store.stopped`).
    """
    if path := _found(store, blob, progress):  # without a lock: a cache may be for reading only
        return path
    with store.lock(f"blob-{blob.sha256}"):
        if path := _found(store, blob, progress):
            return path
        tried = []
        with explained(store.root, "write"):
            (store.root / "tmp").mkdir(parents=True, exist_ok=True)
        part = store.root / "tmp" / f"{blob.sha256}.part"
        for url in urls:
            reason = _from_one(url, blob, part, progress, store.stopped)
            if not reason:
                store.add(part)
                return store.root / "blobs" / blob.sha256
            tried.append(f"{url}: {reason}")
    hosts = ", ".join(sorted({urlsplit(url).hostname or url for url in urls}))
    raise FetchError(
        f"download of {what} failed:\n    " + "\n    ".join(tried or ["no source is known for it"]),
        f"look at the network, the proxy and the CA settings for {hosts}" if hosts else "",
    )


def measure(store: Store, url: str, progress: Progress = lambda _: None) -> Blob:
    """Return what `url` sends now, which is in the store then: for a pin that is about to be made.

    Raises FetchError where it sends nothing, or not all that it announced.
    """
    answer = _Answer(url, 0, store.stopped)
    with contextlib.closing(answer), store.scratch() as scratch:
        try:
            status, reason = answer.status()
            if status != HTTPStatus.OK:
                raise FetchError(f"{url}: HTTP {status} {reason}", "check the URL")
            done = 0
            with (scratch / "file").open("wb") as file:
                for data in answer.pieces():
                    file.write(data)
                    done += len(data)
                    progress(done)
        except (requests.RequestException, _TooSlowError) as error:
            raise FetchError(f"{url}: {_short(error)}", "look at the network, then try again") from error
        return store.add(scratch / "file")
