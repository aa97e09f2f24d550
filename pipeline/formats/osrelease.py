"""Owns reading os-release files, as they are in `/etc` and in a UKI's `.osrel` section.

Must not know which fields anybody needs.

Specification: os-release(5) https://www.freedesktop.org/software/systemd/man/os-release.html
"""

import re
import shlex

from pipeline.errors import FormatError
from pipeline.formats.fields import Image

MAX_SIZE = 1 << 16  # bytes
ASSIGNMENT = re.compile(r"(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)", re.ASCII)


def read_os_release(image: Image) -> dict[str, str]:
    """Return the fields, quotes taken away. Raises FormatError for a line that is none, with its number."""
    text = bytes(image[:MAX_SIZE]).partition(b"\0")[0].decode(errors="replace")
    found = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = ASSIGNMENT.fullmatch(line.rstrip("\r"))
        words = _words(match["value"]) if match else None
        if match is None or words is None or len(words) > 1:
            raise FormatError(
                f"os-release: line {number} is no assignment: {line[:80]!r}",
                'write NAME=value, with quotes where the value has spaces: NAME="a value"',
            )
        found[match["name"]] = "".join(words)
    return found


def _words(value: str) -> list[str] | None:
    """Split as a shell does; None where a quote has no end."""
    try:
        return shlex.split(value)
    except ValueError:
        return None
