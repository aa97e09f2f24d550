"""How a field's value is written in a sentence; each function takes the field's bytes and never fails."""

from functools import partial
from typing import Literal
from uuid import UUID

SHORT = 16  # bytes; what is longer is not written out
TEXT = 60  # characters


def raw(data: bytes) -> str:
    """As hex digits; of many bytes only how many."""
    return data.hex() if len(data) <= SHORT else f"{len(data)} bytes"


def _integer(order: Literal["little", "big"], style: str, data: bytes) -> str:
    return format(int.from_bytes(data, order), style)


little = partial(_integer, "little", "")  # as a decimal number, little-endian
little_hex = partial(_integer, "little", "#x")  # as a hexadecimal number, little-endian
big = partial(_integer, "big", "")  # as a decimal number, big-endian


def text(data: bytes) -> str:
    """As text up to its padding, in quotes; as hex digits when there is a NUL in it."""
    rest = data.rstrip(b"\0 ")
    return raw(data) if b"\0" in rest else repr(rest.decode("utf-8", errors="backslashreplace")[:TEXT])


def utf16(data: bytes) -> str:
    """As UTF-16, little-endian, up to its NUL, in quotes."""
    return repr(data.decode("utf-16-le", errors="replace").partition("\0")[0][:TEXT])


def utf16_big(data: bytes) -> str:
    """As UTF-16, big-endian, up to its padding, in quotes."""
    return repr(data.decode("utf-16-be", errors="replace").rstrip("\0 ")[:TEXT])


def guid(data: bytes) -> str:
    """As a GUID, mixed-endian."""
    return str(UUID(bytes_le=data)) if len(data) == 16 else raw(data)


def _number(base: int, padding: bytes, data: bytes) -> str:
    """As the number that its digits stand for, without what fills them up."""
    digits = data.strip(padding)
    try:
        return str(int(digits, base))
    except ValueError:
        return text(digits)


hex_digits = partial(_number, 16, b"")  # which have no padding in cpio's headers
octal_digits = partial(_number, 8, b"\0 ")
decimal_digits = partial(_number, 10, b"\0 ")


def hex_digits_octal(data: bytes) -> str:
    """As the number that its hex digits stand for, octal, as modes are written."""
    number = hex_digits(data)
    return f"{int(number):#o}" if number.isdigit() else number


def dos_date(data: bytes) -> str:
    """As the date that 16 bits of FAT stand for."""
    number = int.from_bytes(data, "little")
    return f"{1980 + (number >> 9)}-{number >> 5 & 15:02}-{number & 31:02}"


def dos_time(data: bytes) -> str:
    """As the time that 16 bits of FAT stand for; it counts two seconds."""
    number = int.from_bytes(data, "little")
    return f"{number >> 11:02}:{number >> 5 & 63:02}:{(number & 31) * 2:02}"


def record_time(data: bytes) -> str:
    """As the seven bytes of a time in an ISO 9660 directory record (ECMA-119 §9.1.5)."""
    if len(data) != 7:
        return raw(data)
    year, month, day, hour, minute, second, zone = data
    quarters = zone - 256 if zone > 127 else zone
    return f"{1900 + year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{quarters * 15:+}min"
