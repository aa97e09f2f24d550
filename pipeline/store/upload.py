"""How oras sends what goes into a registry: with credentials that last, while something moves."""

import io
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

import requests
from oras.provider import Registry as Oras
from oras.provider import decorator

from pipeline.store.reply import TIMEOUT, WINDOW, SameOriginSession, ca_bundle, origin, unchanged


class Lend(Protocol):
    """Gives the headers that let a request pass."""

    def __call__(self, *, anew: bool) -> Mapping[str, str]:
        """Return them, others than before where `anew`. Raises FetchError where there are none."""


class Client(Oras):  # type: ignore[misc]
    """The registry at `base`. Credentials go to the origin of this URL alone, wherever it has blobs sent."""

    session: requests.Session

    def __init__(self, base: str, lend: Lend) -> None:
        scheme, _, host = base.partition("://")
        super().__init__(host.partition("/")[0], scheme == "http", ca_bundle())
        self.base, self.lend = base, lend
        cookies, self.session = self.session.cookies, SameOriginSession()
        self.session.cookies = cookies  # which takes none

    def do_request(
        self,
        url: str,
        method: str = "GET",
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        stream: bool = False,
    ) -> requests.Response:
        """Do what the library does, and once more with a new token where one has expired.

        Raises HTTPError for a refusal, of which the library would tell no reason.
        """
        for anew in (False, True):
            lent = self.lend(anew=anew) if origin(url) == origin(self.base) else {}
            sent = {**(headers or {}), **lent}
            answer: requests.Response = self._send(method, url, data, sent, json, stream)
            if answer.status_code != HTTPStatus.UNAUTHORIZED:
                break
        if not answer.ok and method != "HEAD":  # which asks whether a blob is there
            raise requests.HTTPError(f"HTTP {answer.status_code} {answer.reason}", response=answer)
        return answer

    @decorator.retry()  # type: ignore[untyped-decorator]
    def _send(
        self, method: str, url: str, data: bytes | None, headers: Mapping[str, str], json: Any, stream: bool
    ) -> requests.Response:
        return self.session.request(
            method,
            url,
            # Of bytes all would have to be away within the time-out, of a file each piece.
            data=None if data is None else io.BytesIO(data),
            headers=headers,
            json=json,
            stream=stream,
            auth=unchanged,
            verify=self._tls_verify,
            timeout=(WINDOW, TIMEOUT[1]),
        )
