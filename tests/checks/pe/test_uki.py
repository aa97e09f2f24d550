import gzip
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
import zstandard

from pipeline.checks.catalog import take_apart
from pipeline.checks.finding import Severity
from pipeline.checks.pe.uki import UKI
from pipeline.checks.pe.uki_pcr import expected
from pipeline.checks.pe.uki_profiles import profiles
from pipeline.formats.fields import MAX_READ
from pipeline.formats.pe import read_pe
from tests.fixtures import patch
from tests.fixtures.bzimage import VERSION, bzimage, packed_kernel
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.elf import AARCH64, elf
from tests.fixtures.initramfs import changed, members
from tests.fixtures.newc import DIRECTORY, FILE, Raw, newc
from tests.fixtures.pcrsig import pcrsig
from tests.fixtures.pe import ARM64, PE_OFFSET, moved, section_field
from tests.fixtures.signed import RSA, signed
from tests.fixtures.signer import pkcs7, sign
from tests.fixtures.sparse import sparse
from tests.fixtures.uki import CMDLINE, SBAT, uki

GOOD = uki()
AFTER_INITRD = expected(read_pe(GOOD), profiles(read_pe(GOOD))[0])["enter-initrd"]
VIRTUAL_SIZE, VIRTUAL_ADDRESS, RAW_SIZE, RAW_OFFSET = 8, 12, 16, 20
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
        ("the UKI has no .linux, .initrd, .cmdline, .osrel, .uname, .sbat: it is a Linux bzImage",),
    ),
    Case("UKI003", uki({".osrel": b""}), ("the UKI's .osrel is empty",)),
    Case("UKI004", GOOD[:-0x200], ("the UKI's section .linux ends at 0x1a00, the file at 0x1800",)),
    Case(
        "UKI004",
        patch(GOOD, IMAGE_SIZE, struct.pack("<I", 0x8000)),
        ("the UKI's section .linux ends at 0x8600, the memory at 0x8000",),
    ),
    Case(
        "UKI005",
        with_field(".uname", VIRTUAL_ADDRESS, 0x3000),
        ("the UKI's sections .osrel and .uname overlap in the memory",),
    ),
    Case(
        "UKI005",
        with_field(".osrel", RAW_OFFSET, 0x400),
        ("the UKI's sections .text and .osrel overlap in the file",),
    ),
    Case(
        "UKI006",
        with_field(".uname", VIRTUAL_ADDRESS, 0x4010),
        ("the UKI's section .uname has the address 0x4010, not a multiple of 0x1000",),
    ),
    Case("UKI007", uki({".uname": b"6.1.0"}), ("the UKI's .uname is '6.1.0', its kernel is '6.12.1-test'",)),
    Case(
        "UKI008",
        uki({".initrd": elf()}),
        ("the UKI's .initrd is an ELF file, not an initramfs",),
    ),
    Case(
        "UKI010",
        signed(RSA, image=GOOD),
        ("the UKI was changed after it was signed by 'Test signer': its sha256 is not the signed one",),
    ),
    Case(
        "UKI016",
        moved(GOOD, ".linux", 0xB2090000),
        (
            "the UKI takes 2.8 GB of memory in one piece for 0.0 MB: "
            "its section .linux has the address 0xb2090000",
        ),
    ),
    Case(
        "UKI017",
        uki({".sbat": SBAT + b"grub.debian,3,Debian,grub2,2.06-6,https://tracker.debian.org/pkg/grub2\n"}),
        (
            "under Secure Boot shim refuses the UKI: SbatLevel 2023012900 and newer refuse grub.debian,3 "
            "(2023012900 wants grub.debian,4)",
        ),
    ),
    Case(
        "UKI020",
        uki(more=[(".pcrsig", pcrsig([bytes(32)]))]),
        (
            f"the UKI's .pcrsig is for another PCR 11 than it will have (sha256 {AFTER_INITRD} after "
            "enter-initrd): none of its policies (1) fits, and what the TPM seals to them will not unlock",
        ),
    ),
    Case(
        "UKI021",
        signed(pkcs7(GOOD), RSA, image=GOOD),
        (
            "the UKI is signed by 'Test signer', but the signature is of another file: "
            "it was changed after it was signed; another of its signatures is right",
        ),
    ),
    Case(
        "UKI023",
        patch(GOOD, PE_OFFSET + 24 + 16, b"\0\0\x10"),
        ("the UKI's entry point is at 0x100000, its memory ends at 0x9000",),
    ),
    Case(
        "UKI022",
        with_field(".linux", VIRTUAL_ADDRESS, 0x1000),
        ("the UKI's section .linux overwrites its code in memory, at 0x1000",),
    ),
    Case(
        "UKI018",
        uki(more=[(".cmdline", CMDLINE + b" a=b"), (".osrel", b"ID=x\n")]),
        (
            f"the UKI's .cmdline (2) counts for nothing: systemd-stub takes .cmdline, {CMDLINE.decode()!r}",
            "the UKI's .osrel (2) counts for nothing: systemd-stub takes .osrel",
        ),
    ),
    Case(
        "UKI011",
        uki({".sbat": b"shim,1,UEFI shim,shim,1,https://example.org\n"}),
        (".sbat: the first component is 'shim', not 'sbat'",),
    ),
    Case(
        "UKI009",
        uki({".splash": b"\x89PNG\r\n\x1a\n"}),
        ("the UKI's .splash is a file of no known format (it starts with 89504e470d0a1a0a), not a BMP",),
    ),
)


