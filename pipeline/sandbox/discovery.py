"""Where container engines listen: it finds the first one that answers."""

import contextlib
import ipaddress
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
from docker.errors import DockerException, TLSParameterError
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from pipeline.sandbox.docker import Engine, EngineError

PROBE_TIMEOUT = 20  # seconds for an engine's first answer; one on another machine may be slow
API_TIMEOUT = 600  # seconds for one answer of the engine: loading a large image takes long
NO_RIGHT = "this user has no right to use it"


def candidates() -> list[str]:
    """Return the addresses where an engine may listen, in the order in which they are tried."""
    if chosen := os.environ.get("DOCKER_HOST") or os.environ.get("CONTAINER_HOST"):
        return [chosen]
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    sockets = [
        "/var/run/docker.sock",
        f"{runtime}/docker.sock",
        "~/.docker/run/docker.sock",
        "~/.colima/default/docker.sock",
        "~/.rd/docker.sock",
        f"{runtime}/podman/podman.sock",
        "/run/podman/podman.sock",
    ]
    paths = (os.path.expanduser(path) for path in sockets)  # noqa: PTH111
    return [f"unix://{path}" for path in paths if not path.startswith("~")]  # a user may have no home


def _why_not(address: str, error: Exception) -> str:
    if address.startswith("unix://"):
        path = address.removeprefix("unix://")
        try:
            Path(path).stat()
        except FileNotFoundError:
            return f"{address}: no such socket"
        except PermissionError:
            return f"{address}: {NO_RIGHT}"
        if not os.access(path, os.R_OK | os.W_OK):
            return f"{address}: {NO_RIGHT}"
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return f"{address}: {getattr(error, 'strerror', None) or error}"


def plain_tcp(address: str) -> str:
    """Return a warning for an engine that is asked over a network without TLS; "" for any other."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme not in ("tcp", "http") or host == "localhost":
        return ""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return ""
    return (
        f"{address} is neither encrypted nor sure to be your engine: whoever is in between can change "
        "what is built (use ssh://, or TLS: DOCKER_TLS_VERIFY)"
    )


def _tls() -> TLSConfig | bool:
    """Return how the environment wants TLS to be used. Raises EngineError where certificates lack."""
    try:
        return kwargs_from_env().get("tls", False)
    except TLSParameterError:
        folder = os.environ.get("DOCKER_CERT_PATH") or "~/.docker"
        raise EngineError(
            f"the engine is to be asked through TLS, and {folder!r} lacks cert.pem, key.pem or ca.pem",
            "set DOCKER_CERT_PATH to the folder that has them, or unset it and DOCKER_TLS_VERIFY",
        ) from None


class _Api(docker.APIClient):
    """Trusts an engine by the certificates that are given for it.

    requests would take those that the environment names for the web (REQUESTS_CA_BUNDLE) instead.
    """

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        verify = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)


class _Client(docker.DockerClient):
    def __init__(self, **options: Any) -> None:
        self.api = _Api(**options)


def connect() -> Engine:
    """Return the first engine that answers. Raises EngineError that says where it was looked for."""
    tried = []
    secure = _tls()
    for address in candidates():
        try:
            client = _Client(
                base_url=address,
                version="auto",
                timeout=PROBE_TIMEOUT,
                tls=secure,
                use_ssh_client=address.startswith("ssh:"),
            )
            client.api.timeout = API_TIMEOUT
            return Engine(client, address, "" if secure else plain_tcp(address))
        except (DockerException, OSError, ValueError) as error:  # ValueError: an address that is none
            tried.append(_why_not(address, error))
    denied = any(reason.endswith(f"docker.sock: {NO_RIGHT}") for reason in tried)
    raise EngineError(
        "no container engine answers:\n    " + "\n    ".join(tried),
        "let this user use the engine (`sudo usermod -aG docker $USER`, then log in again)"
        if denied
        else "start Docker or Podman (`systemctl --user start podman.socket`), or set DOCKER_HOST",
    )
