"""What a server sends, over HTTP: with the certificates that the environment names, and not for ever."""

import contextlib
import functools
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from pipeline.errors import PipelineError
from pipeline.report import size_text

CHUNK = 1 << 15
LEAST = 1 << 17  # bytes, or the rest, that have to come in each
WINDOW = 30  # seconds
LOOK = 0.5  # seconds, after which one looks whether this process was stopped
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Headers = Mapping[str, str] | None
"""Of a request, with all credentials; None where ~/.netrc is to be asked for them."""


class FetchError(PipelineError):
    """Something that no source has, or none sends whole."""


class StoppedError(FetchError):
    """Something that was not fetched because this process ends: no source is to blame."""

    def __init__(self) -> None:
        super().__init__("stopped")


class TooSlowError(Exception):
    """A source that trickles, or has stopped sending."""


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


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of a URL (RFC 6454, section 4). Raises ValueError for what is no port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authenticate a request by its own headers alone: without this, an entry of ~/.netrc replaces them."""
    return request


@functools.cache
def _connections() -> HTTPAdapter:
    """Return the connections of this process, which serve one request after another."""
    return HTTPAdapter()


class SameOriginSession(requests.Session):
    """Follows redirects, and has credentials, given or of ~/.netrc, stay with the origin that they were for.

    The library itself would look each host up in ~/.netrc anew, also where a redirect leads to plain HTTP.
    It has cookies of its own, and shares connections with all others: closing it would close them.
    """

    def __init__(self) -> None:
        super().__init__()
        for scheme in tuple(self.adapters):
            self.mount(scheme, _connections())

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Take the credentials out of a request that a response of another origin has led to."""
        if origin(prepared_request.url or "") != origin(response.request.url or ""):
            prepared_request.headers.pop("Authorization", None)


class Reply:
    """What a source sends, read in a thread of its own: `pieces` waits for each of them only so long.

    A read's own time-out begins anew with every byte, in the headers, too. A thread whose source trickles is
    left alone: it ends with the next piece, or with this process.
    """

    def __init__(
        self,
        url: str,
        stopped: threading.Event,
        headers: Headers = None,
        *,
        start: int = 0,
        method: str = "GET",
    ) -> None:
        self.url, self.method, self.stopped = url, method, stopped
        self.auth = None if headers is None else unchanged
        # Compressed transfer would make lengths and ranges mean something else.
        self.headers = {**(headers or {}), "Accept-Encoding": "identity"}
        if start:
            self.headers["Range"] = f"bytes={start}-"
        self.said: Mapping[str, str] = NO_HEADERS
        self.coming: queue.Queue[requests.Response | bytes | BaseException | None] = queue.Queue(8)
        self.left = threading.Event()
        self.arrived, self.until = 0, time.monotonic() + WINDOW
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            with SameOriginSession().request(
                self.method,
                self.url,
                headers=self.headers,
                stream=True,
                allow_redirects=True,
                timeout=TIMEOUT,
                verify=ca_bundle(),
                auth=self.auth,
            ) as answer:
                self._hand(answer)
                for data in answer.iter_content(CHUNK):
                    if self.left.is_set():
                        return
                    self._hand(data)
            self._hand(None)
        except requests.RequestException as error:  # raised where it is waited for
            self._hand(error)
        except (ValueError, HTTPError) as error:  # of a URL that it is sent to, and that is none
            self._hand(requests.exceptions.InvalidURL(str(error)))
        except BaseException as error:
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
                raise TooSlowError(f"sent less than {size_text(LEAST)} in {WINDOW} seconds")
        raise StoppedError

    def status(self) -> tuple[int, str]:
        """Return status code and reason, which come first; `said` are the headers then."""
        answer = cast("requests.Response", self._take())
        self.said = answer.headers
        return answer.status_code, answer.reason

    def pieces(self) -> Iterator[bytes]:
        """Give the body. Raises TooSlowError where it trickles, and what `requests` raises."""
        while isinstance(piece := self._take(), bytes):
            yield piece
            self.arrived += len(piece)
            if self.arrived >= LEAST:
                self.arrived, self.until = 0, time.monotonic() + WINDOW

    def close(self) -> None:
        """Take nothing more of it."""
        self.left.set()


def short(error: Exception) -> str:
    """Return the innermost reason of a requests exception, which else tells its whole life."""
    while (inner := getattr(error, "reason", None) or error.__context__) and isinstance(inner, Exception):
        error = inner
    return f"{type(error).__name__}: {error}".split(": ", 1)[-1].strip() or type(error).__name__
