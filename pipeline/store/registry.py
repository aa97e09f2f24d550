"""A cache in a registry: blobs by digest, and under each step's key a manifest of what it made.

The interface is that of the OCI distribution specification (https://github.com/opencontainers/distribution-spec),
asked with credentials from docker's config.json. A manifest's layers keep a registry from cleaning them away;
its config is the envelope of who vouches for them, or an empty object.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from pipeline.errors import PipelineError
from pipeline.store.answer import TIMEOUT, FetchError, ca_bundle, short
from pipeline.store.cache import Blob
from pipeline.store.remote import Get, small

if TYPE_CHECKING:
    from oras.provider import Registry as Client

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
NOTHING = "application/vnd.oci.empty.v1+json"
CONTENT = "application/octet-stream"
TITLE = "org.opencontainers.image.title"
LEASE = 45  # seconds: a token is good for 60 at least
LARGE = 1 << 26
"""Bytes of a blob that is sent in pieces: others are read into memory."""

PLAIN, SECURE = "oci+http://", "oci://"
LOG_IN = "`docker login` writes credentials into docker's config.json; a CA of your own: REQUESTS_CA_BUNDLE"


class _Impatient(requests.adapters.HTTPAdapter):
    """Waits for no answer longer than downloads do: oras itself would wait for ever."""

    def send(self, *args: Any, **options: Any) -> requests.Response:
        return super().send(*args, **(options | {"timeout": options.get("timeout") or TIMEOUT}))


class Registry:
    """A repository of a registry; `name` is `oci://registry/repository`, `oci+http://…` without TLS."""

    def __init__(self, name: str, stopped: threading.Event) -> None:
        self.name, self.stopped = name, stopped
        self.insecure = name.startswith(PLAIN)
        self.host, _, self.repository = name.removeprefix(PLAIN).removeprefix(SECURE).partition("/")
        self.base = f"{'http' if self.insecure else 'https'}://{self.host}/v2/{self.repository}"
        self.guard = threading.Lock()
        self.lent: dict[str, tuple[float, dict[str, str]]] = {}

    def _blob(self, digest: str) -> str:
        return f"{self.base}/blobs/{digest}"

    def bring(self, blob: Blob, part: Path, get: Get) -> str:
        """Download a blob; see `Remote`."""
        del part
        return get(self._blob(f"sha256:{blob.sha256}"), self.headers())

    def offers(self, blob: Blob) -> bool:
        """Ask for a blob without its content."""
        return small(self._blob(f"sha256:{blob.sha256}"), self.stopped, self.headers(), "HEAD") is not None

    def record(self, key: str) -> bytes | None:
        """Return the config of the key's manifest, if it is an envelope."""
        accept = {"Accept": MANIFEST}
        found = small(f"{self.base}/manifests/{key}", self.stopped, {**self.headers(), **accept})
        try:
            config = json.loads(found or b"{}").get("config", {})
            if config.get("mediaType") != ENVELOPE:
                return None
            digest = str(config["digest"])
        except (ValueError, AttributeError, KeyError, RecursionError):
            return None
        return small(self._blob(digest), self.stopped, self.headers())

    def headers(self, *, push: bool = False) -> dict[str, str]:
        """Return what lets a request pass. Raises FetchError where nothing does."""
        method, url = (
            ("POST", f"{self.base}/blobs/uploads/") if push else ("GET", f"{self.base}/manifests/none")
        )
        with self.guard:
            until, headers = self.lent.get(method, (0.0, {}))
            if time.monotonic() > until:
                headers = self._authenticated(method, url)
                self.lent[method] = (time.monotonic() + LEASE, headers)
            return headers

    def _authenticated(self, method: str, url: str) -> dict[str, str]:
        """Do what the answer to a request without credentials asks for."""
        from oras.auth import get_auth_backend

        try:
            with requests.Session() as session:
                for prefix in ("http://", "https://"):
                    session.mount(prefix, _Impatient())
                answer = session.request(method, url, verify=ca_bundle())
                if answer.status_code != requests.codes.unauthorized:
                    return {}
                kind = "basic" if self._challenge(answer).startswith("basic") else "token"
                backend = get_auth_backend(kind, session, self.insecure, tls_verify=ca_bundle())
                known = self._credentials()
                if known:
                    backend.set_basic_auth(*known)
                elif kind == "basic":
                    raise FetchError(f"{self.name}: wants a name and a password", LOG_IN)
                headers, changed = backend.authenticate_request(answer, {})
        except requests.RequestException as error:
            raise FetchError(f"{self.base}: {short(error)}", LOG_IN) from error
        except (ValueError, AttributeError, TypeError) as error:  # what oras meets in a nonsensical answer
            raise FetchError(f"{self.base}: its answer cannot be understood: {error}") from error
        if not changed:
            raise FetchError(f"{self.name}: permission denied", LOG_IN)
        return dict(headers)

    @staticmethod
    def _challenge(answer: requests.Response) -> str:
        return answer.headers.get("WWW-Authenticate", "").lower()

    def _credentials(self) -> tuple[str, str] | None:
        """Return name and password that docker's configuration has for this registry."""
        from docker import auth
        from docker.errors import DockerException

        try:
            found = auth.load_config().resolve_authconfig(self.host) or {}
        except (DockerException, ValueError) as error:
            raise FetchError(
                f"{self.name}: docker's config.json has no credentials: {error}", LOG_IN
            ) from error
        name, password = found.get("username"), found.get("password")
        return (name, password) if name and password else None

    def put(self, blob: Blob, path: Path) -> None:
        """Have a blob in the repository. Raises PipelineError where it does not take it."""
        client, container = self._client()
        layer = {"digest": f"sha256:{blob.sha256}", "size": blob.size}
        self._take(
            lambda: client.upload_blob(str(path), container, layer, do_chunked=blob.size > LARGE), path.name
        )

    def note(self, tag: str, blobs: Mapping[str, Blob], config: tuple[Blob, str]) -> None:
        """Write a manifest of blobs that are there, by their names, and a config of this media type."""
        client, container = self._client(tag)
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
        self._take(lambda: client.upload_manifest(manifest, container), tag)

    def _client(self, tag: str = "") -> "tuple[Client, Any]":
        from oras.container import Container
        from oras.provider import Registry as Client  # it loads half of docker

        client = Client(self.host, self.insecure, ca_bundle())
        for prefix in ("http://", "https://"):
            client.session.mount(prefix, _Impatient())
        client.session.headers.update(self.headers(push=True))
        container = Container("named", self.host)  # it would take a part with a dot for a registry
        container.repository, container.tag = self.repository, tag
        return client, container

    def _take(self, send: Callable[[], requests.Response], what: str) -> None:
        """Send something. Raises PipelineError where it is not taken."""
        try:
            answer = send()
        except (requests.RequestException, ValueError) as error:
            reason = short(error)
        else:
            if answer.ok:
                return
            reason = f"HTTP {answer.status_code} {answer.reason}"
        raise PipelineError(f"{self.name}: does not take {what}: {reason}", LOG_IN)


def _descriptor(blob: Blob, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{blob.sha256}", "size": blob.size}
