"""The texts of menus, whole, and what not all that read them would take alike."""

import json

import pytest

from pipeline.formats import boot_menu
from pipeline.formats.boot_menu import Entry

KERNEL, INITRD = "1" * 64, "2" * 64


def entry(number: int, **changes: str) -> Entry:
    given = {
        "id": boot_menu.entry_id("toy", number),
        "title": f"toy 1.{number}",
        "system": f"/store/{number}-system",
        "kernel": f"/{boot_menu.kernel_name(KERNEL)}",
        "kernel_sha256": KERNEL,
        "initrd": f"/{boot_menu.initrd_name(INITRD)}",
        "initrd_sha256": INITRD,
        "cmdline": f"system=/store/{number}-system quiet",
    }
    return Entry(**given | changes)


GRUB = """\
# GRUB reads this under a BIOS and under UEFI; Heads reads the entries, and expands no variables.
set default=0
set timeout=3
if [ "$grub_platform" = pc ]; then
  if serial --unit=0 --speed=115200; then
    terminal_input console serial
    terminal_output console serial
  fi
fi
if search --no-floppy --set=esp --file /EFI/toy/grubenv; then
  load_env --file ($esp)/EFI/toy/grubenv next_entry
  if [ -n "$next_entry" ]; then
    set chosen="$next_entry"
    set next_entry=
    if save_env --file ($esp)/EFI/toy/grubenv next_entry; then
      set default="$chosen"
    fi
  fi
fi

menuentry 'toy 1.0' --id toy-0 {
  linux /vmlinuz-111111111111 system=/store/0-system quiet
  initrd /initrd-222222222222.img
}

menuentry 'toy 1.1' --id toy-1 {
  linux /vmlinuz-111111111111 system=/store/1-system quiet
  initrd /initrd-222222222222.img
}
"""
BLS = """\
title toy 1.1
sort-key toy-01
linux /vmlinuz-111111111111
initrd /initrd-222222222222.img
options system=/store/1-system quiet
architecture x64
"""


def test_the_menu_of_grub() -> None:
    assert boot_menu.grub_config([entry(0), entry(1)], "toy", 3) == GRUB


def test_the_entries_of_the_bls() -> None:
    found = boot_menu.bls_entries("toy", [entry(number) for number in range(11)])
    assert list(found) == [f"loader/entries/toy-{number}.conf" for number in range(11)]
    assert found["loader/entries/toy-1.conf"] == BLS
    keys = [text.splitlines()[1] for text in found.values()]
    assert keys == sorted(keys)


def test_what_a_tree_says_of_itself() -> None:
    (one,) = json.loads(boot_menu.about([entry(0)]))["entries"]
    assert one == {
        "id": "toy-0",
        "title": "toy 1.0",
        "system": "/store/0-system",
        "kernel": "/vmlinuz-111111111111",
        "kernel_sha256": KERNEL,
        "initrd": "/initrd-222222222222.img",
        "initrd_sha256": INITRD,
        "cmdline": "system=/store/0-system quiet",
    }


GOOD = [
    "",
    "root=LABEL=ROOT gnu.system=/gnu/store/abc-system gnu.load=/gnu/store/abc-system/boot",
    "console=ttyS0,115200n8 rd.luks.name=a%b@c^d~e+f! usb-storage.quirks=1:2:u",
    "x" * (2047 - 33),
]
DIFFERS = "of which GRUB, the shell of Heads and systemd-boot make different things"
TAKEN = "which Heads takes out: it tells Linux itself where an ISO is"
BAD = [
    ('dyndbg="a +p"', [f"'dyndbg=\"a' has '\"', {DIFFERS}"]),
    ("a='b'", [f'"a=\'b\'" has "\'", {DIFFERS}']),
    ("memmap=1G$2G", [f"'memmap=1G$2G' has '$', {DIFFERS}"]),
    ("a|b", [f"'a|b' has '|', {DIFFERS}"]),
    ("a\\b", [f"'a\\\\b' has '\\\\', {DIFFERS}"]),
    ("x a;b", [f"'a;b' has ';', {DIFFERS}"]),
    ("`b`", [f"'`b`' has '`', {DIFFERS}"]),
    ("a{b}", [f"'a{{b}}' has '{{', {DIFFERS}", f"'a{{b}}' has '}}', {DIFFERS}"]),
    ("mask=*", [f"'mask=*' has '*', {DIFFERS}"]),
    ("a?b", [f"'a?b' has '?', {DIFFERS}"]),
    ("a #b", [f"'#b' has '#', {DIFFERS}"]),
    ("name=\u00fc", [f"'name=\u00fc' has '\u00fc', {DIFFERS}"]),
    (
        "a\tb",
        [f"'a\\tb' has '\\t', {DIFFERS}", "blanks at an end, or two beside each other: Heads takes them out"],
    ),
    ("a  b", ["blanks at an end, or two beside each other: Heads takes them out"]),
    (" a", ["blanks at an end, or two beside each other: Heads takes them out"]),
    ("a --- b", ["'---' is taken out by Heads, as a mark of GRUB's"]),
    ("x findiso=/a", [f"'findiso=/a' has 'findiso=', {TAKEN}"]),
    ("my.iso=/a", [f"'my.iso=/a' has 'iso=', {TAKEN}"]),
    ("live-media=/dev/sda", [f"'live-media=/dev/sda' has 'live-media=', {TAKEN}"]),
    (
        "x" * (2047 - 32),
        ["it has 2015 bytes, with the 33 that GRUB puts before them more than the 2047 that Linux takes"],
    ),
]


@pytest.mark.parametrize("cmdline", GOOD)
def test_command_lines_that_all_read_alike(cmdline: str) -> None:
    assert boot_menu.cmdline_mistakes(cmdline) == []


@pytest.mark.parametrize(("cmdline", "said"), BAD)
def test_command_lines_that_not_all_read_alike(cmdline: str, said: list[str]) -> None:
    assert boot_menu.cmdline_mistakes(cmdline) == said


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("toy 1.0~rc1 (system-2-link)", []),
        ("toy's", ['the title "toy\'s" has "\'", which not every menu shows as it is']),
        ("a|b", ["the title 'a|b' has '|', which not every menu shows as it is"]),
        ("\u00fc", ["the title '\u00fc' has '\u00fc', which not every menu shows as it is"]),
        (
            "a  b",
            ["the title 'a  b' has blanks at an end, or two beside each other, which Heads takes out"],
        ),
    ],
)
def test_titles(title: str, said: list[str]) -> None:
    assert boot_menu.title_mistakes(title) == said
