"""Reads flattened device trees (.dtb): which machine one is for.

Specification: Devicetree Specification 0.4, chapter 5 https://www.devicetree.org/specifications/
"""

from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import Image, budget_of, cut, unpack

MAGIC = 0xD00DFEED
BEGIN_NODE, PROPERTY, NOP = 1, 3, 4  # tokens of the structure block
MAX_PROPERTIES = 1000  # of the root
MAX_VALUE = 4096  # bytes, of a property that is read
MAX_NAME = 32  # bytes


@dataclass(frozen=True, slots=True)
class Devicetree:
    """What the root node says: for which machines it is, the most specific name first."""

    model: str
    compatible: tuple[str, ...]

    @property
    def in_short(self) -> str:
        """The machine, as one reads it."""
        return " for ".join(filter(None, [self.model, ", ".join(self.compatible)]))


def read_devicetree(image: Image) -> Devicetree:
    """Read the root node's own properties. Raises FormatError for what is no device tree, or cut off."""
    magic, total, structure, strings = unpack(">IIII", image, 0, "device tree: header")
    if magic != MAGIC:
        raise FormatError(
            f"device tree: it begins with {magic:#010x}, not {MAGIC:#x}", "make it with dtc -O dtb"
        )
    cut(image, 0, total, "device tree")
    found: dict[str, bytes] = {}
    at = structure
    while (token := unpack(">I", image, at, "device tree: structure")[0]) == NOP:
        at += 4
    if token != BEGIN_NODE:
        raise FormatError("device tree: it has no root node", "make it with dtc -O dtb")
    at += 8  # the root's name is empty, and padded
    for _ in range(MAX_PROPERTIES):
        budget_of(image).spend(STEPS, 1)
        (token,) = unpack(">I", image, at, "device tree: structure")
        if token == NOP:
            at += 4
            continue
        if token != PROPERTY:
            break
        size, name = unpack(">II", image, at + 4, "device tree: property")
        value = cut(image, at + 12, size, "device tree: property")
        found.setdefault(
            _text(bytes(image[strings + name : strings + name + MAX_NAME])), bytes(value[:MAX_VALUE])
        )
        at += 12 + size + -size % 4
    names = found.get("compatible", b"").split(b"\0")
    return Devicetree(_text(found.get("model", b"")), tuple(_text(name) for name in names if name))


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="replace")
