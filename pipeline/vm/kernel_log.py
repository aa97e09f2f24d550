"""What Linux has logged, found in a machine's memory: where it is `quiet` and hangs, nothing else tells.

Its texts lie in a ring of `struct prb_data_block` (kernel/printk/printk_ringbuffer.h): a record's number,
an `unsigned long`, then its text, up to a multiple of 8 bytes.
"""

import struct
from collections.abc import Iterator

BANNER = b"Linux version "
"""What the first record begins with, as long as none was overwritten."""

LONGEST = 1 << 12  # bytes of a record
NUMBERS = (1 << 62) - 1
"""A record's number has 62 bits; the first ones are near the end of these."""


def find(memory: bytes) -> list[str]:
    """Return the lines of the log that lies in `memory`, oldest first; none where there is no log."""
    at = memory.find(BANNER)
    while at >= 0:
        if at >= 8 and len(texts := list(_texts(memory, at - 8))) > 1:
            return [line for text in texts for line in text.decode(errors="replace").splitlines()]
        at = memory.find(BANNER, at + 1)
    return []


def _texts(memory: bytes, at: int) -> Iterator[bytes]:
    """Yield the text of each record from that whose number lies `at` this offset."""
    while at >= 0:
        (number,) = struct.unpack_from("<Q", memory, at)
        following = struct.pack("<Q", number + 1 & NUMBERS)
        start, end = at + 8, at + LONGEST
        at = memory.find(following, start, end)
        while at >= 0 and (at - start) % 8:
            at = memory.find(following, at + 1, end)
        yield memory[start : end if at < 0 else at].partition(b"\0")[0]
