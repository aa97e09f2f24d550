"""A cache in a registry: blobs by digest, and under each step's key a manifest of what it made.

The interface is that of the OCI distribution specification (https://github.com/opencontainers/distribution-spec),
asked with credentials from docker's config.json. A manifest's layers keep a registry from cleaning them away;
its config is the envelope of who vouches for them, or an empty object.
"""

import base64
import contextlib
import functools
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests

from pipeline.config import is_url
from pipeline.errors import PipelineError
from pipeline.store.cache import Blob
from pipeline.store.remote import Get, small
from pipeline.store.reply import FetchError, Reply, TooSlowError, short

if TYPE_CHECKING:
    from pipeline.store.upload import Client

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
NOTHING = "application/vnd.oci.empty.v1+json"
CONTENT = "application/octet-stream"
TITLE = "org.opencontainers.image.title"
LEASE = 45  # seconds: a token is good for 60 at least
EXPIRED = f"HTTP {HTTPStatus.UNAUTHORIZED.value} "
LARGE = 1 << 26
"""Bytes of a blob that is sent in pieces: others are read into memory."""

PLAIN, SECURE = "oci+http://", "oci://"
LOG_IN = "`docker login` writes credentials into docker's config.json; a CA of your own: REQUESTS_CA_BUNDLE"


