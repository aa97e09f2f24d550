"""What a kernel would do with what it is given."""

import gzip
import lzma
import struct

import lz4.frame
import pytest
import zstandard

from pipeline.checks.catalog import take_apart
from pipeline.inspection.questions import answers
from tests.fixtures.bzimage import bzimage, packed_kernel, vmlinux
from tests.fixtures.elf import AARCH64, elf
from tests.fixtures.fat import fat
from tests.fixtures.initramfs import changed
from tests.fixtures.newc import DIRECTORY, FILE, LINK, Raw, newc
from tests.fixtures.packed import PACK, lzo, windowed, xz
from tests.fixtures.uki import CMDLINE, uki

CONSOLE = b" console=tty0"
EARLY = newc([Raw("early_cpio", FILE, b"1"), Raw("kernel", DIRECTORY), Raw("kernel/x86", DIRECTORY)])
OWN = vmlinux(more='CONFIG_INITRAMFS_SOURCE="/tmp/root"')
BUSYBOX = Raw("bin/busybox", FILE | 0o111, elf() + b"BusyBox v1.37.0 (Debian)")


def init(name: str, data: bytes, mode: int = FILE | 0o111) -> bytes:
    return changed(Raw(name, mode, data))


CASES = (
    ("kernel", uki(), "6.12.1-test (.linux)"),
    ("kernel", bzimage(version=""), "a kernel that does not name its version"),
    ("kernel", uki({".linux": b"for another machine"}), "6.12.1-test (.uname)"),
    (
        "kernel",
        uki({".linux": b"for another machine", ".uname": None}),
        "unknown: no Linux kernel was found inside",
    ),
    ("kernel", gzip.compress(bzimage(), mtime=0), "6.12.1-test"),
    (
        "kernel",
        fat({f"{n}.EFI": uki({".linux": bzimage(version=f"6.{n}"), ".initrd": None}) for n in range(5)}),
        "6.0, 6.1, 6.2 and 2 more (0.EFI!.linux, 1.EFI!.linux, 2.EFI!.linux and 2 more)",
    ),
    ("cmdline", uki(), f"{CMDLINE.decode()} (.cmdline)"),
    ("cmdline", uki({".cmdline": b"quiet\x1b[2J"}), r"quiet\x1b[2J (.cmdline)"),
    ("cmdline", uki({".cmdline": b"x" * 70000}), "no: no UKI inside has a .cmdline that can be read"),
    (
        "cmdline",
        fat({"A.EFI": uki({".cmdline": b"quiet"}), "B.EFI": uki({".cmdline": b"debug"})}),
        "quiet (A.EFI!.cmdline; 1 more in other UKIs)",
    ),
    (
        "cmdline",
        fat({"GRUB.CFG": b"linux /vmlinuz"}),
        "unknown: the boot loader gives it, from GRUB.CFG",
    ),
    ("cmdline", fat({}), "unknown: no UKI is inside; whatever starts the kernel gives it"),
    ("consoles", uki(), "ttyS0,115200 tty0 (/dev/console is the last one, tty0)"),
    (
        "consoles",
        uki({".cmdline": b"quiet"}),
        "no: the command line has no console=: the kernel takes what it finds",
    ),
    ("consoles", fat({}), "unknown: the command line would say so"),
    ("init", uki(), "/sbin/init (rdinit= names it; a static program for x86-64, in /bin/busybox)"),
    (
        "init",
        uki({".initrd": changed(BUSYBOX)}),
        "/sbin/init (rdinit= names it; BusyBox v1.37.0, a static program for x86-64, in /bin/busybox)",
    ),
    (
        "init",
        uki({".cmdline": b"quiet", ".initrd": init("init", b"#!/bin/sh\nexec /bin/sh\n")}),
        "/init (no rdinit= names another; a script (#!/bin/sh))",
    ),
    (
        "init",
        uki({".initrd": init("sbin/init", elf(interpreter="/bin/busybox"))}),
        "/sbin/init (rdinit= names it; a dynamic program for x86-64)",
    ),
    (
        "init",
        uki({".cmdline": b"quiet"}),
        "no: no rdinit=, so the kernel takes /init, and /init is not in the archive",
    ),
    (
        "init",
        uki({".initrd": init("sbin/init", b"/gone", LINK)}),
        "no: rdinit=/sbin/init, and /sbin/init leads to /gone, which is not in the archive",
    ),
    (
        "init",
        uki({".initrd": None, ".cmdline": b"root=/dev/sda1 init=/bin/sh"}),
        "unknown: no initramfs can be read: the kernel mounts root=/dev/sda1 and starts /bin/sh there",
    ),
    (
        "init",
        changed(),
        "/sbin/init, with rdinit=/sbin/init only (a static program for x86-64, in /bin/busybox; /init is not "
        "in the archive)",
    ),
    (
        "init",
        init("init", elf()),
        "/init (a static program for x86-64, unless rdinit= says otherwise)",
    ),
    (
        "init",
        changed(without="sbin/init"),
        "no: /init is not in the archive, and /sbin/init is not in the archive",
    ),
    (
        "init",
        uki({".initrd": init("sbin/init", b"milk, eggs")}),
        "no: rdinit=/sbin/init, and /sbin/init is a file of no known format (it starts with "
        "6d696c6b2c206567), which is not a program; Linux starts /bin/sh instead",
    ),
    (
        "init",
        uki({".initrd": init("sbin/init", b"#!/bin/sh\r\nexec /bin/sh\r\n")}),
        r"no: rdinit=/sbin/init, and /sbin/init is a script for '/bin/sh\r', which is not in the archive: "
        "its lines end as on Windows, in CR and LF; Linux starts /bin/sh instead",
    ),
    (
        "init",
        uki({".initrd": init("sbin/init", elf(machine=AARCH64)), ".cmdline": CMDLINE + b" init=/bin/gone"}),
        "no: rdinit=/sbin/init, and /sbin/init is a program for AArch64, the kernel is for x86-64; "
        "Linux panics",
    ),
    (
        "init",
        uki({".initrd": init("sbin/init", elf(), FILE), ".cmdline": CMDLINE + b" root=/dev/sda1"}),
        "no: rdinit=/sbin/init, and /sbin/init is not an executable file: /sbin/init has mode -rw-r--r--; "
        "Linux starts /bin/sh instead",
    ),
    (
        "init",
        uki({".linux": bzimage(payload=packed_kernel("RD_ZSTD"))}),
        "no: rdinit=/sbin/init, and the UKI's initramfs is packed with zstd, but its kernel was built "
        "without CONFIG_RD_ZSTD",
    ),
    (
        "init",
        uki({".linux": bzimage(payload=zstandard.compress(OWN)), ".cmdline": b"quiet"}),
        "unknown: /init is not in the archive; the kernel has an initramfs of its own in it",
    ),
    (
        "init",
        uki({".initrd": changed(without="sbin/init"), ".cmdline": None}),
        "unknown: /init is not in the archive; what gives the command line may name another",
    ),
    (
        "init",
        init("init", elf(machine=AARCH64)),
        "/init, by a kernel for AArch64 only (a static program for AArch64, unless rdinit= says otherwise)",
    ),
    (
        "init",
        init("init", b"busybox"),
        "no: /init is a file of no known format (it starts with 62757379626f78), which is not a program",
    ),
    (
        "init",
        init("sbin/init", elf(machine=AARCH64)),
        "/sbin/init, with rdinit=/sbin/init only, by a kernel for AArch64 only (a static program for "
        "AArch64; /init is not in the archive)",
    ),
    ("init", EARLY, "no: there is nothing in it but what Linux looks for before it unpacks"),
    (
        "init",
        fat({"UCODE.IMG": EARLY, "INITRD.IMG": init("init", elf())}),
        "/init (in INITRD.IMG; a static program for x86-64, unless rdinit= says otherwise)",
    ),
    (
        "init",
        fat({"INITRD.IMG": changed()}),
        "unknown: the boot loader says what is started of INITRD.IMG",
    ),
    ("init", fat({}), "unknown: no initramfs that can be read was found inside"),
    ("missing", uki({".cmdline": b"quiet"}), "/init in the initramfs"),
    ("missing", changed(without="sbin/init"), "/init"),
)


