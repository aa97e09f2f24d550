import struct

import pytest

from pipeline.checks.catalog import KINDS, take_apart
from tests.fixtures import patch
from tests.fixtures.case import Case, found, name, told
from tests.fixtures.elf import elf
from tests.fixtures.pe import ARM64, PE_OFFSET, moved, pe, section_field
from tests.fixtures.signed import EC, RSA, UNSIGNED, signed
from tests.fixtures.signer import pkcs7

GOOD = UNSIGNED
RAW_OFFSET, VIRTUAL_ADDRESS = 20, 12

SBAT = b"sbat,1,SBAT Version,sbat,1,https://example.org/\nshim,1,UEFI shim,shim,1,https://example.org/\n"
IMAGE_BASE = PE_OFFSET + 24 + 24


def with_section_at(address: int) -> bytes:
    """A program of which objcopy has put .data below its ImageBase."""
    return patch(moved(GOOD, ".data", address), IMAGE_BASE, struct.pack("<Q", 0x14DF70000))


CASES = (
    Case("EFI000", b"", ("PE: DOS header: 64 bytes at offset 0x0 do not lie inside the 0 bytes given",)),
    Case(
        "EFI001",
        pe({".text": b"x"}, subsystem=3),
        ("the EFI program is of subsystem 3, not 10 (EFI application)",),
    ),
    Case(
        "EFI002",
        pe({".text": b"x", ".initrd": b"x"}),
        ("the EFI program has an .initrd but no .linux: a UKI without its kernel",),
    ),
    Case("EFI003", GOOD[:-0x200], ("the EFI program's section .data ends at 0x800, the file at 0x600",)),
    Case(
        "EFI004",
        patch(GOOD, section_field(GOOD, ".data", RAW_OFFSET), b"\0\4"),
        ("the EFI program's sections .text and .data overlap in the file",),
    ),
    Case(
        "EFI005",
        patch(GOOD, section_field(GOOD, ".data", VIRTUAL_ADDRESS), b"\x10\x20"),
        ("the EFI program's section .data has the address 0x2010, not a multiple of 0x1000",),
    ),
    Case(
        "EFI003",
        signed(RSA)[:-8],
        ("the EFI program's certificate table ends at 0xdd8, the file at 0xdd0",),
    ),
    Case(
        "EFI003",
        patch(GOOD, PE_OFFSET + 24 + 60, b"\x90\1"),
        ("the EFI program's section table ends at 0x198, its headers at 0x190",),
    ),
    Case(
        "EFI007",
        with_section_at(0xB2090000),
        (
            "the EFI program takes 2.8 GB of memory in one piece for 0.0 MB: "
            "its section .data has the address 0xb2090000",
        ),
    ),
    Case(
        "EFI011",
        patch(GOOD, PE_OFFSET + 24 + 108, b"\x0f"),
        ("the EFI program's optional header is not as long as its magic and its number of directories say",),
    ),
    Case(
        "EFI011",
        patch(GOOD, PE_OFFSET + 24 + 16, b"\0\0\x10"),
        ("the EFI program's entry point is at 0x100000, its memory ends at 0x3000",),
    ),
    Case(
        "EFI009",
        signed(b"no DER at all", RSA),
        (
            "the EFI program has a signature that cannot be read: DER: a value is cut off: 6e6f204445522061, "
            "of 13 bytes; another of its signatures is right",
        ),
    ),
    Case(
        "EFI009",
        signed(EC, pkcs7(patch(UNSIGNED, 0x400, b"X"), "Another")),
        (
            "the EFI program is signed by 'Another', but the signature is of another file: "
            "it was changed after it was signed; another of its signatures is right",
        ),
    ),
    Case(
        "EFI010",
        patch(GOOD, section_field(GOOD, ".data", VIRTUAL_ADDRESS), b"\0\x10"),
        ("the EFI program's section .data overwrites its code in memory, at 0x1000",),
    ),
    Case(
        "EFI008",
        pe({".text": b"x", ".sbat": SBAT}),
        (
            "under Secure Boot shim refuses the EFI program: SbatLevel 2022052400 and newer refuse shim,1 "
            "(2024010900 wants shim,4)",
        ),
    ),
    Case(
        "EFI006",
        signed(RSA) + b"APPENDED",
        (
            "the EFI program is signed by 'Test signer', but 8 bytes were appended behind its "
            "certificate table: firmware reads them as part of the program, and nobody signed them",
        ),
    ),
    Case(
        "EFI006",
        patch(signed(RSA), signed(RSA).index(b"code"), b"CODE"),
        (
            "the EFI program was changed after it was signed by 'Test signer': "
            "its sha256 is not the signed one",
        ),
    ),
)


def test_an_addon_may_bring_an_initrd() -> None:
    image = pe({".initrd": b"x", ".osrel": b"ID=x\n"})
    addon = patch(image, PE_OFFSET + 24 + 16, bytes(4))  # no code, no entry point
    assert take_apart(addon, "addon.efi").all_findings() == []
    of_systemd = pe({".text": b"x", ".sdmagic": b"#### LoaderInfo: systemd-addon 257 ####", ".initrd": b"x"})
    assert take_apart(of_systemd, "addon.efi").all_findings() == []


@pytest.mark.parametrize(
    "good",
    [
        pe({".text": b"x"}, subsystem=16),
        GOOD,
        signed(RSA),
        signed(RSA, EC),
        pe({".text": b"x"}, machine=ARM64),
    ],
)
def test_a_good_program_has_no_findings(good: bytes) -> None:
    assert found("efi", good) == []


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_bad_program_is_told(case: Case) -> None:
    assert told(found("efi", case.image)) == case.expected


def test_an_addon_s_command_line_is_read_as_one() -> None:
    node = take_apart(pe({".cmdline": b"quiet debug", ".sbat": b"sbat,1"}), "addon.efi")
    kinds = [(child.name, child.kind.name if child.kind else "") for child in node.children]
    assert node.kind is KINDS["efi"]
    assert kinds == [(".cmdline", "cmdline"), (".sbat", "")]


def test_what_is_no_efi_program_is_none() -> None:
    assert take_apart(elf(), "x").kind is not KINDS["efi"]


def test_an_image_that_does_not_say_how_far_its_sections_are_is_told_once() -> None:
    image = patch(with_section_at(0xB2090000), PE_OFFSET + 24 + 56, struct.pack("<I", 0x3000))
    (finding,) = take_apart(image, "x").all_findings()
    assert finding.code == "EFI007"


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        (
            0xB2090000,
            "add the stub's ImageBase, 0x14df70000, to the addresses that objcopy is given, "
            "or put it together with ukify",
        ),
        (0x60000000, "put it together with ukify"),
    ],
)
def test_sections_far_from_others_have_a_likely_cause(address: int, hint: str) -> None:
    (finding,) = take_apart(with_section_at(address), "x").all_findings()
    assert (finding.code, finding.hint) == ("EFI007", hint)
