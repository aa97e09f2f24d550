"""A terminal handed to a container, and back: with a real pseudo-terminal and a container of two sockets."""

import os
import pty
import socket
import sys
import termios
import threading
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.sandbox.terminal import attach


class EchoContainer:
    """Says what it hears, in capitals, until it hears a q; leaves with status 7."""

    def __init__(self, keyboard: int = -1) -> None:
        self.keyboard = keyboard
        self.ours, self.theirs = socket.socketpair()
        self.sizes: list[dict[str, int]] = []
        self.raw = False

    def attach_socket(self, params: dict[str, int]) -> socket.socket:
        assert params == {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        return self.theirs

    def start(self) -> None:
        self.raw = not termios.tcgetattr(sys.stdin.fileno())[3] & (termios.ICANON | termios.ISIG)
        threading.Thread(target=self._echo).start()
        os.write(self.keyboard, b"a\x03q")

    def _echo(self) -> None:
        heard = b""
        while b"q" not in heard:
            heard += self.ours.recv(100)
        self.ours.sendall(heard.upper())
        self.ours.close()

    def resize(self, **size: int) -> None:
        self.sizes.append(size)

    def wait(self) -> dict[str, Any]:
        return {"StatusCode": 7}


def test_keys_go_in_and_output_comes_out_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    far, near = pty.openpty()
    with os.fdopen(near) as stdin, os.fdopen(os.dup(near), "w") as stdout:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", stdout)
        container = EchoContainer(far)
        before = termios.tcgetattr(near)
        assert attach(container) == 7  # type: ignore[arg-type]
        assert container.raw
        assert len(container.sizes) == 1
        assert os.read(far, 100) == b"A\x03Q"  # Ctrl-C is a key as any other
        assert termios.tcgetattr(near) == before
    os.close(far)


class HangsUp(EchoContainer):
    """Speaks to a terminal that is gone."""

    def start(self) -> None:
        os.close(self.keyboard)
        self.ours.sendall(b"hello")


def test_a_terminal_that_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    far, near = pty.openpty()
    with os.fdopen(near) as stdin, os.fdopen(os.dup(near), "w") as stdout:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", stdout)
        with pytest.raises(OSError, match="Input/output error"):
            attach(HangsUp(far))  # type: ignore[arg-type]


def test_there_must_be_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(PipelineError) as caught:
            attach(EchoContainer())  # type: ignore[arg-type]
    assert caught.value.message == "standard input is not a terminal"
