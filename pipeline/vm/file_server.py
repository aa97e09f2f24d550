"""An HTTP server on this host's loopback with some files, as one for machines without a medium has."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copyfileobj
from typing import Any

TYPES = {".efi": "application/efi", ".iso": "application/vnd.efi-iso"}
"""By which firmware knows what it gets: UEFI 2.10, §24.7 (HTTP boot), and IANA's registry of media types."""


@contextmanager
def offering(files: Mapping[str, Path], port: int) -> Iterator[list[str]]:
    """Offer `files` by their names; yield what was asked for, in order: `GET boot.ipxe`.

    Raises OSError where the port is taken.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(whole=True)

        def do_HEAD(self) -> None:
            self._answer(whole=False)

        def _answer(self, *, whole: bool) -> None:
            name = self.path.removeprefix("/")
            asked.append(f"{self.command} {name}")
            path = files.get(name)
            if path is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", TYPES.get(path.suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            if whole:
                with path.open("rb") as file:
                    copyfileobj(file, self.wfile)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield asked
        finally:
            server.shutdown()
