"""Writes the menus of a boot tree: one for GRUB and Heads, and an entry each for what reads the BLS.

GRUB, Heads and systemd-boot read a command line by rules of their own: GRUB and the shell that Heads consists
of have quotes and variables, systemd-boot has none. So only what all of them read alike is written.

Source: GRUB 2.12, grub-core/script/yylex.l, loader/i386/linux.c (BOOT_IMAGE=); Heads,
initrd/bin/kexec-parse-boot.sh and kexec-boot.sh, https://github.com/linuxboot/heads
Specifications: UAPI.1 Boot Loader Specification; Linux, Documentation/arch/x86/boot.rst (cmdline_size)
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from string import ascii_letters, digits

MENU, ENTRIES, ABOUT = "grub/grub.cfg", "loader/entries", "boot-tree.json"
"""Where on its partition a boot tree has GRUB's menu, entries of the BLS, and what it says of itself."""

MAX_CMDLINE = 2047
"""Bytes of a command line: the 2048 of COMMAND_LINE_SIZE without the NUL, and where Heads warns."""

PLAIN = frozenset(f"{ascii_letters}{digits}_.,:=/+@%^~!-")
"""What GRUB's script, a shell's `echo` without quotes, and the BLS all take as it is."""

IN_TITLES = PLAIN | frozenset(" ()")
TAKEN_OUT = re.compile(r"(?:iso-scan/filename|findiso|fromiso|img_dev|img_loop|iso|live-media)=")
"""What Heads takes out of a command line, also within a word: it says where an ISO is in words of its own."""


@dataclass(frozen=True)
class Entry:
    """A system of a menu: files by their paths from the partition's top, with `/`, and their SHA-256.

    `system` is the folder that it is in the root, `id` what it is chosen by.
    """

    id: str
    title: str
    system: str
    kernel: str
    kernel_sha256: str
    initrd: str
    initrd_sha256: str
    cmdline: str


def kernel_name(sha256: str) -> str:
    """Return what a kernel with this digest is called."""
    return f"vmlinuz-{sha256[:12]}"


def initrd_name(sha256: str) -> str:
    """Return what an initramfs with this digest is called."""
    return f"initrd-{sha256[:12]}.img"


def entry_id(recipe: str, number: int) -> str:
    """Return what an entry is chosen by, once or for good: the current system is number 0."""
    return f"{recipe}-{number}"


def title_mistakes(title: str) -> list[str]:
    """Return why a title would not be the same everywhere."""
    bad = sorted(set(title) - IN_TITLES)
    if bad:
        return [f"the title {title!r} has {bad[0]!r}, which not every menu shows as it is"]
    if title != " ".join(title.split()):
        return [f"the title {title!r} has blanks at an end, or two beside each other, which Heads takes out"]
    return []


def cmdline_mistakes(cmdline: str) -> list[str]:
    """Return why Linux would not be told the same by GRUB, Heads and systemd-boot."""
    found = []
    for bad in sorted(set(cmdline) - PLAIN - {" "}):
        word = next(one for one in cmdline.split(" ") if bad in one)
        found.append(
            f"{word!r} has {bad!r}, of which GRUB, the shell of Heads and systemd-boot make different things"
        )
    if cmdline != " ".join(cmdline.split()):
        found.append("blanks at an end, or two beside each other: Heads takes them out")
    found += [
        f"{word!r} has {match[0]!r}, which Heads takes out: it tells Linux itself where an ISO is"
        for word in cmdline.split(" ")
        if (match := TAKEN_OUT.search(word))
    ]
    if "---" in cmdline.split(" "):
        found.append("'---' is taken out by Heads, as a mark of GRUB's")
    image = len(f"BOOT_IMAGE=/{kernel_name('0' * 64)} ")
    if len(cmdline.encode()) + image > MAX_CMDLINE:
        found.append(
            f"it has {len(cmdline.encode())} bytes, with the {image} that GRUB puts before them more than "
            f"the {MAX_CMDLINE} that Linux takes"
        )
    return found


def grub_config(entries: Sequence[Entry], folder: str, timeout: int) -> str:
    """Return GRUB's menu, the first entry of which is started after `timeout` seconds.

    All that is no entry is for GRUB alone: Heads takes no notice of it. A choice for one boot stands in an
    environment block on the EFI system partition, in the recipe's `folder`, so that nothing in the boot tree
    is ever written to; where the choice cannot be taken back, it is not heeded, as it would be for good.
    """
    block = f"/EFI/{folder}/grubenv"
    lines = [
        "# GRUB reads this under a BIOS and under UEFI; Heads reads the entries, and expands no variables.",
        "set default=0",
        f"set timeout={timeout}",
        'if [ "$grub_platform" = pc ]; then',  # UEFI has its console on a serial line, too, if it wants to
        "  if serial --unit=0 --speed=115200; then",
        "    terminal_input console serial",
        "    terminal_output console serial",
        "  fi",
        "fi",
        f"if search --no-floppy --set=esp --file {block}; then",
        f"  load_env --file ($esp){block} next_entry",
        '  if [ -n "$next_entry" ]; then',
        '    set chosen="$next_entry"',
        "    set next_entry=",
        f"    if save_env --file ($esp){block} next_entry; then",
        '      set default="$chosen"',
        "    fi",
        "  fi",
        "fi",
    ]
    for entry in entries:
        lines += [
            "",
            f"menuentry '{entry.title}' --id {entry.id} {{",
            f"  linux {entry.kernel} {entry.cmdline}",
            f"  initrd {entry.initrd}",
            "}",
        ]
    return "\n".join([*lines, ""])


def bls_entries(recipe: str, entries: Sequence[Entry]) -> dict[str, str]:
    """Return the entries of the BLS by their paths; they are sorted as they are given."""
    return {
        f"{ENTRIES}/{entry.id}.conf": "\n".join(
            [
                f"title {entry.title}",
                f"sort-key {recipe}-{number:02}",
                f"linux {entry.kernel}",
                f"initrd {entry.initrd}",
                f"options {entry.cmdline}",
                "architecture x64",
                "",
            ]
        )
        for number, entry in enumerate(entries)
    }


def about(entries: Sequence[Entry]) -> str:
    """Return what a boot tree says of itself, as JSON: what an installer verifies and makes anew."""
    return json.dumps({"entries": [asdict(entry) for entry in entries]}, indent=2) + "\n"
