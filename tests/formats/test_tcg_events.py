import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.tcg_events import Variable, program_path, said, variable
from pipeline.formats.tcg_log import Event
from tests.fixtures.tcg_log import END, GLOBAL, file_node, image_load, variable_data

CD = struct.pack("<BBH20x", 4, 2, 24)


def event(kind: int, data: bytes) -> Event:
    return Event(4, kind, {}, data)


def test_a_variable_is_read() -> None:
    assert variable(event(0x8000_0001, variable_data("SecureBoot", b"\1"))) == Variable(
        GLOBAL, "SecureBoot", b"\1"
    )


def test_the_path_of_a_program_is_read() -> None:
    path = image_load(CD, file_node("\\EFI"), file_node("\\BOOT\\BOOTX64.EFI"), END, file_node("behind"))
    assert program_path(event(0x8000_0003, path)) == "\\EFI\\BOOT\\BOOTX64.EFI"


LOAD, DB = image_load(file_node("a"), END), variable_data("db", b"value")


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        (0x8000_0001, variable_data("SecureBoot", b"\1"), "the variable SecureBoot"),
        (0x8000_0002, variable_data("Boot0001", b""), "the variable Boot0001"),
        (0x8000_00E0, DB, "what db holds of who vouched"),
        (0x8000_0003, LOAD, "the program a"),
        (0x8000_0004, image_load(CD, END), "a program that lies in no file"),
        (0x8000_0003, image_load(), "a program that lies in no file"),
        (0x04, bytes(4), "the end of what firmware measures before it starts anything (EV_SEPARATOR)"),
        (
            0x8000_0007,
            b"Calling EFI Application from Boot Option",
            "'Calling EFI Application from Boot Option'",
        ),
        (0x0D, b".linux\0", "'.linux'"),
        (0x0D, "quiet\n".encode("utf-16-le") + b"\0\0", "'quiet·'"),
        (0x0D, b"a" * 200, f"'{'a' * 100}…'"),
        (0x0D, b"", "''"),
        (0x0D, b"\xff\0", "'\ufffd'"),
        (0x01, b"POST", "EV_POST_CODE"),
        (0x77, b"", "the kind 0x00000077"),
        (
            0x8000_0001,
            DB[:-1],
            "something that the log does not tell (EV_EFI_VARIABLE_DRIVER_CONFIG: 5 bytes at offset 0x24 "
            "do not lie inside the 40 bytes given)",
        ),
        (
            0x8000_0003,
            image_load(b"\4\4\0\0"),
            "something that the log does not tell (device path: a node has no length)",
        ),
    ],
)
def test_events_are_said(kind: int, data: bytes, words: str) -> None:
    assert said(event(kind, data)) == words


@pytest.mark.parametrize("size", range(0, len(LOAD), 7))
def test_a_program_s_event_may_be_cut_off_anywhere(size: int) -> None:
    with pytest.raises(FormatError):
        program_path(event(0x8000_0003, LOAD[:size]))
    assert "does not tell" in said(event(0x8000_0003, LOAD[:size]))
