import pytest

from pipeline.vm import kernel_log
from tests.vm.excerpts import kernel_log as ring

LINES = ["Linux version 6.12.1 (x)", "Command line: quiet", "12345678", "", "last"]
BANNER = b"%s version %s\0Linux version 6.12.1 (x)\n\0"


@pytest.mark.parametrize(
    ("memory", "lines"),
    [
        (ring(*LINES), [line for line in LINES if line]),
        (BANNER + bytes(-len(BANNER) % 8 + 800) + ring(*LINES), [line for line in LINES if line]),
        (ring("Linux version 6.12.1", "two\nlines"), ["Linux version 6.12.1", "two", "lines"]),
        # The number of the next record, where none can begin.
        (ring("Linux version 6", "ab" + "\4\0\0\0\0\0\0\0", "c", first=2), ["Linux version 6", "ab\4", "c"]),
        (ring("Linux version 6.12.1"), []),  # the same text elsewhere, and nothing behind it
        (BANNER, []),
        (b"Linux version 6", []),
        (b"", []),
    ],
)
def test_the_log_is_found(memory: bytes, lines: list[str]) -> None:
    assert kernel_log.find(memory) == lines
