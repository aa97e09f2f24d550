import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.elf_section import read_section
from tests.fixtures.elf import elf, with_section

PROGRAM = with_section(elf(symbols=True), ".dep-v0", b"data")


def patched(offset: int, layout: str, value: int) -> bytes:
    image = bytearray(PROGRAM)
    struct.pack_into(layout, image, offset, value)
    return bytes(image)


@pytest.mark.parametrize(
    ("image", "name", "data"),
    [
        (PROGRAM, ".dep-v0", b"data"),
        (PROGRAM, ".shstrtab", b"\0.symtab\0.shstrtab\0.dep-v0\0"),
        (PROGRAM, ".dep", None),
        (elf(), ".dep-v0", None),
        (with_section(elf(), ".dep-v0", b"data", kind=8), ".dep-v0", None),
        (patched(60, "<H", 0), ".dep-v0", None),
        (patched(58, "<H", 39), ".dep-v0", None),
        (
            patched(62, "<H", 4),
            ".dep-v0",
            None,
        ),  # `e_shstrndx`: beyond the table, as where there are no names
    ],
    ids=["added", "names", "prefix", "none", "no-bits", "no-table", "size", "no-names"],
)
def test_a_section_by_its_name(image: bytes, name: str, data: bytes | None) -> None:
    found = read_section(image, name)
    assert (None if found is None else bytes(found)) == data


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"\x7fELF", "ELF: header: 2 bytes at offset 0x4 do not lie inside the 4 bytes given"),
        (PROGRAM[:-1], "ELF: section headers: 256 bytes at offset 0x"),
    ],
    ids=["no header", "cut"],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_section(image, ".dep-v0")
    assert caught.value.message.startswith(message)
