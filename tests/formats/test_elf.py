import pytest

from pipeline.errors import FormatError
from pipeline.formats.elf import read_elf
from tests.fixtures import patch
from tests.fixtures.elf import AARCH64, DYN, elf

GOOD = elf()


def test_a_static_program_is_read() -> None:
    found = read_elf(GOOD)
    assert (found.bits, found.machine, found.kind, found.entry) == (64, "x86-64", "ET_EXEC", 0x400040)
    assert (found.interpreter, found.needed, found.is_static, found.stripped) == ("", (), True, True)


def test_static_pie_is_static() -> None:
    assert read_elf(elf(kind=DYN)).is_static


@pytest.mark.parametrize(
    ("image", "interpreter", "needed"),
    [
        (elf(interpreter="/lib/ld.so"), "/lib/ld.so", ()),
        (elf(needed=("libc.so", "libm.so")), "", ("libc.so", "libm.so")),
    ],
)
def test_a_dynamic_program_is_read(image: bytes, interpreter: str, needed: tuple[str, ...]) -> None:
    found = read_elf(image)
    assert (found.interpreter, found.needed, found.is_static) == (interpreter, needed, False)


def test_another_machine_is_named() -> None:
    assert read_elf(elf(machine=AARCH64)).machine == "AArch64"


def test_symbols_are_seen() -> None:
    assert not read_elf(elf(symbols=True)).stripped


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "ELF: header: 64 bytes at offset 0x0 do not lie inside the 0 bytes given"),
        (b"x" * 64, "ELF: the headers cannot be read: Magic number does not match"),
        (patch(GOOD, 4, b"\7"), "ELF: the headers cannot be read: Invalid EI_CLASS b'\\x07'"),
        (GOOD[:100], "ELF: the headers cannot be read: expected 8, found 4"),
    ],
    ids=["empty", "magic", "class", "cut off"],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_elf(image)
    assert caught.value.message == message
