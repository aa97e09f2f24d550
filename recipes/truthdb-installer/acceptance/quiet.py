"""Owns what may stand on the screen while a machine boots: firmware, splash and program, no kernel text.

Must not know how the pictures were taken.
"""

import re
from collections.abc import Sequence

KERNEL_TEXT = (
    # Time stamps of printk, with what OCR takes brackets and digits for. Programs put no number with so many
    # places into brackets at the start of a line.
    re.compile(r"^\W{0,8}[\[({|f]\s{0,6}[\dOolIi@]{1,5}[.,:]\s?[\dOolIi@]{5,6}\s?[\])}|1]"),
    re.compile(r"EFI stub\s?:", re.IGNORECASE),
    re.compile(r"Linux version \d", re.IGNORECASE),
    re.compile(r"BIOS-e820|\b(?:console|rdinit)=", re.IGNORECASE),
    re.compile(r"Kernel panic|Call Trace:|not syncing|-\[ (?:cut here|end)", re.IGNORECASE),
    re.compile(r"Run /\S+ as init|init started: BusyBox|Freeing unused kernel", re.IGNORECASE),
    re.compile(r"Please press Enter to activate|can't open /dev/tty|process '.*' \(pid \d", re.IGNORECASE),
)
"""What Linux, its EFI stub and init say on a screen where nobody keeps them from it."""

KNOWN = re.compile(r"TruthDB|Tiano|Guest has not initiali[sz]ed the display", re.IGNORECASE)
"""What stands on every screen of ours, on the firmware's, and on QEMU's before there is any."""

FIRMWARE = re.compile(r"^\W*(?:BdsDxe|Start boot option|Press ESC|F\.0x0\))|PciRoot|^[\WOxF0-9.]*$")
WORD = re.compile(r"[A-Za-z]{3,}")
FEW = 3  # words that OCR sees in pictures


def kernel_lines(screen: str) -> list[str]:
    """Return the lines of OCR text that a kernel or init wrote."""
    return [line for line in screen.splitlines() if any(sign.search(line) for sign in KERNEL_TEXT)]


def strange_lines(screen: str) -> list[str]:
    """Return the lines of a screen that is neither the firmware's nor ours, if there is text on it."""
    if KNOWN.search(screen):
        return []
    lines = [line for line in screen.splitlines() if not FIRMWARE.search(line)]
    return lines if len(WORD.findall("\n".join(lines))) >= FEW else []


def complaints(screens: Sequence[tuple[float, str]]) -> list[str]:
    """Return a sentence for each of `screens` (seconds since power-on, OCR text) that is not quiet."""
    sentences = []
    for at, text in screens:
        for what, lines in (("kernel text", kernel_lines(text)), ("unknown text", strange_lines(text))):
            if lines:
                sentences.append(f"after {at:.1f} s the screen shows {what}: {lines[0].strip()!r}")
                break
    return sentences
