"""Which programs dbx refuses by their digests: dbx.txt has 64 bits of each, by when it was published.

They are the first of a SHA-256, enough to know a program by; nobody is refused for it: firmware has all 256.

Source: https://github.com/microsoft/secureboot_objects, dbx_info_msft_01_06_25.csv, Authenticode digests: of
loaders, nearly all of a time before SBAT. Windows' own boot managers are left out. `AS_OF` is its date.
"""

from functools import cache
from pathlib import Path

AS_OF = "2025-01"
DIGITS = 16  # of a digest in hex
DIGESTS = Path(__file__).with_name("dbx.txt")


@cache
def _published() -> dict[str, str]:
    found, month = {}, ""
    for word in DIGESTS.read_text(encoding="ascii").split():
        if "-" in word:
            month = word
        else:
            found[word] = month
    return found


def published(digest: bytes) -> str:
    """Return since which month dbx has an Authenticode digest, a SHA-256; "" where it does not."""
    return _published().get(digest.hex().upper()[:DIGITS], "")
