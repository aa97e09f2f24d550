"""Owns reading DER: values inside values, each with a tag and a length.

Must not know what any of them means.

Specification: ITU-T X.690, chapters 8 and 10
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import FormatError

SEQUENCE, SET, INTEGER, OCTETS, OID = 0x30, 0x31, 0x02, 0x04, 0x06
MAX_VALUES = 10_000  # inside one value


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
            value = read_value(self.body[at:])
            yield value
            at += len(value.whole)

    def child(self, index: int, tag: int | None = None) -> "Value":
        """Return one of them; FormatError when there are not as many, or it has another tag."""
        for number, value in enumerate(self.inside()):
            if number == index and tag in (None, value.tag):
                return value
            if number == index:
                raise FormatError(
                    f"DER: value {index} has tag {value.tag:#04x}, not {tag:#04x}", "sign the program again"
                )
        raise FormatError(f"DER: there is no value {index}", "sign the program again")

    def tagged(self, tag: int) -> "Value | None":
        """Return the first of them that has this tag."""
        return next((value for value in self.inside() if value.tag == tag), None)

    def oid(self) -> str:
        """Return an object identifier in dots; FormatError when it is none."""
        if self.tag != OID or not self.body:
            raise FormatError(f"DER: tag {self.tag:#04x} is no object identifier", "sign the program again")
        numbers, number = list[int](), 0
        for byte in self.body:
            number = number << 7 | byte & 0x7F
            if not byte & 0x80:
                numbers.append(number)
                number = 0
        first = min(numbers[0] // 40, 2) if numbers else 0
        return ".".join(map(str, [first, (numbers or [0])[0] - 40 * first, *numbers[1:]]))


def read_value(data: bytes) -> Value:
    """Return the value that the bytes start with. Raises FormatError when it is cut off."""
    start, size = 2, data[1] if len(data) > 1 else 0
    if size & 0x80:
        count = size & 0x7F
        start, size = 2 + count, int.from_bytes(data[2 : 2 + count], "big")
    if len(data) < 2 or start > 6 or start + size > len(data):
        raise FormatError(
            f"DER: a value is cut off: {data[:8].hex()}, of {len(data)} bytes",
            "the signature is damaged: sign again",
        )
    return Value(data[0], data[start : start + size], data[: start + size])
