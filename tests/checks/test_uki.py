import struct

import pytest

from pipeline.checks import uki as check
from tests.fixtures import patch
from tests.fixtures.bzimage import bzimage
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.elf import elf
from tests.fixtures.pe import ARM64, PE_OFFSET, section_field
from tests.fixtures.uki import uki

GOOD = uki()
VIRTUAL_SIZE, VIRTUAL_ADDRESS, RAW_OFFSET = 8, 12, 20
IMAGE_SIZE = PE_OFFSET + 24 + 56


def with_field(section: str, field: int, value: int) -> bytes:
    return patch(GOOD, section_field(GOOD, section, field), struct.pack("<I", value))


CASES = (
    Case("UKI000", elf(), ("the UKI is an ELF file, not an EFI program",)),
    Case("UKI000", GOOD[:100], ("PE: no PE image: No Optional Header found, invalid PE32 or PE32+ file.",)),
    Case("UKI001", uki(machine=ARM64), ("the UKI is for arm64, not for x86-64",)),
    Case("UKI002", uki(subsystem=11), ("the UKI is of subsystem 11, not 10 (EFI application)",)),
    Case("UKI003", uki({".initrd": None}), ("the UKI has no .initrd: it is a UKI for x86-64",)),
    Case(
        "UKI003",
        bzimage(),
        ("the UKI has no .linux, .initrd, .cmdline, .osrel, .uname: it is a Linux bzImage",),
    ),
    Case("UKI003", uki({".osrel": b""}), ("the UKI's .osrel is empty",)),
    Case("UKI004", GOOD[:-0x200], ("the UKI's section .linux ends at 0x1800, the file at 0x1600",)),
    Case(
        "UKI004",
        patch(GOOD, IMAGE_SIZE, struct.pack("<I", 0x7000)),
        ("the UKI's section .linux ends at 0x7600, the memory at 0x7000",),
    ),
    Case(
        "UKI005",
        with_field(".uname", VIRTUAL_ADDRESS, 0x2000),
        ("the UKI's sections .osrel and .uname overlap in the memory",),
    ),
    Case(
        "UKI005",
        with_field(".osrel", RAW_OFFSET, 0x400),
        ("the UKI's sections .text and .osrel overlap in the file",),
    ),
    Case(
        "UKI006",
        with_field(".uname", VIRTUAL_ADDRESS, 0x3010),
        ("the UKI's section .uname has the address 0x3010, no multiple of 0x1000",),
    ),
    Case("UKI007", uki({".uname": b"6.1.0"}), ("the UKI's .uname is '6.1.0', its kernel is '6.12.1-test'",)),
    Case(
        "UKI008",
        uki({".initrd": b"\x1f\x8b" + bytes(30)}),
        ("the UKI's .initrd is a gzip file, not a zstd file or a cpio archive",),
    ),
    Case(
        "UKI009",
        uki({".splash": b"\x89PNG\r\n\x1a\n"}),
        ("the UKI's .splash is a file of no known format (it starts with 89504e470d0a1a0a), not a BMP",),
    ),
)

PARTS = (
    Case(
        "KRN004",
        uki({".linux": bzimage(stub=False)}),
        (".linux: the kernel has no EFI stub: it starts with ea05, not with the header of an EFI program",),
    ),
    Case(
        "KRN001",
        uki({".linux": uki()}),
        (
            ".linux: this is a UKI (it has the sections .linux, .initrd, .osrel, .cmdline, .uname): "
            "an output, not a kernel",
        ),
    ),
    Case(
        "CMD002",
        uki({".cmdline": b"rdinit=/sbin/init console=tty0"}),
        (".cmdline: the command line names no serial console: it has console=tty0",),
    ),
)


def test_a_good_uki_has_no_findings() -> None:
    assert found(check.KIND, GOOD) == []


def test_a_splash_may_be_missing() -> None:
    assert found(check.KIND, uki({".splash": None})) == []


@pytest.mark.parametrize("case", CASES + PARTS, ids=name)
def test_a_bad_uki_is_told(case: Case) -> None:
    assert told(found(check.KIND, case.image)) == case.expected
