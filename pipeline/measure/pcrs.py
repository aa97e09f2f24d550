"""Reads what a TPM's PCRs are, as people have them: Linux's folder, or lines of text.

Specification: Linux, Documentation/ABI/stable/sysfs-class-tpm (pcr-<algorithm>)
"""

import re
from pathlib import Path

from pipeline.errors import FormatError
from pipeline.formats.pcr import initial
from pipeline.formats.tcg_log import PCRS
from pipeline.measure.event import BANK

VALUE = re.compile(r"\b(\d{1,2})\b\"?\s*[:=]?\s*\"?(?:0x)?([0-9a-fA-F]{64})\b")
"""A number and a value as the installer exports them, and as tpm2_pcrread and JSON have them."""

MAX_SIZE = 1 << 20  # bytes
HINT = "give a folder as /sys/class/tpm/tpm0/pcr-sha256, or lines of a number and 64 hex digits"


def read_pcrs(path: Path) -> dict[int, bytes]:
    """Return the values by their numbers. Raises FormatError where there are none of `event.BANK`."""
    try:
        if path.is_dir():
            files = [path / str(number) for number in range(PCRS)]
            found = {int(one.name): one.read_text().strip() for one in files if one.is_file()}
        else:
            text = path.read_bytes()[:MAX_SIZE].decode(errors="replace")
            found = {int(number): value for number, value in VALUE.findall(text)}
        values = {number: bytes.fromhex(value) for number, value in found.items() if value}
    except (OSError, ValueError) as error:
        raise FormatError(f"PCRs cannot be read: {error}", HINT) from error
    if not values or any(len(value) != len(initial(BANK)) for value in values.values()):
        raise FormatError(f"there are no PCRs of {BANK} in it", HINT)
    return values
