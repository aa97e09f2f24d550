import pytest
import zstandard

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import Severity
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.elf import AARCH64, elf
from tests.fixtures.initramfs import changed, initramfs, members
from tests.fixtures.microcode import INTEL
from tests.fixtures.newc import DEVICE, DIRECTORY, FILE, LINK, Raw, newc

GOOD = changed()
ALL = list(members().values())
PLAIN = newc(ALL)

# a member of magic 070702 has a checksum, and here it is 0
SUMMED = newc([*ALL, Raw("tmp/x", FILE, b"x")])
WRONG_SUM = zstandard.compress(patch(SUMMED, SUMMED.index(b"tmp/x\0") - 110, b"070702"))

UCODE = (
    *(Raw(name, DIRECTORY) for name in ("kernel", "kernel/x86", "kernel/x86/microcode")),
    Raw("kernel/x86/microcode/GenuineIntel.bin", FILE, INTEL),
)

CASES = (
    Case("CPIO000", b"", ("the initramfs is an empty file, not an archive that Linux unpacks",)),
    Case(
        "CPIO000",
        GOOD[:-9],
        (f"initramfs: at offset 0x0: zstd: the stream is cut off, at {len(GOOD) - 9} bytes",),
    ),
    Case(
        "CPIO013",
        PLAIN,
        ("the initramfs is not one archive packed with zstd: it has 1, packed with nothing",),
    ),
    Case(
        "CPIO013",
        newc([Raw("a", DIRECTORY)]) + GOOD,
        ("the initramfs is not one archive packed with zstd: it has 2, packed with nothing, zstd",),
    ),
    Case(
        "CPIO014",
        changed(Raw("bin/vi", LINK, b"busybix")),
        ("the link 'bin/vi' leads nowhere: /bin/vi leads to /bin/busybix, which is not in the archive",),
    ),
    Case(
        "CPIO015",
        changed(Raw("dev/sda", 0o060660, device=(8, 0))),
        ("the initramfs has the device node 'dev/sda' (b 8:0)",),
    ),
    Case("CPIO016", WRONG_SUM, ("the checksum of 'tmp/x' is wrong",)),
    Case(
        "CPIO019",
        zstandard.compress(PLAIN[:-80]),
        (
            "initramfs: in the zstd stream at offset 0x0: "
            f"cpio: header: 110 bytes at offset {len(PLAIN) - 124:#x} do not lie inside the"
            f" {len(PLAIN) - 80} bytes given: Linux stops there, and keeps the members before it: {len(ALL)}",
        ),
    ),
    Case(
        "CPIO019",
        zstandard.compress(PLAIN[:-124]),
        (
            f"initramfs: in the zstd stream at offset 0x0: cpio: no trailer after 'tmp', where the archive "
            f"ends ({len(PLAIN) - 124} bytes)",
        ),
    ),
    Case(
        "CPIO019",
        GOOD + b"garbage!",
        (
            f"initramfs: at offset {len(GOOD):#x}: what follows is nothing that Linux unpacks: "
            f"it starts with 'garbage!': Linux stops there, and keeps the members before it: {len(ALL)}",
        ),
    ),
    Case(
        "CPIO001",
        changed(Raw("/etc/x", FILE)),
        ("the initramfs has a member called '/etc/x', which is not a normalised relative path",),
    ),
    Case(
        "CPIO001",
        changed(Raw("./etc", DIRECTORY)),
        ("the initramfs has a member called './etc', which is not a normalised relative path",),
    ),
    Case("CPIO002", initramfs([*ALL, ALL[-1]]), ("the initramfs has 'tmp' 2 times",)),
    Case(
        "CPIO003",
        initramfs([*ALL[:-2], ALL[-1], ALL[-2]]),
        ("the initramfs is not sorted: 'sys' comes after 'tmp'",),
    ),
    Case(
        "CPIO004",
        changed(Raw("usr/bin/x", FILE)),
        ("'usr/bin/x' lies in 'usr/bin', which is not a directory in the initramfs",),
    ),
    Case(
        "CPIO004",
        changed(Raw("etc/inittab/x", FILE)),
        ("'etc/inittab/x' lies in 'etc/inittab', which is not a directory in the initramfs",),
    ),
    Case(
        "CPIO005",
        changed(Raw("etc/hosts", FILE, uid=1000, gid=100)),
        ("'etc/hosts' belongs to 1000:100, not to 0:0",),
    ),
    Case(
        "CPIO006",
        changed(Raw("etc/hosts", FILE, mtime=5)),
        ("the initramfs has 2 different mtimes, from 5 to 1700000000",),
    ),
    Case(
        "CPIO007",
        changed(Raw("etc/hosts", FILE | 0o22)),
        ("everybody may write to 'etc/hosts', of mode -rw-rw-rw-",),
    ),
    Case(
        "CPIO007",
        changed(Raw("srv", DIRECTORY | 0o22)),
        ("everybody may write to 'srv', of mode drwxrwxrwx",),
    ),
    Case("CPIO008", changed(without="sbin/init"), ("/sbin/init is not in the archive",)),
    Case(
        "CPIO008",
        changed(Raw("sbin/init", LINK, b"../bin/toybox")),
        ("/sbin/init leads to /bin/toybox, which is not in the archive",),
    ),
    Case(
        "CPIO008",
        changed(Raw("sbin/init", LINK, b"init")),
        ("/sbin/init leads in a circle of symbolic links",),
    ),
    Case(
        "CPIO008",
        changed(Raw("sbin/init", FILE, elf())),
        ("/sbin/init is not an executable file: /sbin/init has mode -rw-r--r--",),
    ),
    Case(
        "CPIO009",
        changed(without="bin/installer"),
        ("/bin/installer is not in the archive",),
    ),
    Case("CPIO010", changed(without="dev/console"), ("/dev/console is not in the archive",)),
    Case(
        "CPIO010",
        changed(Raw("dev/console", DEVICE, device=(4, 64))),
        ("/dev/console is crw------- 4:64, not the character device 5:1",),
    ),
    Case("CPIO011", changed(without="dev/null"), ("/dev/null is not in the archive",)),
    Case(
        "CPIO011",
        changed(Raw("dev/null", FILE)),
        ("/dev/null is -rw-r--r-- 0:0, not the character device 1:3",),
    ),
    Case("CPIO012", changed(without="etc/inittab"), ("/etc/inittab is not in the archive",)),
)

