"""How far a boot has come, as the serial console tells it."""

import re
from enum import IntEnum


class Stage(IntEnum):
    """What a machine passes on its way from power-on to the reboot that a key press asks for.

    It greets when its program is ready, with what the recipe says that it does.
    """

    POWER = 0
    FIRMWARE = 1
    LOADER = 2
    KERNEL = 3
    INIT = 4
    SERIAL = 5
    SCREEN = 6
    REBOOT = 7

    def __str__(self) -> str:
        return TITLES[self]


TITLES = {
    Stage.POWER: "power on",
    Stage.FIRMWARE: "firmware",
    Stage.LOADER: "EFI program",
    Stage.KERNEL: "kernel",
    Stage.INIT: "init",
    Stage.SERIAL: "greeting on serial",
    Stage.SCREEN: "greeting on screen",
    Stage.REBOOT: "rebooted",
}

SIGNS = (
    (Stage.LOADER, re.compile(r'BdsDxe: starting Boot\w+ "(?!EFI Internal Shell)[^"]*"')),
    (Stage.KERNEL, re.compile(r"(?m)^EFI stub: |^\[ *\d+\.\d{6}\] |Linux version ")),
    (Stage.INIT, re.compile(r"init started: BusyBox|Run \S+ as init process")),
)

OVERLAP = 256
"""Characters before new text in which a sign may have begun; none is longer, escape sequences included."""

# ECMA-48: 5.4 control sequences (CSI), 5.6 control strings (OSC), 5.3 all others.
ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*(?P<csi>[@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])|\x1b[^\x1b]{0,16}\Z"
)
MOVES = "ABEFHJf"
"""Final bytes of control sequences that leave the line: what follows them is another line."""


def plain(text: str) -> str:
    """Return what a person reads in `text`: no escape sequences, no empty lines, one line feed a line."""
    moved = ESCAPE.sub(lambda match: "\n" if (match["csi"] or "-") in MOVES else "", text)
    lines = (line.rstrip() for line in moved.replace("\r", "\n").split("\n"))
    return "\n".join(line for line in lines if line)


def reached(history: str, before: int, welcome: str) -> list[Stage]:
    """Return the stages of which a sign stands in what was said since `history` had `before` characters,
    or across that point. `welcome` is what the program says when it is ready, "" where nobody knows.
    """
    window = plain(history[max(0, before - OVERLAP) :])
    found = [Stage.FIRMWARE] + [stage for stage, sign in SIGNS if sign.search(window)]
    return [*found, Stage.SERIAL] if welcome and welcome in window else found