@pytest.mark.parametrize(("question", "image", "said"), CASES, ids=lambda each: str(each)[:60])
def test_it_is_said(question: str, image: bytes, said: str) -> None:
    node = take_apart(image, "artifact")
    answer = next(each for each in answers(node) if each.question == question)
    because = f" ({answer.because})" if answer.value and answer.because else f": {answer.because}"
    where = "".join(f", {condition.text()}" for condition in answer.conditions)
    assert (answer.value or answer.verdict) + where + (because if answer.because else "") == said


TINY = newc([Raw("dev", DIRECTORY), Raw("init", FILE | 0o111, elf())])
EXTRA = newc([Raw("extra", FILE, b"extra")])
ZSTD = PACK["zstd"](TINY)
ZSTD += bytes((1 - len(ZSTD)) % 4)  # not on a multiple of 4
OLD = struct.pack("<13H", 0o070707, 0, 0, 0o100755, 0, 0, 1, 0, 0, 0, 5, 0, 0) + b"init\0\0"
TAR = b"init".ljust(257, b"\0") + b"ustar\x0000".ljust(255, b"\0")

UNPACKED = (
    ("newc", TINY, "yes", "", ""),
    ("gzip", PACK["gzip"](TINY), "yes", "", ""),
    ("legacy lz4", PACK["lz4"](TINY), "yes", "", ""),
    ("lzo", lzo(TINY), "yes", "", ""),
    ("lz4 frame", lz4.frame.compress(TINY), "no", "CPIO000", "pack it with `lz4 -l`"),
    ("xz with CRC32", PACK["xz"](TINY), "yes", "", ""),
    ("xz with CRC64", xz(TINY, lzma.CHECK_CRC64), "no", "CPIO000", "| xz --check=crc32 >"),
    ("xz with SHA-256", xz(TINY, lzma.CHECK_SHA256), "no", "CPIO000", "| xz --check=crc32 >"),
    ("packed twice", PACK["gzip"](PACK["gzip"](TINY)), "no", "CPIO000", "find . | cpio -o -H newc"),
    ("zeros in front", bytes(512) + TINY, "yes", "", ""),
    ("zstd with a large window", windowed(TINY, 31), "no", "CPIO000", "| zstd -19 >"),
    ("gzip without its last bytes", PACK["gzip"](TINY)[:-4], "no", "CPIO000", "make it again"),
    ("xz without its footer", PACK["xz"](TINY)[:-12], "yes", "CPIO019", "make it again"),
    ("second part unaligned", ZSTD + EXTRA, "yes", "CPIO019", "`truncate -s %4 FIRST`"),
    ("second part aligned", ZSTD + bytes(3) + EXTRA, "yes", "", ""),
    ("garbage behind", PACK["zstd"](TINY) + b"garbage!", "yes", "CPIO019", "`head -c "),
    ("odc", PACK["gzip"](b"070707" + b"0" * 76), "no", "CPIO000", "`bsdtar -cf NEW --format=newc @OLD`"),
    ("old binary format", PACK["gzip"](OLD), "no", "CPIO000", "`bsdtar -cf NEW --format=newc @OLD`"),
    ("old binary format, not packed", OLD, "no", "CPIO000", "`bsdtar -cf NEW --format=newc @OLD`"),
    ("tar", PACK["gzip"](TAR), "no", "CPIO000", "`bsdtar -cf NEW --format=newc @OLD`"),
    ("tar, not packed", TAR, "no", "CPIO000", "`bsdtar -cf NEW --format=newc @OLD`"),
    (
        "init cut off",
        newc([Raw("init", FILE | 0o111, elf())])[:300],
        "no",
        "CPIO018",
        "make the archive again",
    ),
)


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a UKI"])
@pytest.mark.parametrize(
    ("name", "image", "verdict", "code", "hint"), UNPACKED, ids=[row[0] for row in UNPACKED]
)
def test_linux_starts_what_it_has_unpacked(
    name: str, image: bytes, verdict: str, code: str, hint: str, inside: bool
) -> None:
    config = bzimage(payload=zstandard.compress(b"\x7fELF" + bytes(60)))  # says nothing of itself
    whole = uki({".initrd": image, ".cmdline": b"console=tty0", ".linux": config}) if inside else image
    node = take_apart(whole, name)
    answer = next(each for each in answers(node) if each.question == "init")
    findings = {finding.code: finding.hint for finding in node.all_findings()}
    if inside and code == "CPIO018":
        code = "UKI014"
    assert answer.verdict == verdict
    assert answer.finding == (code if verdict == "no" else "")
    assert hint in findings.get(code, "")
    assert not code or code in findings
    assert code or not any(each.startswith("CPIO") for each in findings)


DECIDED = (
    (uki({".initrd": init("sbin/init", b"#!/bin/gone\n")}), "UKI014"),
    (uki({".initrd": init("sbin/init", elf(), FILE)}), "UKI013"),
    (uki({".cmdline": b"quiet"}), "UKI013"),
    (uki({".initrd": changed()[:-9]}), "CPIO000"),
    (uki({".initrd": b"milk, eggs"}), "UKI008"),
    (uki({".initrd": None}), "UKI003"),
    (uki({".linux": bzimage(payload=packed_kernel("RD_ZSTD"))}), "UKI012"),
    (init("init", b"busybox"), "CPIO018"),
    (changed(without="sbin/init"), "CPIO018"),
)


@pytest.mark.parametrize(("image", "code"), DECIDED)
def test_a_no_names_the_finding_that_decides(image: bytes, code: str) -> None:
    node = take_apart(image, "artifact")
    answer = next(each for each in answers(node) if each.question == "init")
    assert (answer.verdict, answer.finding) == ("no", code)
    assert code in {finding.code for finding in node.all_findings()}
