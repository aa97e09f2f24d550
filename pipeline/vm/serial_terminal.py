"""What a person at the serial console sees: a terminal of 80 by 24, which pyte emulates."""

import codecs
import re

from pipeline.vm.stages import plain

COLUMNS, ROWS = 80, 24
KEYS = {
    "enter": b"\r",
    "esc": b"\x1b",
    "tab": b"\t",
    "backspace": b"\x7f",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "left": b"\x1b[D",
    "right": b"\x1b[C",
    "f2": b"\x1bOQ",
}
"""What a terminal sends for keys that are no characters (ECMA-48; xterm's function keys)."""

CLEARS = "\x1b[2J"
"""What every screen begins with (ECMA-48, 8.3.39)."""

UNKNOWN = re.compile(r"\x1b\[[=>][0-9;]*[A-Za-z]|\x1bP[^\x1b]*\x1b\\")
"""Sequences that pyte would print: what firmware asks terminals about themselves."""


class Terminal:
    """A screen that bytes are written to. Reads may end anywhere, also inside a character."""

    def __init__(self) -> None:
        import pyte  # which the boot container has, and a host that only names stories need not

        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.Stream(self._screen)
        self.history = ""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        text = self._decode(data)
        self.history += text
        self._stream.feed(UNKNOWN.sub("", text))

    def grow(self, columns: int, rows: int) -> None:
        """Be a larger terminal from now on."""
        self._screen.resize(rows, columns)

    def said(self, last: int = 1 << 16) -> str:
        """Return the last `last` characters of all that was written, as a person reads them."""
        return plain(self.history[-last:])

    def text(self) -> str:
        """Return what stands on the screen, without blanks at the ends of lines."""
        return "\n".join(line.rstrip() for line in self._screen.display)
