from pathlib import Path

import pytest

from pipeline.checks.netboot import Script
from tests.fixtures.case import told

CHECK = Script(("Toy.efi", "vmlinuz", "initrd.zst"), "quiet")
EFI = ":efi\nchain Toy.efi quiet\n"
PARTS = "kernel vmlinuz quiet\ninitrd initrd.zst\nboot\n"
FORK = "iseq ${platform} efi && goto efi ||\n"

NET000, NET001, NET002 = "NET000", "NET001", "NET002"


def judged(folder: Path, text: str) -> list[tuple[str, str]]:
    (folder / "boot.ipxe").write_text(text)
    return told(CHECK(folder / "boot.ipxe"))


@pytest.mark.parametrize(
    "text",
    [
        FORK + PARTS + EFI,
        "# a comment\n\necho Toy\nsleep 1\n" + FORK + PARTS + EFI,
        PARTS,
        "goto efi\n" + EFI,
    ],
)
def test_a_script_in_order(tmp_path: Path, text: str) -> None:
    assert judged(tmp_path, "#!ipxe\n" + text) == []


@pytest.mark.parametrize(
    ("text", "code", "messages"),
    [
        ("", NET000, ["its first line is '', not '#!ipxe'"]),
        ("#!gpxe\n" + PARTS, NET000, ["its first line is '#!gpxe', not '#!ipxe'"]),
        ("#!ipxe\n", NET000, ["with UEFI it comes to its end and has started nothing"]),
        (
            "#!ipxe\n" + FORK + "kernel vmlinuz quiet\nexit\n" + EFI,
            NET000,
            ["'exit' is not a command that is known here"],
        ),
        (
            "#!ipxe\n" + FORK + "kernel vmlinuz quiet\n:efi\n",
            NET000,
            ["with UEFI it comes to its end and has started nothing"],
        ),
        ("#!ipxe\n" + FORK + PARTS, NET000, ["it goes to 'efi', and has no label :efi"]),
        ("#!ipxe\n:a\ngoto a\n", NET000, ["it goes to 'a' for ever"]),
        (
            "#!ipxe\niseq ${platform} efi || goto efi\n" + EFI,
            NET000,
            ["'iseq efi efi || goto efi' is not a condition that is known here"],
        ),
        (
            "#!ipxe\n" + FORK + PARTS.replace("vmlinuz", "http://server/vmlinuz") + EFI,
            NET001,
            [
                "with BIOS it loads 'http://server/vmlinuz', which is not offered "
                "(offered: Toy.efi, vmlinuz, initrd.zst)"
            ],
        ),
        (
            "#!ipxe\n" + FORK + PARTS + EFI.replace("Toy", "Other"),
            NET001,
            ["with UEFI it loads 'Other.efi', which is not offered (offered: Toy.efi, vmlinuz, initrd.zst)"],
        ),
        (
            "#!ipxe\n" + FORK + PARTS + ":efi\nchain Toy.efi\n",
            NET002,
            ["with UEFI Toy.efi gets the command line '', not 'quiet'"],
        ),
        (
            "#!ipxe\n" + PARTS.replace("quiet", "quiet x"),
            NET002,
            [
                "with UEFI vmlinuz gets the command line 'quiet x', not 'quiet'",
                "with BIOS vmlinuz gets the command line 'quiet x', not 'quiet'",
            ],
        ),
    ],
)
def test_a_script_that_must_not_be_used(tmp_path: Path, text: str, code: str, messages: list[str]) -> None:
    assert judged(tmp_path, text) == [(code, message) for message in messages]
