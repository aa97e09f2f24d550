import pytest

from acceptance.quiet import complaints, kernel_lines, strange_lines
from tests.vm import excerpts

# What OCR read on real screens.
QUIET = {
    "nothing": "\n",
    "QEMU before the firmware": "Guest has not initialized the display (yet).\n",
    "firmware": "BdsDxe: loading Boot0001 “UEFI QEMU DUD-ROM QNO00601 ” from PciRoot (6x0) /Pci (Ox1F .Ox2)"
    " /Sata (OxO,OxFFF\nF.0x0)\nTiano\n",
    "firmware without its picture": "BdsDxe: starting Boot0001 “UEFI Misc Device”\nF.0x0)\n",
    "the firmware's picture, begun": "ge-liano\n",
    "splash": "TruthDB\n",
    "program": "| TruthDB Version 0.1.0\nWelcome\nThis program puts TruthDB on a disk. Nothing is"
    " written\nbefore you confirm.\nMemory 1.5 GiB\n",
    "disks": "TruthDB Version 0.1.0\n1 [EFI (FAT32)] 1.1 GB\n[32_ ]\n    2 2.1 GB ext4 boot\n",
    "appliance": "TruthDB 0.1.0\nhttp://10.0.2.15:8080/status\n",
}

LOUD = {
    "a time stamp": "[    0.000000] Linux 6.12.107",
    "a time stamp as OCR reads it": "( 1.38676O] pci 0000:00:1f.2: [8086:2922] type 00",
    "a panic as OCR reads it": excerpts.NO_ROOT_BY_OCR,
    "version": "Linux version 6.12.107 (gcc 14.2.0)",
    "EFI stub": "EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID device path",
    "memory map": "BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable",
    "command line": "Command line: console=ttyS0,115200 rdinit=/sbin/init",
    "a call trace": "Call Trace:",
    "a warning": "------------[ cut here ]------------",
    "init": "init started: BusyBox v1.37.0 (Debian)",
    "the last line of the kernel": "Run /sbin/init as init process",
    "a shell": "Please press Enter to activate this console.",
    "init's complaint": "can't open /dev/tty2: No such file or directory",
    "init starts over": "process '/bin/installer' (pid 57) exited. Scheduling for restart.",
}


@pytest.mark.parametrize("text", QUIET.values(), ids=QUIET)
def test_what_may_be_seen(text: str) -> None:
    assert kernel_lines(text) == []
    assert strange_lines(text) == []


@pytest.mark.parametrize("text", LOUD.values(), ids=LOUD)
@pytest.mark.parametrize("around", ["{}", "TruthDB\n{}\n", "TruthDB\nWelcome\n    {}"])
def test_what_must_not(text: str, around: str) -> None:
    assert kernel_lines(around.format(text))


@pytest.mark.parametrize("text", LOUD.values(), ids=LOUD)
def test_alone_on_the_screen_it_is_strange_or_loud(text: str) -> None:
    assert complaints([(1.0, text)])


def test_text_of_nobody_we_know() -> None:
    text = "GRUB loading\nWelcome to some other system\n"
    assert strange_lines(text) == text.splitlines()
    assert complaints([(0.5, QUIET["splash"]), (3.25, text)]) == [
        "after 3.2 s the screen shows unknown text: 'GRUB loading'"
    ]


def test_what_is_said_of_kernel_text() -> None:
    assert complaints([(2.0, "TruthDB\n[    0.123456] ACPI: PM-Timer\n")]) == [
        "after 2.0 s the screen shows kernel text: '[    0.123456] ACPI: PM-Timer'"
    ]
