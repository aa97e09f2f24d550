"""Rows: EFI programs as they are, put into a FAT as EFI/BOOT/BOOTX64.EFI."""

import struct

from tests.world.jury import programs
from tests.world.jury.changes import Change, cut, followed_by, poke
from tests.world.jury.row import Row

PE, OPTIONAL = 0x40, 0x40 + 24
SECTIONS = OPTIONAL + 240


def _is(data: bytes) -> Change:
    return lambda _: data


def _row(what: str, change: Change | None = None, **differs: str) -> Row:
    return Row(what, "cp $IN/bootx64.efi $OUT", ("efi",), change, differs)


def _field(offset: int, form: str, value: int) -> Change:
    return poke(offset, struct.pack(form, value))


ROWS = {
    "efi": _row("a program for x86-64"),
    "efi-ia32": _row("a program for IA-32", _is(programs.efi(machine=programs.I386))),
    "efi-arm64": _row("a program for arm64", _is(programs.efi(machine=programs.ARM64))),
    "efi-boot-driver": _row("a boot service driver", _is(programs.efi(subsystem=programs.BOOT_DRIVER))),
    "efi-runtime-driver": _row("a runtime driver", _is(programs.efi(subsystem=12))),
    "efi-windows": _row("a Windows console program by its subsystem", _is(programs.efi(subsystem=3))),
    "efi-no-relocations": _row(
        "no .reloc section, not marked as stripped", _is(programs.efi(relocations=False))
    ),
    "efi-stripped": _row(
        "relocations stripped, at an address where memory is",
        _is(programs.efi(relocations=False, reloc_stripped=True, base=0x400_0000)),
    ),
    "efi-stripped-high": _row(
        "relocations stripped, at an address where no memory is",
        _is(programs.efi(relocations=False, reloc_stripped=True)),
        efi="whether there is memory at the address that the program insists on is a fact of the machine",
    ),
    "efi-base-zero": _row("ImageBase 0", _is(programs.efi(base=0))),
    "efi-alignment-32": _row("FileAlignment 32", _is(programs.efi(file_alignment=32))),
    "efi-truncated": _row("cut off inside its code", cut(0x210)),
    "efi-no-headers": _row("cut off inside its headers", cut(0x80)),
    "efi-no-mz": _row("no MZ at its start", poke(0, b"ZM")),
    "efi-no-pe": _row("no PE signature", poke(PE, b"NE\0\0")),
    "efi-magic": _row(
        "PE32's magic in a program for x86-64",
        _field(OPTIONAL, "<H", 0x10B),
    ),
    "efi-entry-outside": _row(
        "the entry point lies behind the image",
        _field(OPTIONAL + 16, "<I", 0x100000),
    ),
    "efi-image-size-small": _row(
        "SizeOfImage smaller than its sections", _field(OPTIONAL + 56, "<I", 0x1000)
    ),
    "efi-headers-size-zero": _row("SizeOfHeaders 0", _field(OPTIONAL + 60, "<I", 0)),
    "efi-sections-overlap": _row(
        "the second section's address is the first's", _field(SECTIONS + 40 + 12, "<I", 0x1000)
    ),
    "efi-section-outside": _row(
        "a section's data lie behind the end of the file", _field(SECTIONS + 20, "<I", 0x10000)
    ),
    "efi-alignment-mixed": _row("SectionAlignment smaller than a page", _field(OPTIONAL + 32, "<I", 0x200)),
    "efi-garbage-behind": _row("bytes behind the end", followed_by(b"garbage" * 99)),
    "efi-dos-header-only": _row("the PE header's offset points outside", _field(0x3C, "<I", 0x100000)),
}
