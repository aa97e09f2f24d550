"""What Linux has logged, found in a machine's memory: where it is `quiet` and hangs, nothing else tells.

The log is a ring of texts, each a `struct prb_data_block`, and an array of `struct printk_info` that says how
long each is (kernel/printk/printk_ringbuffer.h). Both are read from their beginning, as long as nothing of it
was overwritten: that is some thousand records.
"""

import re
import struct

BANNER = re.compile(rb"Linux version ")
"""What the first record says."""

INFO = struct.Struct("<QQH70x")
"""A record's sequence number from 0 on, nanoseconds since the start, and bytes of text."""

NUMBER = struct.Struct("<Q")
"""What stands before each text, which ends at a multiple of it: counts up, modulo 1 << 62."""

REST = b".{%d}" % (INFO.size - NUMBER.size)
SECOND = re.compile(REST.join(map(NUMBER.pack, (1, 2, 3))), re.DOTALL)
"""Where the second info lies, as more follow."""

LONGEST = 1 << 12  # bytes of a record


def find(memory: bytes) -> list[str]:
    """Return the lines of the log that lies in `memory`, oldest first, as `dmesg` prints them; else none."""
    logs = (_texts(memory, found.start()) for found in BANNER.finditer(memory, NUMBER.size))
    texts = max(logs, key=len, default=[])  # the kernel has that text elsewhere, too
    second = SECOND.search(memory, INFO.size)
    if second is None or len(texts) < 2:
        return []
    first = second.start() - INFO.size
    whole = (len(memory) - first) // INFO.size
    lines = []
    for text, info in zip(texts, INFO.iter_unpack(memory[first : first + whole * INFO.size]), strict=False):
        _, nanoseconds, size = info
        said = text[:size].decode(errors="replace").splitlines()
        lines += [f"[{nanoseconds / 1e9:12.6f}] {line}" for line in said]
    return lines


def _texts(memory: bytes, start: int) -> list[bytes]:
    """Return the text of each record, with what fills it up, from that whose text has this `start`."""
    texts = []
    while True:
        (number,) = NUMBER.unpack_from(memory, start - NUMBER.size)
        following = NUMBER.pack((number + 1) % (1 << 62))
        ends = range(start, start + LONGEST, NUMBER.size)
        end = next((each for each in ends if memory[each : each + NUMBER.size] == following), None)
        texts.append(memory[start : end or start + LONGEST])
        if end is None:
            return texts
        start = end + NUMBER.size
