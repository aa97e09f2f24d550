import random
import struct
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.vm import write_log

SECTOR = 512


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - not for secrets


def log_of(folder: Path, requests: list[tuple[int, bytes, int]], magic: int = write_log.MAGIC) -> Path:
    """Make a log as QEMU does: requests are sector, data, flags."""
    parts = [struct.pack("<QQQI", magic, 1, len(requests), SECTOR).ljust(SECTOR, b"\0")]
    for sector, data, flags in requests:
        parts.append(struct.pack("<QQQQ", sector, len(data) // SECTOR, flags, 0).ljust(SECTOR, b"\0"))
        parts.append(data)
    path = folder / "log"
    path.write_bytes(b"".join(parts))
    return path


def block(letter: str, count: int = 1) -> bytes:
    return letter.encode() * SECTOR * count


REQUESTS = [
    (0, block("a", 2), 0),
    (0, b"", write_log.FLUSH),
    (1, block("b"), 0),
    (2, block("c", 3), 0),
    (0, block("d"), 0),
]


def test_requests_are_read_in_their_order(tmp_path: Path) -> None:
    found = write_log.read_log(log_of(tmp_path, REQUESTS))
    assert [(one.start, one.size, one.flush) for one in found] == [
        (0, 1024, False),
        (0, 0, True),
        (512, 512, False),
        (1024, 1536, False),
        (0, 512, False),
    ]


def test_a_discard_has_no_data(tmp_path: Path) -> None:
    parts = log_of(tmp_path, [(0, block("a"), 0)]).read_bytes()
    discard = struct.pack("<QQQQ", 8, 100, write_log.DISCARD, 0).ljust(SECTOR, b"\0")
    path = tmp_path / "log"
    path.write_bytes(
        struct.pack("<QQQI", write_log.MAGIC, 1, 2, SECTOR).ljust(SECTOR, b"\0") + discard + parts[SECTOR:]
    )
    assert [(one.start, one.size) for one in write_log.read_log(path)] == [(8 * SECTOR, 0), (0, 512)]


def test_what_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="not with the magic of a write log"):
        write_log.read_log(log_of(tmp_path, REQUESTS, magic=1))


def test_what_was_flushed_survives_and_the_rest_may(tmp_path: Path) -> None:
    log = log_of(tmp_path, REQUESTS)
    writes = write_log.read_log(log)
    disk = tmp_path / "disk"
    states = set()
    for seed in range(64):
        disk.write_bytes(bytes(8 * SECTOR))
        write_log.replay(log, disk, write_log.survivors(writes, 5, chance(seed)))
        states.add(disk.read_bytes())
        found = disk.read_bytes()
        assert found[:1] in (b"a", b"d"), "flushed, or written over later"
        assert found[SECTOR : SECTOR + 1] in (b"a", b"b")
    assert bytes(block("a", 2)) + bytes(6 * SECTOR) in states, "all that was late is lost"
    assert len(states) > 8, "chance decides what survives"
    assert any(0 < state[2 * SECTOR :].count(b"c") < 3 * SECTOR for state in states), "a write is torn"


def test_before_the_first_flush_nothing_is_sure(tmp_path: Path) -> None:
    writes = write_log.read_log(log_of(tmp_path, REQUESTS))
    kept = [len(list(write_log.survivors(writes, 1, chance(seed)))) for seed in range(32)]
    assert set(kept) == {0, 1}


def test_cuts_are_chosen_by_chance_and_repeatable(tmp_path: Path) -> None:
    writes = write_log.read_log(log_of(tmp_path, REQUESTS))
    assert write_log.cuts(writes, 3, chance(1)) == write_log.cuts(writes, 3, chance(1))
    found = write_log.cuts(writes, 100, chance(1))
    assert len(found) == 100
    assert found == sorted(found)
    assert set(found) == {1, 2, 3, 4}
