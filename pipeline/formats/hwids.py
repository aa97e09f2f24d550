"""Reads .hwids: which device tree or firmware a UKI has for which machine.

Specification: systemd, src/boot/chid.h; UAPI.5 Unified Kernel Image, .hwids
"""

from dataclasses import dataclass
from uuid import UUID

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import Image, budget_of, unpack

TYPES = {1: "devicetree", 2: "uefi-fw"}
SIZE = 28  # bytes of an entry; its first word has that and, in the highest four bits, its type
MAX_TEXT = 256  # bytes


@dataclass(frozen=True, slots=True)
class Device:
    """An entry: a machine by its hardware id, what people call it, and what is chosen there.

    `chooses` is the compatible of a device tree, or the id of a firmware.
    """

    type: str
    chid: str
    name: str
    chooses: str


@dataclass(frozen=True, slots=True)
class Hwids:
    """All entries, in their order: the first that is for the machine counts."""

    devices: tuple[Device, ...]

    @property
    def in_short(self) -> str:
        """How many there are, and for what."""
        names = ", ".join(dict.fromkeys(device.name or device.chooses for device in self.devices))
        return f"{len(self.devices)} for {names}" if self.devices else "empty"


def read_hwids(image: Image) -> Hwids:
    """Read the entries. Raises FormatError for one of another size, and for a list without an end."""
    found: list[Device] = []
    at = 0
    while at + 4 <= len(image):
        (descriptor,) = unpack("<I", image, at, ".hwids")
        if not descriptor:
            return Hwids(tuple(found))
        kind, size = descriptor >> 28, descriptor & 0x0FFF_FFFF
        if size != SIZE:
            raise FormatError(
                f".hwids: the entry at offset {at:#x} has {size} bytes, not {SIZE}",
                "make it with ukify --hwids=",
            )
        budget_of(image).spend(STEPS, 1)
        chid, name, chooses = unpack("<4x16sII", image, at, ".hwids: entry")
        texts = _text(image, name), _text(image, chooses)
        found.append(Device(TYPES.get(kind, f"type {kind}"), str(UUID(bytes_le=chid)), *texts))
        at += SIZE
    raise FormatError(".hwids: its list has no end", "make it with ukify --hwids=")


def _text(image: Image, offset: int) -> str:
    """Return the text at an offset, "" where none is named."""
    raw = bytes(image[offset : offset + MAX_TEXT]) if offset else b""
    return raw.partition(b"\0")[0].decode(errors="replace")