class Registry:
    """A repository of a registry; `name` is `oci://registry/repository`, `oci+http://…` without TLS."""

    def __init__(self, name: str, stopped: threading.Event) -> None:
        self.name, self.stopped = name, stopped
        self.insecure = name.startswith(PLAIN)
        self.host, _, self.repository = name.removeprefix(PLAIN).removeprefix(SECURE).partition("/")
        self.base = f"{'http' if self.insecure else 'https'}://{self.host}/v2/{self.repository}"
        self.guard = threading.Lock()
        self.client: Client | None = None
        self.lent: dict[str, tuple[float, dict[str, str]]] = {}

    def _blob(self, digest: str) -> str:
        return f"{self.base}/blobs/{digest}"

    def bring(self, blob: Blob, part: Path, get: Get) -> str:
        """Download a blob; see `Remote`. A token that expires meanwhile is renewed once."""
        del part
        url = self._blob(f"sha256:{blob.sha256}")
        reason = get(url, self.headers())
        if reason.startswith(EXPIRED):
            reason = get(url, self.headers(anew=True))
        return reason

    def offers(self, blob: Blob) -> bool:
        """Ask for a blob without its content."""
        return small(self._blob(f"sha256:{blob.sha256}"), self.stopped, self.headers(), "HEAD") is not None

    def claim(self, key: str) -> bytes | None:
        """Return the config of the key's manifest, if it is an envelope."""
        accept = {"Accept": MANIFEST}
        found = small(f"{self.base}/manifests/{key}", self.stopped, {**self.headers(), **accept})
        try:
            config = json.loads(found or b"{}").get("config", {})
            if config.get("mediaType") != ENVELOPE:
                return None
            digest = re.fullmatch(r"sha256:[0-9a-f]{64}", config["digest"])
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            return None
        return small(self._blob(digest[0]), self.stopped, self.headers()) if digest else None

    def headers(self, *, push: bool = False, anew: bool = False) -> dict[str, str]:
        """Return what lets a request pass, asked for `anew` or not. Raises FetchError where nothing does."""
        method, url = (
            ("POST", f"{self.base}/blobs/uploads/") if push else ("GET", f"{self.base}/manifests/none")
        )
        with self.guard:
            until, headers = self.lent.get(method, (0.0, {}))
            if anew or time.monotonic() > until:
                headers = self._authenticated(method, url)
                self.lent[method] = (time.monotonic() + LEASE, headers)
            return headers

    def _authenticated(self, method: str, url: str) -> dict[str, str]:
        """Do what the answer to a request without credentials asks for."""
        challenge = self._challenge(method, url)
        known = self._credentials() if challenge else {}
        match challenge.partition(" ")[0].lower():
            case "":
                return {}
            case "basic" if known:
                return known
            case "bearer":
                return {"Authorization": f"Bearer {self._token(challenge, known)}"}
        raise FetchError("wants a name and a password", LOG_IN)

    def _challenge(self, method: str, url: str) -> str:
        """Return what a request without credentials is answered, "" where it needs none."""
        answer = Reply(url, self.stopped, {}, method=method)
        with contextlib.closing(answer):
            try:
                status, _ = answer.status()
            except (requests.RequestException, TooSlowError) as error:
                raise FetchError(short(error), LOG_IN) from error
        wanted = answer.said.get("WWW-Authenticate", "Basic")
        return wanted if status == HTTPStatus.UNAUTHORIZED else ""

    def _token(self, challenge: str, known: Mapping[str, str]) -> str:
        """Return a token for what a challenge is about (https://distribution.github.io/distribution/spec/auth/token/)."""
        from oras.auth.utils import parse_auth_header

        asked = parse_auth_header(challenge)
        realm = asked.realm or ""
        if not is_url(realm) or not (self.insecure or realm.startswith("https:")):
            raise FetchError(f"wants a token from {realm!r}, which is no HTTPS URL")
        query = urlencode({"service": asked.service or "", "scope": asked.scope or ""})
        found = small(f"{realm}?{query}", self.stopped, known)
        with contextlib.suppress(ValueError, AttributeError, RecursionError):
            given = json.loads(found or b"{}")
            token = given.get("token") or given.get("access_token")
            if isinstance(token, str) and token.isascii() and token.isprintable():
                return token
        raise FetchError("gives no token", LOG_IN)

    def _credentials(self) -> dict[str, str]:
        """Return the header with what docker's configuration has for this registry, if anything."""
        from docker import auth
        from docker.errors import DockerException

        try:
            found = auth.load_config().resolve_authconfig(self.host) or {}
        except (DockerException, ValueError) as error:
            what = f"what docker's config.json has for {self.host} is no name and password"
            raise FetchError(what, LOG_IN) from error
        pair = f"{found.get('username')}:{found.get('password')}".encode()
        basic = f"Basic {base64.b64encode(pair).decode()}"
        return {"Authorization": basic} if found.get("username") and found.get("password") else {}

    def put(self, blob: Blob, path: Path) -> None:
        """Have a blob in the repository. Raises PipelineError where it does not take it."""
        layer = {"digest": f"sha256:{blob.sha256}", "size": blob.size}

        def send() -> None:
            client, container = self._client()
            client.upload_blob(str(path), container, layer, do_chunked=blob.size > LARGE)

        self._take(send, path.name)

    def note(self, tag: str, blobs: Mapping[str, Blob], config: tuple[Blob, str]) -> None:
        """Write a manifest of blobs that are there, by their names, and a config of this media type."""
        layers = [
            _descriptor(blob, CONTENT) | {"annotations": {TITLE: name}}
            for name, blob in sorted(blobs.items())
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(*config),
            "layers": layers,
            "annotations": {},
        }

        def send() -> None:
            client, container = self._client(tag)
            client.upload_manifest(manifest, container)

        self._take(send, tag)

    def _client(self, tag: str = "") -> "tuple[Client, Any]":
        from oras.container import Container

        from pipeline.store.upload import Client  # it loads half of docker

        if self.client is None:
            self.client = Client(self.base, functools.partial(self.headers, push=True))
        container = Container("named", self.host)  # it would take a part with a dot for a registry
        container.repository, container.tag = self.repository, tag
        return self.client, container

    def _take(self, send: Callable[[], None], what: str) -> None:
        """Send something, unless it is there. Raises PipelineError where it is not taken."""
        try:
            send()
        except FetchError as error:
            raise PipelineError(f"{self.name}: {error.message}", LOG_IN) from error
        except (requests.RequestException, ValueError) as error:
            raise PipelineError(f"{self.name}: does not take {what}: {short(error)}", LOG_IN) from error


def _descriptor(blob: Blob, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{blob.sha256}", "size": blob.size}
