import struct
from pathlib import Path

import pytest

from pipeline.errors import FormatError
from pipeline.formats.pe import Section, machine_name, read_pe
from tests.fixtures import patch
from tests.fixtures.pe import ARM64, PE_OFFSET, moved, pe, section_field
from tests.fixtures.signed import RSA, SECURITY, UNSIGNED, signed
from tests.fixtures.sparse import counted, sparse

GOOD = pe({".linux": b"kernel", ".cmdline": b"quiet" * 200})


def test_headers_are_read() -> None:
    parsed = read_pe(pe({".text": b"x"}, machine=ARM64, subsystem=11))
    assert (parsed.machine, parsed.subsystem, parsed.image_size) == (ARM64, 11, 0x2000)
    assert (parsed.section_alignment, parsed.file_alignment) == (0x1000, 0x200)


def test_sections_are_read() -> None:
    parsed = read_pe(GOOD)
    assert parsed.sections == (
        Section(".linux", virtual_size=6, virtual_address=0x1000, raw_size=0x200, raw_offset=0x400),
        Section(".cmdline", virtual_size=1000, virtual_address=0x2000, raw_size=0x400, raw_offset=0x600),
    )
    assert parsed.section(".cmdline") == parsed.sections[1]
    assert parsed.section(".initrd") is None


def test_fields_of_the_headers_are_read() -> None:
    image = patch(GOOD, PE_OFFSET + 8, struct.pack("<I", 1_700_000_000))
    image = patch(image, PE_OFFSET + 24 + 64, struct.pack("<IHH", 0x12345678, 10, 0x160))
    parsed = read_pe(image)
    assert (parsed.timestamp, parsed.checksum, parsed.checksum_offset) == (1_700_000_000, 0x12345678, 0x98)
    assert parsed.is_nx_compatible
    assert not read_pe(GOOD).is_nx_compatible
    assert (parsed.entry_point, parsed.headers_size) == (0x1000, 0x400)


def test_the_certificate_table_is_found() -> None:
    unsigned, parsed = read_pe(UNSIGNED), read_pe(signed(RSA))
    assert (unsigned.certificates, unsigned.certificates_entry) == ((0, 0), SECURITY)
    assert (parsed.certificates, parsed.certificates_entry) == (
        (len(UNSIGNED), len(RSA) + 8 + -len(RSA) % 8),
        SECURITY,
    )


def test_sections_of_one_name_are_all_found() -> None:
    image = pe({".osrel": b"one", ".osreX": b"two"}).replace(b".osreX\0", b".osrel\0")
    parsed = read_pe(image)
    assert [bytes(parsed.contents_of(section)) for section in parsed.named(".osrel")] == [b"one", b"two"]
    assert parsed.contents(".osrel") == b"one"


def test_sections_stand_in_the_table_s_order_however_odd_they_are() -> None:
    image = moved(pe([(".a", b"1"), (".b", b"2"), (".c", b"3"), (".d", b"4")]), ".b", 0xB2090000)
    for field, value in ((16, 0x7FFFFFFF), (20, 0x7FFFFE01), (8, 0x20000000)):
        image = patch(image, section_field(image, ".b", field), struct.pack("<I", value))
    assert [section.name for section in read_pe(image).sections] == [".a", ".b", ".c", ".d"]
    assert [section.name for section in read_pe(moved(image, ".d", 0x1000)).sections][3] == ".d"


def test_a_section_table_that_is_cut_off_is_told() -> None:
    many = patch(GOOD, PE_OFFSET + 6, struct.pack("<H", 1000))
    with pytest.raises(FormatError, match="PE: section table: 40000 bytes at offset 0x148 do not lie inside"):
        read_pe(many)


def test_only_the_headers_of_a_large_image_are_read(tmp_path: Path) -> None:
    image = patch(
        GOOD, section_field(GOOD, ".linux", 8), struct.pack("<III", 0xF000_0000, 0x1000, 0xF000_0000)
    )
    with counted() as count:
        parsed = read_pe(sparse(tmp_path / "it", 1 << 32, {0: image}))
        contents = parsed.contents(".linux")
        assert count() < 200_000
    assert (len(contents), bytes(contents[:6])) == (0xF000_0000, b"kernel")


def test_contents_come_without_padding() -> None:
    parsed = read_pe(GOOD)
    assert parsed.contents(".linux") == b"kernel"
    assert parsed.contents(".cmdline") == b"quiet" * 200
    assert parsed.contents(".initrd") == b""


def test_contents_that_are_cut_off_are_told() -> None:
    with pytest.raises(FormatError) as caught:
        read_pe(GOOD[:0x700]).contents(".cmdline")
    assert (
        caught.value.message
        == "PE: section .cmdline: 1000 bytes at offset 0x600 do not lie inside the 1792 bytes given"
    )


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "PE: DOS header: 64 bytes at offset 0x0 do not lie inside the 0 bytes given"),
        (b"x" * 100, "PE: no PE image: DOS Header magic not found."),
        (patch(GOOD, 0x40, b"NE"), "PE: no PE image: Invalid NT Headers signature. Probably a NE file"),
        (
            patch(GOOD, 0x3C, struct.pack("<I", 0x7FFFFFFF)),
            "PE: no PE image: Invalid e_lfanew value, probably not a PE file",
        ),
        (GOOD[:100], "PE: no PE image: No Optional Header found, invalid PE32 or PE32+ file."),
    ],
)
def test_what_is_no_pe_image_is_told(image: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_pe(image)
    assert caught.value.message == message


def test_machines_have_names() -> None:
    assert [machine_name(number) for number in (0x8664, 0xAA64, 0x0200)] == [
        "x86-64",
        "arm64",
        "machine 0x0200",
    ]
