"""A time server on this host's loopback: SNTP (RFC 4330), always the same time."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

PORT = 123
EPOCH = 2_208_988_800  # seconds from 1900, where NTP begins, to 1970
CLIENT, SERVER = 3, 4  # modes
MESSAGE = struct.Struct(">B B b b 4s 4s 4s 8s 8s 8s 8s")
"""Mode, stratum, poll, precision; root delay, root dispersion, reference identifier; when it was set,
and when the question was sent, came in, and was answered: RFC 4330, section 4."""


def answer(question: bytes, seconds: int) -> bytes | None:
    """Return the answer that it is `seconds` after 1970, or None to what is no question."""
    if len(question) < MESSAGE.size or question[0] & 7 != CLIENT:
        return None
    # The era is dropped: section 3.
    now = struct.pack(">I I", (seconds + EPOCH) & 0xFFFFFFFF, 1)
    sent = MESSAGE.unpack(question[: MESSAGE.size])[-1]
    version = question[0] & 0x38
    return MESSAGE.pack(version | SERVER, 1, 6, -20, bytes(4), bytes(4), b"TEST", now, sent, now, now)


class _Server(asyncio.DatagramProtocol):
    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self.asked = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        said = answer(data, self.seconds)
        if said and self._transport:
            self.asked += 1
            self._transport.sendto(said, addr)


@asynccontextmanager
async def serving(seconds: int, port: int = PORT) -> AsyncIterator[_Server]:
    """Answer that it is `seconds` after 1970; `asked` counts how often. Raises OSError without the port."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: _Server(seconds), local_addr=("127.0.0.1", port)
    )
    try:
        yield server
    finally:
        transport.close()
