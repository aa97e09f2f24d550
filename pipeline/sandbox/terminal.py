"""This process's terminal while a container uses it: raw mode, size, bytes both ways."""

import contextlib
import os
import select
import shutil
import signal
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from typing import Any

from docker.errors import APIError
from docker.models.containers import Container

from pipeline.errors import PipelineError


@contextlib.contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """Pass every key on as it is, Ctrl-C too, and restore the terminal afterwards."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        with contextlib.suppress(termios.error):  # it may have hung up
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _resize(container: Container) -> None:
    size = shutil.get_terminal_size()
    with contextlib.suppress(APIError):  # it may be gone by now
        container.resize(height=size.lines, width=size.columns)


def _pump(channel: socket.socket, keys: int, screen: int) -> None:
    """Copy keys to the container and its output to the screen until it ends."""
    sources: list[Any] = [channel, keys]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if channel in ready:
            data = channel.recv(1 << 16)
            if not data:
                return
            os.write(screen, data)
        if keys in ready:
            data = os.read(keys, 1 << 10)
            if data:
                channel.sendall(data)
            else:
                sources.remove(keys)


def expect_terminal() -> None:
    """Raise PipelineError when standard input is no terminal."""
    if not sys.stdin.isatty():
        raise PipelineError(
            "standard input is not a terminal", "run this in a terminal, or use `./doit boot-test`"
        )


def channel(container: Container) -> socket.socket:
    """Return what leads to a container's standard streams, both ways; it is to be started then."""
    stream = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    return getattr(stream, "_sock", stream)  # type: ignore[arg-type]


def attach(container: Container) -> int:
    """Start the container, be its terminal until it ends, and return its exit status.

    Raises PipelineError when standard input is no terminal.
    """
    expect_terminal()
    streams = channel(container)
    before = signal.signal(signal.SIGWINCH, lambda *_: _resize(container))
    try:
        with _raw(sys.stdin.fileno()):
            container.start()
            _resize(container)
            _pump(streams, sys.stdin.fileno(), sys.stdout.fileno())
    finally:
        signal.signal(signal.SIGWINCH, before)
        streams.close()
    return int(container.wait()["StatusCode"])
