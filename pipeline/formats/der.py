"""Reads DER: values inside values, each with a tag and a length.

Specification: ITU-T X.690, chapters 8 and 10
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pipeline.errors import FormatError

SEQUENCE, SET, INTEGER, OCTETS, OID = 0x30, 0x31, 0x02, 0x04, 0x06
MAX_VALUES = 10_000  # inside one value
MAX_OID = 64  # bytes; those that anybody has given away are far shorter


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its tag, what is in it, and all its bytes."""

    tag: int
    body: bytes
    whole: bytes

    def inside(self) -> Iterator["Value"]:
        """Yield the values that this one is made of. Raises FormatError for what is no DER."""
        at = 0
        for _ in range(MAX_VALUES):
            if at >= len(self.body):
                return
            value = read_value(self.body, at)
            yield value
            at += len(value.whole)

    def child(self, index: int, tag: int | None = None) -> "Value":
        """Return one of them; FormatError if there are fewer, or it has another tag."""
        value = next(islice(self.inside(), index, None), None)
        if value is None:
            raise FormatError(f"DER: there is no value {index}", "sign the program again")
        if tag not in (None, value.tag):
            raise FormatError(
                f"DER: value {index} has tag {value.tag:#04x}, not {tag:#04x}", "sign the program again"
            )
        return value

    def tagged(self, tag: int) -> "Value | None":
        """Return the first of them that has this tag."""
        return next((value for value in self.inside() if value.tag == tag), None)

    def oid(self) -> str:
        """Return an object identifier in dots; FormatError for anything else."""
        if self.tag != OID or not 0 < len(self.body) <= MAX_OID:
            raise FormatError(
                f"DER: tag {self.tag:#04x} of {len(self.body)} bytes is no object identifier",
                "sign the program again",
            )
        numbers, number = list[int](), 0
        for byte in self.body:
            number = number << 7 | byte & 0x7F
            if not byte & 0x80:
                numbers.append(number)
                number = 0
        first = min(numbers[0] // 40, 2) if numbers else 0
        return ".".join(map(str, [first, (numbers or [0])[0] - 40 * first, *numbers[1:]]))


def read_value(data: bytes, at: int = 0) -> Value:
    """Return the value that begins at a byte of `data`. Raises FormatError when it is cut off."""
    room = len(data) - at
    start, size = 2, data[at + 1] if room > 1 else 0
    if size & 0x80:
        count = size & 0x7F
        start, size = 2 + count, int.from_bytes(data[at + 2 : at + 2 + count], "big")
    if room < 2 or start > 6 or start + size > room:
        raise FormatError(
            f"DER: a value is cut off: {data[at : at + 8].hex()}, of {room} bytes",
            "the signature is damaged: sign again",
        )
    return Value(data[at], data[at + start : at + start + size], data[at : at + start + size])
