"""What Linux has logged, found in a machine's memory: where it is `quiet` and hangs, nothing else tells.

The log is a ring of texts, each a `struct prb_data_block`, and an array of `struct printk_info` that says how
long each is (kernel/printk/printk_ringbuffer.h). Both are read from their beginning, as long as nothing of it
was overwritten: that is some thousand records.
"""

import struct
from collections.abc import Iterator

BANNER = b"Linux version "
"""What the first record says."""

INFO = struct.Struct("<QQH70x")
"""A record's sequence number from 0 on, nanoseconds since the start, and bytes of text."""

NUMBER = struct.Struct("<Q")
"""What stands before each text, which ends at a multiple of it: counts up, modulo 1 << 62."""

LONGEST = 1 << 12  # bytes of a record


def find(memory: bytes) -> list[str]:
    """Return the lines of the log that lies in `memory`, oldest first, as `dmesg` prints them; else none."""
    texts = next((texts for at in _all(memory, BANNER) if len(texts := _texts(memory, at)) > 1), [])
    infos = next((at - INFO.size for at in _all(memory, NUMBER.pack(1)) if _is_second_info(memory, at)), 0)
    lines = []
    for index, text in enumerate(texts if infos else ()):
        _, nanoseconds, size = INFO.unpack_from(memory, infos + index * INFO.size)
        said = text[:size].decode(errors="replace").splitlines()
        lines += [f"[{nanoseconds / 1e9:12.6f}] {line}" for line in said]
    return lines


def _all(memory: bytes, pattern: bytes, start: int = NUMBER.size, end: int | None = None) -> Iterator[int]:
    """Yield where a pattern is found."""
    while (start := memory.find(pattern, start, end)) >= 0:
        yield start
        start += 1


def _texts(memory: bytes, at: int) -> list[bytes]:
    """Return the text of each record, with what fills it up, from that whose text lies `at` this offset."""
    texts = []
    following: int | None = at - NUMBER.size
    while following is not None:
        start = following + NUMBER.size
        (number,) = NUMBER.unpack_from(memory, following)
        places = _all(memory, NUMBER.pack((number + 1) % (1 << 62)), start, start + LONGEST)
        following = next((place for place in places if (place - start) % NUMBER.size == 0), None)
        texts.append(memory[start : start + LONGEST if following is None else following])
    return texts


def _is_second_info(memory: bytes, at: int) -> bool:
    """Say whether a record's info lies at this offset that is the second of at least four."""
    first = at - INFO.size
    places = [first + index * INFO.size for index in range(4)]
    return first >= 0 and all(
        memory[place : place + NUMBER.size] == NUMBER.pack(index) for index, place in enumerate(places)
    )
