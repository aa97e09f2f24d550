"""Speaks the QEMU Machine Protocol over a socket: commands with their answers, and events between them.

https://www.qemu.org/docs/master/interop/qmp-spec.html
"""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

LONGEST = 1 << 24  # bytes of a message: QEMU sends each on a line of its own


class QMPError(Exception):
    """QEMU refused a command, hung up, or says what is no QMP."""


class Client:
    """The end of a connection that asks. Commands may be sent while others are under way."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._events: list[dict[str, Any]] = []
        self._hung_up: QMPError | None = None

    async def execute(self, command: str, arguments: dict[str, object] | None = None) -> Any:
        """Return what a command returns. Raises QMPError."""
        if self._hung_up:
            raise self._hung_up
        number = next(self._ids)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        message = {"execute": command, "id": number} | ({"arguments": arguments} if arguments else {})
        try:
            self._writer.write(json.dumps(message).encode() + b"\n")
            return await answer
        finally:
            del self._asked[number]

    def events(self) -> list[dict[str, Any]]:
        """Return the events since the last call."""
        found, self._events = self._events, []
        return found

    async def listen(self) -> None:
        """Take in what QEMU says after its greeting, until it hangs up: then all commands fail."""
        try:
            while message := await self.read():
                self._take(message)
            self._hung_up = QMPError("QEMU hung up")
        except QMPError as error:
            self._hung_up = error
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(self._hung_up)

    async def read(self) -> dict[str, Any]:
        """Return the next message; an empty one where there is none any more."""
        try:
            line = await self._reader.readline()
            message = json.loads(line or b"{}")
        except (OSError, ValueError) as error:
            raise QMPError(str(error)) from error
        return message if isinstance(message, dict) else {}

    def _take(self, message: dict[str, Any]) -> None:
        if "event" in message:
            self._events.append(message)
        answer = self._asked.get(message.get("id", 0))
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(QMPError(message["error"]["desc"]))
        else:
            answer.set_result(message.get("return"))


@asynccontextmanager
async def connected(channel: socket.socket, patience: float) -> AsyncIterator[Client]:
    """Give a client that may send commands; hang up on leaving.

    Raises QMPError when nobody greets at the other end of `channel`, TimeoutError when that takes longer than
    `patience` seconds.
    """
    reader, writer = await asyncio.open_connection(sock=channel, limit=LONGEST)
    client = Client(reader, writer)
    listening = None
    try:
        async with asyncio.timeout(patience):
            await client.read()  # the greeting
            listening = asyncio.create_task(client.listen())
            await client.execute("qmp_capabilities")
        yield client
    finally:
        if listening:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
        writer.close()
