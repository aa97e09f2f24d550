import pytest

from pipeline.checks.finding import Severity
from tests.fixtures.bzimage import bzimage
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.elf import AARCH64, DYN, REL, elf

GOOD = elf()

CASES = (
    Case("ELF000", GOOD[:60], ("ELF: header: 64 bytes at offset 0x0 do not lie inside the 60 bytes given",)),
    Case("ELF001", b"#!/bin/sh\nexit\n", ("the program is a script (#!/bin/sh), not an ELF file",)),
    Case("ELF001", bzimage(), ("the program is a Linux bzImage, not an ELF file",)),
    Case("ELF002", elf(machine=AARCH64), ("the program is for 64-bit AArch64, not for x86-64",)),
    Case(
        "ELF003",
        elf(interpreter="/lib64/ld-linux-x86-64.so.2", needed=("libc.so.6", "libm.so.6")),
        ("the program is dynamic: it needs /lib64/ld-linux-x86-64.so.2, libc.so.6, libm.so.6",),
    ),
    Case("ELF003", elf(interpreter="/lib/ld.so"), ("the program is dynamic: it needs /lib/ld.so",)),
    Case("ELF003", elf(needed=("libc.so",)), ("the program is dynamic: it needs libc.so",)),
    Case(
        "ELF004",
        elf(kind=REL, entry=0),
        ("the program cannot be started: it is of type ET_REL, its entry point is 0x0",),
    ),
    Case(
        "ELF004",
        elf(kind=DYN, entry=0),
        ("the program cannot be started: it is of type ET_DYN, its entry point is 0x0",),
    ),
    Case("ELF005", elf(symbols=True), ("the program still has its symbol table (501 bytes in all)",)),
)


@pytest.mark.parametrize("good", [GOOD, elf(kind=DYN)], ids=["static", "static-pie"])
def test_a_good_program_has_no_findings(good: bytes) -> None:
    assert found("elf", good) == []


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_program_is_told(case: Case) -> None:
    assert told(found("elf", case.image)) == case.expected


def test_symbols_are_only_a_warning() -> None:
    assert [finding.severity for finding in found("elf", elf(symbols=True))] == [Severity.WARNING]
