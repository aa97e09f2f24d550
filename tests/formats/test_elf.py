import io
import struct
import sys
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from pipeline.errors import FormatError
from pipeline.formats.elf import read_elf
from tests.fixtures import patch
from tests.fixtures.elf import AARCH64, DYN, elf
from tests.fixtures.sparse import counted, sparse

GOOD = elf()
STRTAB = struct.pack("<QQ", 5, 0x4000E9)


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


@pytest.mark.parametrize(("machine", "name"), [(AARCH64, "AArch64"), (0xF3, "RISC-V"), (7, "machine 0x0007")])
def test_another_machine_is_named(machine: int, name: str) -> None:
    assert read_elf(elf(machine=machine)).machine == name


@pytest.mark.parametrize(
    ("strings", "search", "soname"),
    [
        ((), (), ""),
        (((14, "libx.so.1"),), (), "libx.so.1"),
        (((15, "/opt/lib"),), ("/opt/lib",), ""),
        (((15, "/opt/lib"), (29, "$ORIGIN/../lib:/lib")), ("$ORIGIN/../lib:/lib",), ""),
    ],
)
def test_where_libraries_are_looked_for_is_read(
    strings: tuple[tuple[int, str], ...], search: tuple[str, ...], soname: str
) -> None:
    found = read_elf(elf(strings=strings))
    assert (found.search, found.soname) == (search, soname)


def test_other_sizes_and_byte_orders_are_read() -> None:
    ident = b"\x7fELF\1\2\1".ljust(16, b"\0")
    header = struct.pack(">HHIIIIIHHHHHH", 2, 8, 1, 0x1234, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    segment = struct.pack(">8I", 3, 84, 0, 0, 9, 9, 4, 1)
    found = read_elf(ident + header + segment + b"/lib/ld.\0")
    assert (found.bits, found.machine, found.kind, found.entry) == (32, "MIPS", "ET_EXEC", 0x1234)
    assert (found.interpreter, found.stripped) == ("/lib/ld.", True)


def test_only_headers_of_a_large_file_are_read(tmp_path: Path) -> None:
    with counted() as count:
        found = read_elf(sparse(tmp_path / "it", 1 << 32, {0: elf(needed=("libc.so",))}))
        assert count() < 20_000
    assert found.needed == ("libc.so",)


def test_symbols_are_seen() -> None:
    assert not read_elf(elf(symbols=True)).stripped


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "ELF: header: 64 bytes at offset 0x0 do not lie inside the 0 bytes given"),
        (
            b"x" * 64,
            "ELF: no ELF file: it starts with 787878787878, not with 7f454c46, a class and a byte order",
        ),
        (
            patch(GOOD, 4, b"\7"),
            "ELF: no ELF file: it starts with 7f454c460701, not with 7f454c46, a class and a byte order",
        ),
        (
            GOOD[:100],
            "ELF: program headers: 56 bytes at offset 0x40 do not lie inside the 100 bytes given",
        ),
        (patch(GOOD, 54, b"\0\0"), "ELF: 1 program headers of 0 bytes are not possible"),
        (patch(GOOD, 56, b"\xff\xff"), "ELF: 65535 program headers of 56 bytes are not possible"),
        (patch(GOOD, 58, b"\0\0"), "ELF: 2 section headers of 0 bytes are not possible"),
        (
            patch(elf(needed=("libc.so",)), elf(needed=("libc.so",)).index(STRTAB), b"\6"),
            "ELF: the dynamic section has no DT_STRTAB",
        ),
        (
            patch(elf(needed=("libc.so",)), elf(needed=("libc.so",)).index(STRTAB) + 15, b"\1"),
            "ELF: the string table's address 0x1000000004000e9 lies in no segment",
        ),
        (
            patch(elf(interpreter="/lib/ld.so"), 0x40 + 56 + 32, b"\4"),
            "ELF: the string at offset 0xe8 has no end within 4 bytes",
        ),
    ],
)
def test_damage_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_elf(image)
    assert caught.value.message == message


def test_pyelftools_reads_the_same_of_a_real_program() -> None:
    image = Path(sys.executable).read_bytes()
    found, other = read_elf(image), ELFFile(io.BytesIO(image))
    (dynamic,) = (one for one in other.iter_segments() if isinstance(one, DynamicSegment))
    needed = tuple(tag.needed for tag in dynamic.iter_tags("DT_NEEDED"))  # type: ignore[attr-defined]
    assert (found.bits, found.entry, found.needed) == (other.elfclass, other.header.e_entry, needed)
    assert found.kind == other.header.e_type
