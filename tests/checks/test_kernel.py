import pytest

from tests.fixtures.bzimage import bzimage, packed_kernel
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.elf import elf
from tests.fixtures.initramfs import initramfs
from tests.fixtures.pe import ARM64, I386, pe
from tests.fixtures.uki import uki

GOOD = bzimage()

CASES = (
    Case(
        "KRN000",
        bzimage()[:0x210],
        ("bzImage: boot header: 1 bytes at offset 0x234 do not lie inside the 528 bytes given",),
    ),
    Case(
        "KRN000",
        GOOD[:0x230],
        ("bzImage: boot header: 1 bytes at offset 0x234 do not lie inside the 560 bytes given",),
    ),
    Case(
        "KRN001",
        uki(),
        (
            "this is a UKI (it has the sections .linux, .initrd, .osrel, .cmdline, .uname): "
            "an output, not a kernel",
        ),
    ),
    Case("KRN002", b"", ("the kernel is an empty file, not a bzImage",)),
    Case("KRN002", elf(), ("the kernel is an ELF file, not a bzImage",)),
    Case("KRN002", initramfs([]), ("the kernel is a zstd file, not a bzImage",)),
    Case(
        "KRN002",
        pe({".text": b"x"}, machine=ARM64),
        ("the kernel is an EFI program for arm64, not a bzImage",),
    ),
    Case(
        "KRN003",
        bzimage(xloadflags=0x7E),
        ("the kernel is a 32-bit one: its xloadflags 0x007e lack XLF_KERNEL_64",),
    ),
    Case(
        "KRN004",
        bzimage(stub=False),
        ("the kernel has no EFI stub: it starts with ea05, not with the header of an EFI program",),
    ),
    Case("KRN005", bzimage(machine=I386), ("the kernel's EFI stub is for 32-bit x86, not for x86-64",)),
    Case(
        "KRN006",
        bzimage(subsystem=11),
        ("the kernel's EFI stub is of subsystem 11, not 10 (EFI application)",),
    ),
    Case("KRN007", bzimage(relocatable=0), ("the kernel is not relocatable",)),
    Case("KRN008", GOOD[:-20], ("the kernel is cut off: its header says 1536 bytes, the file has 1516",)),
    Case(
        "KRN009",
        bzimage(payload=bytes(64)),
        ("the kernel's payload starts with the mark of no compression that Linux uses",),
    ),
    Case(
        "KRN011",
        bzimage(payload=packed_kernel()[:-9]),
        (
            "the kernel's configuration cannot be read: "
            f"zstd: the stream is cut off, at {len(packed_kernel()) - 9} bytes",
        ),
    ),
    Case(
        "KRN012",
        bzimage(payload=packed_kernel("DEVTMPFS", "TTY")),
        (
            "the kernel was built without CONFIG_DEVTMPFS, which makes device nodes",
            "the kernel was built without CONFIG_TTY, which has terminals",
        ),
    ),
    Case("KRN010", bzimage(version=""), ("the kernel does not name its version in the boot header",)),
)


def test_a_good_kernel_has_no_findings() -> None:
    assert found("kernel", GOOD) == []


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_kernel_is_told(case: Case) -> None:
    assert told(found("kernel", case.image)) == case.expected
