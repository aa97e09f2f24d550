import pytest

from pipeline.vm import kernel_log
from tests.vm.excerpts import kernel_log as ring

LINES = ["Linux version 6.12.1 (x)", "Command line: quiet", "12345678", "", "two\nlines"]
BANNER = b"%s version %s\0Linux version 6.12.1 (x)\n\0"
STAMPED = [
    "[    0.000000] Linux version 6.12.1 (x)",
    "[    1.500000] Command line: quiet",
    "[    3.000000] 12345678",
    "[    6.000000] two",
    "[    6.000000] lines",
]


@pytest.mark.parametrize(
    ("memory", "lines"),
    [
        (ring(*LINES), STAMPED),
        (BANNER + bytes(-len(BANNER) % 8 + 800) + ring(*LINES), STAMPED),
        (ring(*LINES, first=7), STAMPED),
        # A text that holds the next record's number, where none can begin.
        (
            ring(*LINES[:2], "ab\5\0\0\0\0\0\0\0", "", first=2),
            [*STAMPED[:2], "[    3.000000] ab\5" + "\0" * 7],
        ),
        (ring(*LINES, infos=2), []),  # nothing says how long they are
        (ring(*LINES)[:5300], []),  # nor of all of them
        # The kernel's own text, and behind it something that looks like the next number.
        (bytes(64) + b"Linux version 6.12.1\0\0\0\0\1" + bytes(7) + ring(*LINES), STAMPED),
        (ring(LINES[0]), []),
        (BANNER, []),
        (b"Linux version 6", []),
        (b"", []),
    ],
)
def test_the_log_is_found(memory: bytes, lines: list[str]) -> None:
    assert kernel_log.find(memory) == lines
