"""Downloads: exactly the bytes that a pin names, from the first source that has them.

The size and SHA-256 are checked while they arrive; a part that was cut off is continued (RFC 9110, section
14); only a complete and right file enters the store.
"""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests

from pipeline.store.cache import Blob, Store
from pipeline.store.files import explained
from pipeline.store.reply import CHUNK, LEAST, FetchError, Headers, Reply, StoppedError, TooSlowError, short

ATTEMPTS = 4  # that bring nothing
MOST_ATTEMPTS = 30  # of one source, whatever they bring
FINAL = {400, 401, 403, 404, 410, 451}
"""Status codes that a second try does not change."""

TRANSIENT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)

Progress = Callable[[int], None]


class _TryAgainError(Exception):
    """Something that may be over in a moment."""


class _WrongBytesError(Exception):
    """Something else than what the pin names."""


class _GiveUpError(Exception):
    """Something that this source will not change."""


def _have(part: Path, digest: "hashlib._Hash") -> int:
    """Feed what is there of a part to `digest`; return its length in bytes."""
    size = 0
    with contextlib.suppress(FileNotFoundError), part.open("rb") as file:
        while data := file.read(CHUNK):
            digest.update(data)
            size += len(data)
    return size


def _attempt(
    url: str, headers: Headers, blob: Blob, part: Path, progress: Progress, stopped: threading.Event
) -> None:
    """Complete `part` from one source, or raise after leaving it in a state worth continuing."""
    digest = hashlib.sha256()
    done = _have(part, digest)
    if done == blob.size and digest.hexdigest() == blob.sha256:
        return
    if done >= blob.size:
        part.unlink()
        done, digest = 0, hashlib.sha256()
    answer = Reply(url, stopped, headers, start=done)
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


def _from_one(
    url: str, headers: Headers, blob: Blob, part: Path, progress: Progress, stopped: threading.Event
) -> str:
    """Complete `part` from one source and return "", or return why this source is given up.

    A source that sends wrong bytes is asked once more (a proxy may have a bad copy), one that breaks
    off is asked as long as each attempt brings more, and a few times besides; one that trickles, or stalls
    before enough came, once more, too: its connection may have been lost.
    """
    failures, reached, slow, reason = 0, 0, 0, ""
    for _ in range(MOST_ATTEMPTS):
        if stopped.is_set():
            raise StoppedError
        try:
            _attempt(url, headers, blob, part, progress, stopped)
        except _GiveUpError as error:
            return str(error)
        except _WrongBytesError as error:
            reason = str(error)
            failures += ATTEMPTS // 2
        except TooSlowError as error:
            reason = str(error)
            slow += 1
        except _TryAgainError as error:
            reason = str(error)
            failures += 1
        except TRANSIENT as error:
            reason = short(error)
            failures += 1
        except requests.RequestException as error:
            return short(error)
        else:
            return ""
        now = part.stat().st_size if part.exists() else 0
        if now - reached >= LEAST:
            slow = 0
        if now > reached:
            reached, failures = now, 1
        if failures >= ATTEMPTS or slow >= ATTEMPTS // 2:
            return reason
        time.sleep(0.2 * 2**failures)
    return f"{MOST_ATTEMPTS} attempts, the last: {reason}"


def _found(store: Store, blob: Blob, progress: Progress) -> Path | None:
    path = store.find(blob)
    if path is not None:
        progress(blob.size)
        store.touch(blob)
    return path


def fetch(
    store: Store, blob: Blob, urls: Sequence[str], what: str, progress: Progress = lambda _: None
) -> Path:
    """Return the path of `blob` in the store, taking it from the first remote cache or of `urls` that has it.

    `progress` is called with the number of bytes so far. Raises FetchError when no source has it,
    naming each source and what it answered, where the store is offline, or when this process is stopped
    (`store.stopped`).
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

        def get(url: str, headers: Headers = None) -> str:
            return _from_one(url, headers, blob, part, progress, store.stopped)

        remotes = store.remotes()
        if remotes and remotes.bring(blob, part, get):
            progress(blob.size)
            store.add(part)
            return store.root / "blobs" / blob.sha256
        if store.offline:
            raise lacking(store, what)
        for url in urls:
            reason = get(url)
            if not reason:
                store.add(part)
                return store.root / "blobs" / blob.sha256
            tried.append(f"{url}: {reason}")
    hosts = ", ".join(sorted({urlsplit(url).hostname or url for url in urls}))
    raise FetchError(
        f"download of {what} failed:\n    " + "\n    ".join(tried or ["no source is known for it"]),
        f"look at the network, the proxy and the CA settings for {hosts}" if hosts else "",
    )


def lacking(store: Store, what: str) -> FetchError:
    """Return what is said of something that is needed and neither there nor in an archive, while offline."""
    remotes = store.remotes()
    where = f"neither in the cache nor in {remotes.remotes[0].name}" if remotes else "not in the cache"
    return FetchError(
        f"{what} is {where}, and --offline forbids to fetch it",
        "`./doit vendor FILE`, where there is a network, makes an archive that has it: --inputs FILE",
    )


def measure(store: Store, url: str, progress: Progress = lambda _: None) -> Blob:
    """Return what `url` sends now, which is in the store then: for a pin that is about to be made.

    Raises FetchError where it sends nothing, or not all that it announced.
    """
    answer = Reply(url, store.stopped)
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
        except (requests.RequestException, TooSlowError) as error:
            raise FetchError(f"{url}: {short(error)}", "look at the network, then try again") from error
        return store.add(scratch / "file")


NO_HEAD = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)


@dataclass(frozen=True)
class Lack:
    """Why a source does not have a file, and whether asking it again is of no use."""

    reason: str
    final: bool


def lacks(url: str, size: int | None, stopped: threading.Event) -> Lack | None:
    """Return why `url` has no file of `size` bytes (None: of any) now, None where it has one.

    The file is not downloaded. Raises FetchError when this process is stopped.
    """
    lack = None
    for method, start in (("HEAD", 0), ("GET", (size or 1) - 1)):  # where there is no HEAD, its last byte
        answer = Reply(url, stopped, start=start, method=method)
        with contextlib.closing(answer):
            try:
                status, text = answer.status()
            except (requests.RequestException, TooSlowError) as error:
                return Lack(short(error), final=False)
        lack = Lack(f"HTTP {status} {text}", status in FINAL)
        if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            length = answer.said.get("Content-Length")
            wrong = method == "HEAD" and size is not None and length not in (None, str(size))
            return Lack(f"has {length} bytes, not {size}", final=True) if wrong else None
        if status not in NO_HEAD:
            break
    return lack
