import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.rock_ridge import read_attributes, skipped


def field(signature: bytes, body: bytes) -> bytes:
    return signature + bytes([len(body) + 4, 1]) + body


def both(*numbers: int) -> bytes:
    return b"".join(struct.pack("<I", number) + struct.pack(">I", number) for number in numbers)


def component(flags: int, text: bytes = b"") -> bytes:
    return bytes([flags, len(text)]) + text


def nothing(block: int, offset: int, size: int) -> bytes:
    raise AssertionError((block, offset, size))


@pytest.mark.parametrize(
    ("area", "skip"),
    [
        (b"SP\x07\x01\xbe\xef\x00", 0),
        (b"SP\x07\x01\xbe\xef\x0e", 14),
        (b"SP\x07\x01\xbe\xee\x00", None),
        (b"SP\x07\x01\xbe", None),
        (b"", None),
    ],
)
def test_susp_is_known_by_its_field(area: bytes, skip: int | None) -> None:
    assert skipped(area) == skip


def test_fields_are_read() -> None:
    found = read_attributes(
        field(b"PX", both(0o100644, 2, 10, 20))
        + field(b"NM", b"\0name")
        + field(b"TF", b"\2" + bytes([123, 11, 14, 22, 13, 20, 0]))
        + field(b"XX", b"unknown")
        + field(b"CL", both(77))
        + field(b"RE", b""),
        nothing,
    )
    assert (found.mode, found.owner, found.name) == (0o100644, (10, 20), "name")
    assert (found.times, found.child, found.is_moved) == ((bytes([123, 11, 14, 22, 13, 20, 0]),), 77, True)


def test_long_times_are_read() -> None:
    assert read_attributes(field(b"TF", b"\x82" + b"2" * 17), nothing).times == (b"2" * 17,)


@pytest.mark.parametrize(
    "end", [b"", b"\0", bytes(4), b"ST\4\1", field(b"PX", b"short"), field(b"NM", b"\2")]
)
def test_what_follows_may_be_anything(end: bytes) -> None:
    found = read_attributes(field(b"NM", b"\0name") + end, nothing)
    assert (found.name, found.mode) == ("name", None)


@pytest.mark.parametrize(
    ("components", "target"),
    [
        ([component(0, b"usr"), component(0, b"bin")], "usr/bin"),
        ([component(8), component(0, b"usr")], "/usr"),
        ([component(8)], "/"),
        ([component(4), component(2), component(0, b"x")], ".././x"),
        ([component(1, b"long"), component(0, b"name")], "longname"),
        ([], ""),
    ],
)
def test_links_are_read(components: list[bytes], target: str) -> None:
    assert read_attributes(field(b"SL", b"\0" + b"".join(components)), nothing).target == target
    apart = b"".join(field(b"SL", b"\1" + one) for one in components)
    assert read_attributes(apart, nothing).target == target


def test_names_go_on_elsewhere() -> None:
    areas = {
        (5, 8, 20): field(b"NM", b"\1 and") + field(b"CE", both(6, 0, 9)),
        (6, 0, 9): field(b"NM", b"\0 on"),
    }
    area = field(b"CE", both(5, 8, 20)) + field(b"NM", b"\1on")
    assert read_attributes(area, lambda *where: areas[where]).name == "on and on"


@pytest.mark.parametrize(
    ("area", "following", "message"),
    [
        (
            b"NM\x09\x01\0",
            b"",
            "Rock Ridge: the field b'NM' of 9 bytes runs past its area's end, at byte 0 of 5",
        ),
        (
            field(b"CE", both(1, 0, 28)),
            field(b"CE", both(1, 0, 28)),
            "Rock Ridge: a record goes on in more than 32 areas",
        ),
        (
            field(b"NM", b"\1" + b"x" * 200) * 21,
            b"",
            "Rock Ridge: a name of more than 4096 bytes",
        ),
    ],
)
def test_damage_is_told(area: bytes, following: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_attributes(area, lambda *_: following)
    assert caught.value.message == message
