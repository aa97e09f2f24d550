import pytest

from tests.fixtures.case import Case, found, name, told
from tests.fixtures.uki import CMDLINE

GOOD = CMDLINE
NO_SCREEN = "the command line names no screen as a console: it has "
NO_SERIAL = "the command line names no serial console: it has "
PANIC = (
    "the command line has no rdinit=: the kernel would look for a root file system and panic with "
    "`VFS: Unable to mount root fs`"
)

CASES = (
    Case("CMD000", b"x" * 70000, ("the command line has 70000 bytes, too many for one",)),
    Case(
        "CMD006",
        GOOD + b"\n",
        ("the command line has the byte 0x0a at offset 57; it should be one line of printable ASCII",),
    ),
    Case(
        "CMD006",
        GOOD + b"\0ro rw",
        ("the command line has the byte 0x00 at offset 57; it should be one line of printable ASCII",),
    ),
    Case("CMD001", b"console=tty0 console=ttyS0", (PANIC,)),
    Case("CMD001", b"console=tty0 console=ttyS0 -- rdinit=/sbin/init", (PANIC,)),
    Case(
        "CMD001",
        b"rdinit=/init console=tty0 console=ttyS0",
        ("the command line says rdinit=/init, not rdinit=/sbin/init",),
    ),
    Case(
        "CMD002",
        b"rdinit=/sbin/init quiet",
        (NO_SCREEN + "no console= at all", NO_SERIAL + "no console= at all"),
    ),
    Case("CMD002", b"rdinit=/sbin/init console=tty0", (NO_SERIAL + "console=tty0",)),
    Case("CMD002", b"rdinit=/sbin/init console=ttyS0,115200", (NO_SCREEN + "console=ttyS0,115200",)),
    Case("CMD003", GOOD + b" x" * 996, ("the command line has 2049 bytes; Linux takes 2047",)),
    Case(
        "CMD004",
        GOOD + b' root="/dev/sda 1"',
        ("the command line says root=/dev/sda 1, but the system is the initramfs, started by rdinit=",),
    ),
    Case(
        "CMD004",
        GOOD + b" init=/bin/sh",
        ("the command line says init=/bin/sh, but the system is the initramfs, started by rdinit=",),
    ),
    Case("CMD005", GOOD + b" debug", ("the command line says quiet and debug",)),
    Case(
        "CMD005",
        b"rdinit=/bin/sh " + GOOD,
        ("the command line says rdinit=/bin/sh and rdinit=/sbin/init",),
    ),
    Case("CMD005", GOOD + b" loglevel=7", ("the command line says quiet and loglevel=7",)),
    Case("CMD005", GOOD + b" ro rw", ("the command line says ro and rw",)),
    Case("CMD005", GOOD + b" panic=5 panic=0 panic=5", ("the command line says panic=5 and panic=0",)),
    Case(
        "CMD005",
        GOOD + b" console=ttyS0,9600",
        ("the command line says console=ttyS0,115200 and console=ttyS0,9600",),
    ),
)


@pytest.mark.parametrize(
    "good",
    [
        GOOD,
        GOOD.ljust(2047, b"x"),
        GOOD + b' x="root=/dev/sda"',
        GOOD + b" loglevel=3 console=tty0 panic=5 panic=5",
    ],
)
def test_a_good_command_line_has_no_findings(good: bytes) -> None:
    assert found("cmdline", good) == []


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_command_line_is_told(case: Case) -> None:
    assert told(found("cmdline", case.image)) == case.expected


def test_of_two_inits_linux_takes_the_last() -> None:
    assert told(found("cmdline", GOOD + b" rdinit=/bin/sh")) == [
        ("CMD001", "the command line says rdinit=/bin/sh, not rdinit=/sbin/init"),
        ("CMD005", "the command line says rdinit=/sbin/init and rdinit=/bin/sh"),
    ]
