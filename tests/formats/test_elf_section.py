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
    ],
    ids=["added", "names", "prefix", "none", "no-bits", "no-table"],
)
def test_a_section_by_its_name(image: bytes, name: str, data: bytes | None) -> None:
    found = read_section(image, name)
    assert (None if found is None else bytes(found)) == data


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"\x7fELF", "ELF: header: 64 bytes at offset 0x0 do not lie inside the 4 bytes given"),
        (bytes(64), "ELF: no 64-bit little-endian program"),
        (patched(58, "<H", 63), "ELF: 4 section headers of 63 bytes, names in number 1, are not possible"),
        (patched(62, "<H", 4), "ELF: 4 section headers of 64 bytes, names in number 4, are not possible"),
    ],
    ids=["cut", "other", "size", "names"],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_section(image, ".dep-v0")
    assert caught.value.message == message