def with_modules(*releases: str) -> bytes:
    """Return an initramfs that has a module for each of these kernels."""
    folders = {"lib", "lib/modules"}
    folders |= {f"lib/modules/{each}{below}" for each in releases for below in ("", "/kernel")}
    files = (Raw(f"lib/modules/{each}/kernel/x.ko", FILE, b"x") for each in releases)
    return changed(*(Raw(folder, DIRECTORY) for folder in folders), *files)


def test_modules_of_other_kernels_may_lie_beside_those_of_its_own() -> None:
    assert take_apart(uki({".initrd": with_modules("6.11-other", VERSION)}), "x", "uki").all_findings() == []


TOGETHER = (
    Case(
        "UKI019",
        uki({".ucode": newc([Raw("extra", FILE, b"x")])}),
        (
            "the UKI's .ucode holds no microcode: it has 'extra', which is unpacked before .initrd, "
            "and no kernel/x86/microcode",
        ),
    ),
    Case(
        "UKI012",
        uki({".linux": bzimage(payload=packed_kernel("RD_ZSTD"))}),
        ("the UKI's initramfs is packed with zstd, but its kernel was built without CONFIG_RD_ZSTD",),
    ),
    Case(
        "UKI013",
        uki({".cmdline": CMDLINE.replace(b"/sbin/init", b"/bin/init")}),
        ("Linux would start /bin/init from the initramfs, but /bin/init is not in the archive",),
    ),
    Case(
        "UKI013",
        uki({".cmdline": b"console=ttyS0 console=tty0"}),
        ("Linux would start /init from the initramfs, but /init is not in the archive",),
    ),
    Case(
        "UKI014",
        uki({".initrd": changed(Raw("bin/busybox", FILE | 0o111, elf(machine=AARCH64)))}),
        ("/bin/busybox is a program for AArch64, the kernel is for x86-64",),
    ),
    Case(
        "UKI014",
        uki({".initrd": changed(Raw("sbin/init", FILE | 0o111, b"#!/bin/bash -e\n"))}),
        ("/sbin/init is a script for /bin/bash, but /bin/bash is not in the archive",),
    ),
    Case(
        "UKI014",
        uki(
            {
                ".initrd": changed(Raw("sbin/init", FILE | 0o111, b"#!/bin/sh\n")),
                ".linux": bzimage(payload=packed_kernel("BINFMT_SCRIPT")),
            }
        ),
        ("/sbin/init is a script, but the kernel was built without CONFIG_BINFMT_SCRIPT",),
    ),
    Case(
        "UKI024",
        uki({".initrd": with_modules("6.11-other")}),
        (f"the UKI's kernel is {VERSION}, but the modules in its initramfs are of 6.11-other",),
    ),
    Case(
        "UKI015",
        uki({".linux": bzimage(payload=packed_kernel("SERIAL_8250_CONSOLE", "VT_CONSOLE"))}),
        (
            "the command line says console=ttyS0,115200, but the kernel was built without "
            "CONFIG_SERIAL_8250_CONSOLE",
            "the command line says console=tty0, but the kernel was built without CONFIG_VT_CONSOLE",
        ),
    ),
)
"""What is told of parts that do not go together, whoever made the UKI."""

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
    assert found("uki", GOOD) == []


