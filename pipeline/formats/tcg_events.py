"""Reads what a log of measurements tells of an event: a variable, a program, an action; and says it in words.

Specification: TCG, PC Client Platform Firmware Profile, §10.4 "Event Types": UEFI_VARIABLE_DATA,
UEFI_IMAGE_LOAD_EVENT; UEFI 2.10, §10.3 "Device Path Nodes"
"""

import struct
import uuid
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.fields import cut, unpack
from pipeline.formats.tcg_log import KINDS, Event

SEPARATOR, ACTION, IPL, TAG = 0x04, 0x8000_0007, 0x0D, 0x06
CONFIG, BOOT, BOOT2, AUTHORITY = 0x8000_0001, 0x8000_0002, 0x8000_000C, 0x8000_00E0
VARIABLES = frozenset({CONFIG, BOOT, BOOT2, AUTHORITY})
APPLICATION = 0x8000_0003
PROGRAMS = frozenset({APPLICATION, 0x8000_0004, 0x8000_0005})  # applications, and drivers of two sorts

VARIABLE = struct.Struct("<16sQQ")  # vendor, characters of the name, bytes of the value
PROGRAM = struct.Struct("<QQQQ")  # address, size, address that it was linked for, bytes of its device path
NODE = struct.Struct("<BBH")  # kind, kind within it, bytes with these four
END, MEDIA, HARD_DRIVE, CD, FILE = 0x7F, 0x04, 0x01, 0x02, 0x04
MAX_SAID = 100  # characters of text that are quoted


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the firmware, whose name is not unique without its vendor."""

    vendor: uuid.UUID
    name: str
    value: bytes


def variable(event: Event) -> Variable:
    """Return the variable that an event of the kinds VARIABLES is about. FormatError for a damaged one."""
    vendor, letters, size = unpack(VARIABLE.format, event.data, 0, event.kind_name)
    name = bytes(cut(event.data, VARIABLE.size, 2 * letters, event.kind_name))
    value = bytes(cut(event.data, VARIABLE.size + len(name), size, event.kind_name))
    return Variable(uuid.UUID(bytes_le=vendor), name.decode("utf-16-le", "replace").rstrip("\0"), value)


def program_path(event: Event) -> str:
    """Return the file that an event of one of the kinds PROGRAMS is about, as its device path says it.

    Such as `\\EFI\\BOOT\\BOOTX64.EFI`; "" for a program out of memory. FormatError for a damaged one.
    """
    *_, size = unpack(PROGRAM.format, event.data, 0, event.kind_name)
    path, at, found = bytes(cut(event.data, PROGRAM.size, size, event.kind_name)), 0, ""
    while at < len(path):
        kind, within, length = unpack(NODE.format, path, at, "device path")
        if kind == END:
            break
        if length < NODE.size:
            raise FormatError("device path: a node has no length", "the log is damaged: read it anew")
        if (kind, within) == (MEDIA, FILE):
            name = bytes(cut(path, at + NODE.size, length - NODE.size, "device path"))
            found += name.decode("utf-16-le", "replace").rstrip("\0")
        at += length
    return found


def said(event: Event) -> str:
    """Say what was measured, as people call it: `the variable SecureBoot`; of damaged ones, too."""
    try:
        if event.kind in VARIABLES:
            name = _cut(variable(event).name)
            return f"what {name} holds of who vouched" if event.kind == AUTHORITY else f"the variable {name}"
        if event.kind in PROGRAMS:
            path = program_path(event)
            return f"the program {_cut(path)}" if path else "a program that lies in no file"
    except FormatError as error:
        return f"something that the log does not tell ({error.message})"
    if event.kind == SEPARATOR:
        return "the end of what firmware measures before it starts anything (EV_SEPARATOR)"
    if event.kind == ACTION:
        return f"{_cut(event.data.decode('ascii', 'replace'))!r}"
    if event.kind == IPL:
        return f"{_cut(_text(event.data))!r}"
    return KINDS.get(event.kind, event.kind_name)


def _text(data: bytes) -> str:
    """Return text in ASCII or in UTF-16, as boot loaders write either."""
    wide = len(data) > 2 and len(data) % 2 == 0 and not data[1]
    return data.decode("utf-16-le" if wide else "ascii", "replace")


def _cut(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else "·" for letter in text.rstrip("\0"))
    return shown if len(shown) <= MAX_SAID else shown[:MAX_SAID] + "…"
