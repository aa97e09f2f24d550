from pathlib import Path

import pytest

from pipeline.checks.netboot import Load, Script, follow
from pipeline.steps import netboot
from tests.fixtures.context import played
from tests.fixtures.uki import CMDLINE

SCRIPT = """\
#!ipxe
# Toy 1.0: all files lie beside this one. Firmware for UEFI starts the UKI, a BIOS what it consists of.
iseq ${platform} efi && goto efi ||
kernel vmlinuz rdinit=/sbin/init console=ttyS0,115200 console=tty0 quiet
initrd initramfs.cpio.zst
boot
:efi
# iPXE hands over a command line in any case, so a UKI would not use its own.
chain Toy.efi rdinit=/sbin/init console=ttyS0,115200 console=tty0 quiet
"""


def test_the_script_and_what_its_check_says_of_it(tmp_path: Path) -> None:
    cmdline = CMDLINE.decode()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cmdline.txt").write_text(cmdline)
    netboot.build(played(tmp_path, output="boot.ipxe", uki="Toy.efi", title="Toy 1.0"))
    made = tmp_path / "out/boot.ipxe"
    assert made.read_text() == SCRIPT
    assert follow(SCRIPT, "efi") == [Load("chain", "Toy.efi", cmdline)]
    assert follow(SCRIPT, "pcbios") == [
        Load("kernel", "vmlinuz", cmdline),
        Load("initrd", "initramfs.cpio.zst", ""),
    ]
    assert Script(("Toy.efi", "vmlinuz", "initramfs.cpio.zst"), cmdline)(made) == []


@pytest.mark.parametrize(
    ("cmdline", "special"),
    [
        ("quiet a=${b}", "${"),
        ("quiet && reboot", "&&"),
        ("quiet || true", "||"),
        ("a ; b", ";"),
        ("#a b", "#a"),
        ("name=\u00e4", "\u00e4"),
    ],
)
def test_what_ipxe_would_not_hand_on(cmdline: str, special: str) -> None:
    assert netboot.mistake_in(cmdline) == f"iPXE would not hand on {special!r} as it stands"


@pytest.mark.parametrize("cmdline", ["", "rdinit=/sbin/init quiet", "a=1;2 b=x#y c=a&&b d=$e", 'dyndbg="x"'])
def test_what_ipxe_hands_on(cmdline: str) -> None:
    assert netboot.mistake_in(cmdline) is None