TOGETHER = (
    Case(
        "CPIO017",
        changed(Raw("bin/tool", FILE | 0o111, elf(interpreter="/lib64/ld.so", needed=("libc.so.6",)))),
        (
            "/bin/tool needs /lib64/ld.so, which is not in the archive",
            "/bin/tool needs libc.so.6, which is not in the archive",
        ),
    ),
    Case(
        "CPIO019",
        initramfs([*ALL, Raw("etc", LINK, b"usr/etc")]),
        ("'etc' is left out: /etc is a directory already, and has something in it",),
    ),
    Case(
        "CPIO004",
        initramfs([*ALL, Raw("usr/bin/x", FILE), Raw("usr", DIRECTORY), Raw("usr/bin", DIRECTORY)]),
        ("'usr/bin/x' comes before 'usr/bin', in which it lies: Linux leaves it out",),
    ),
    Case(
        "CPIO020",
        changed(*UCODE),
        (
            "the microcode 'kernel/x86/microcode/GenuineIntel.bin' is not found: it is packed with zstd, "
            "and Linux looks before it unpacks",
        ),
    ),
    Case(
        "CPIO018",
        changed(Raw("init", FILE | 0o111, b"busybox")),
        (
            "Linux would start /init, but /init is a file of no known format (it starts with "
            "62757379626f78), which is not a program",
        ),
    ),
    Case(
        "CPIO018",
        changed(without="sbin/init"),
        ("Linux would start /init, but /init is not in the archive",),
    ),
)
"""What is told of anybody's initramfs; of one that is built here, its programs are static anyway."""

PROGRAMS = (
    Case(
        "ELF002",
        changed(Raw("bin/installer", FILE | 0o111, elf(machine=AARCH64))),
        ("bin/installer: the program is for 64-bit AArch64, not for x86-64",),
    ),
    Case(
        "ELF001",
        changed(Raw("bin/busybox", FILE | 0o111, b"#!/bin/sh\n")),
        ("bin/busybox: the program is a script (#!/bin/sh), not an ELF file",),
    ),
)


@pytest.mark.parametrize("case", TOGETHER, ids=name)
def test_what_programs_need_is_told_of_any_initramfs(case: Case) -> None:
    node = take_apart(case.image, "initramfs")
    assert told(node.all_findings()) == case.expected
    severity = Severity.ERROR if case.code == "CPIO018" else Severity.WARNING
    assert {finding.severity for finding in node.all_findings()} == {severity}


def test_a_good_initramfs_has_no_findings() -> None:
    assert found("initramfs", GOOD) == []
    assert found("initramfs", changed(Raw("root/all", LINK, b"/"))) == []


@pytest.mark.parametrize("case", CASES + PROGRAMS, ids=name)
def test_a_bad_initramfs_is_told(case: Case) -> None:
    assert told(found("initramfs", case.image)) == case.expected