def test_a_splash_may_be_missing() -> None:
    assert found("uki", uki({".splash": None})) == []


@pytest.mark.parametrize("case", TOGETHER, ids=name)
def test_parts_that_do_not_go_together_are_told_of_any_uki(case: Case) -> None:
    node = take_apart(case.image, "uki")
    assert told(node.all_findings()) == case.expected


@pytest.mark.parametrize(
    "section",
    [
        {".uname": None},
        {".osrel": None, ".sbat": None},
        {".cmdline": b"root=/dev/sda1 console=ttyS0"},
        {".cmdline": None},
        {".ucode": newc([Raw("kernel/x86/microcode/GenuineIntel.bin", FILE, b"x")])},
        {".cmdline": CMDLINE + b"\n\0"},
        {".cmdline": CMDLINE + " root=LABEL=é".encode()},
        {".initrd": newc(members().values())},
        {
            ".initrd": gzip.compress(newc(members().values())),
            ".linux": bzimage(payload=zstandard.compress(b"a kernel without its configuration")),
        },
    ],
)
def test_others_ukis_may_do_otherwise(section: Mapping[str, bytes | None]) -> None:
    node = take_apart(uki(section), "uki")
    assert [finding for finding in node.all_findings() if finding.severity is Severity.ERROR] == []


def test_profiles_have_sections_of_the_same_name() -> None:
    image = uki({".profile": b"ID=main\n"}).replace(b".splash\0", b".cmdline", 1)
    node = take_apart(image, "uki")
    names = [child.name for child in node.children]
    assert ".cmdline" in names
    assert ".cmdline (2)" in names


@pytest.mark.parametrize("in_memory", [0, 0x10_0000])
def test_a_kernel_comes_out_as_it_was_put_in(in_memory: int) -> None:
    kernel = sign(bzimage())
    image = uki({".linux": kernel})
    if in_memory:  # as large as the kernel says that it becomes, as some write it
        image = patch(image, section_field(image, ".linux", VIRTUAL_SIZE), struct.pack("<I", in_memory))
        image = patch(image, IMAGE_SIZE, struct.pack("<I", 0x20_0000))
    part = take_apart(image, "uki").child(".linux")
    assert part
    assert len(kernel) % 0x200
    assert bytes(part.member.image) == kernel
    assert part.findings == ()


@pytest.mark.parametrize("contents", [b"no kernel", bzimage() + b"more"])
def test_what_its_headers_do_not_tell_is_kept(contents: bytes) -> None:
    image = uki({".linux": contents})
    longer = patch(image, section_field(image, ".linux", VIRTUAL_SIZE), struct.pack("<I", 0x10_0000))
    padded = contents + bytes(-len(contents) % 0x200)
    assert next(bytes(one.image) for one in UKI.members(read_pe(longer)) if one.name == ".linux") == padded


@pytest.mark.parametrize("case", CASES + PARTS, ids=name)
def test_a_bad_uki_is_told(case: Case) -> None:
    assert told(found("uki", case.image)) == case.expected


def test_a_kernel_larger_than_what_is_read_at_once_is_no_fault(tmp_path: Path) -> None:
    size = MAX_READ + 0x1000
    (offset,) = struct.unpack_from("<I", GOOD, section_field(GOOD, ".linux", RAW_OFFSET))
    image = patch(GOOD, IMAGE_SIZE, struct.pack("<I", 0x10000 + size))
    for field in (VIRTUAL_SIZE, RAW_SIZE):
        image = patch(image, section_field(GOOD, ".linux", field), struct.pack("<I", size))
    node = take_apart(sparse(tmp_path / "x.efi", offset + size, {0: image}), "x.efi")
    assert node.kind is UKI
    assert [finding.message for finding in node.all_findings() if "at once" in finding.message] == []
