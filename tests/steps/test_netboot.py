from pathlib import Path

import pytest

from pipeline.checks.netboot import Load, Script, follow
from pipeline.errors import PipelineError
from pipeline.steps import netboot
from tests.fixtures.bzimage import bzimage
from tests.fixtures.context import Played, played
from tests.fixtures.initramfs import changed
from tests.fixtures.uki import CMDLINE, uki

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


def context(folder: Path, **files: bytes) -> Played:
    (folder / "in").mkdir()
    parts = {"uki": uki(), netboot.KERNEL: bzimage(), netboot.INITRAMFS: changed()}
    for name, data in (parts | files).items():
        (folder / "in" / name).write_bytes(data)
    return played(folder, output="boot.ipxe", uki="Toy.efi", title="Toy 1.0", cmdline=CMDLINE.decode())


def test_the_script_and_the_command_line(tmp_path: Path) -> None:
    netboot.build(context(tmp_path))
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
        "boot.ipxe": SCRIPT,
        "cmdline.txt": CMDLINE.decode(),
    }


def test_the_check_follows_what_the_step_writes(tmp_path: Path) -> None:
    cmdline = CMDLINE.decode()
    assert follow(SCRIPT, "efi") == [Load("chain", "Toy.efi", cmdline)]
    assert follow(SCRIPT, "pcbios") == [
        Load("kernel", "vmlinuz", cmdline),
        Load("initrd", "initramfs.cpio.zst", ""),
    ]
    (tmp_path / "boot.ipxe").write_text(SCRIPT)
    assert Script(("Toy.efi", "vmlinuz", "initramfs.cpio.zst"), cmdline)(tmp_path / "boot.ipxe") == []


LARGE = bytes(range(256)) * 2048
"""More than is compared at once."""


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"vmlinuz": bzimage()[:-1] + b"!"},
            "vmlinuz is not what Toy.efi has in its section .linux: over the network another system would "
            "start than from a medium",
        ),
        (
            {"uki": uki({".initrd": LARGE}), netboot.INITRAMFS: LARGE[:-1] + b"!"},
            "initramfs.cpio.zst is not what Toy.efi has in its section .initrd: over the network another "
            "system would start than from a medium",
        ),
        (
            {"uki": uki({".linux": None})},
            "vmlinuz is not what Toy.efi has in its section .linux: over the network another system would "
            "start than from a medium",
        ),
        (
            {"uki": uki({".cmdline": b"quiet"})},
            f"the command line of Toy.efi is 'quiet', not {CMDLINE.decode()!r}",
        ),
    ],
)
def test_what_is_offered_apart_is_the_uki_s(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        netboot.build(context(tmp_path, **files))
    assert caught.value.message == message
    assert caught.value.hint
    assert list((tmp_path / "out").iterdir()) == []


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
