import struct

import pytest

from pipeline.errors import FormatError
from pipeline.formats.pe import Section, machine_name, read_pe
from tests.fixtures import patch
from tests.fixtures.pe import ARM64, pe

GOOD = pe({".linux": b"kernel", ".cmdline": b"quiet" * 200})


def test_headers_are_read() -> None:
    parsed = read_pe(pe({".text": b"x"}, machine=ARM64, subsystem=11))
    assert (parsed.machine, parsed.subsystem, parsed.image_size) == (ARM64, 11, 0x2000)
    assert (parsed.section_alignment, parsed.file_alignment) == (0x1000, 0x200)


def test_sections_are_read() -> None:
    parsed = read_pe(GOOD)
    assert parsed.sections == (
        Section(".linux", virtual_address=0x1000, virtual_size=6, raw_offset=0x400, raw_size=0x200),
        Section(".cmdline", virtual_address=0x2000, virtual_size=1000, raw_offset=0x600, raw_size=0x400),
    )
    assert parsed.section(".cmdline") == parsed.sections[1]
    assert parsed.section(".initrd") is None


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
