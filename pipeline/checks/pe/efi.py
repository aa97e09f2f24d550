"""Owns what must hold of EFI programs that are no UKI: boot loaders, addons, kernels of other machines.

Must not know what they do.

Specification: UEFI 2.10, §2.1.1 UEFI Images https://uefi.org/specs/UEFI/2.10/02_Overview.html
"""

from collections.abc import Iterator
from functools import partial

from pipeline.checks.finding import Fault, Rule
from pipeline.checks.kind import Kind, Member
from pipeline.checks.pe import sections
from pipeline.checks.pe.uki_parts import BY_SECTION
from pipeline.errors import FormatError
from pipeline.formats.pe import Pe, read_pe

WHAT = "the EFI program"
KINDS = {".cmdline": "cmdline", **BY_SECTION}


def is_no_half_uki(pe: Pe) -> Iterator[Fault]:
    """The stub starts, finds no kernel, and gives up."""
    if pe.section(".initrd") is not None and not sections.is_addon(pe):
        yield (
            f"{WHAT} has an .initrd but no .linux: a UKI without its kernel",
            "give ukify the kernel, with --linux",
        )


def members(pe: Pe) -> Iterator[Member]:
    """Yield the sections; those of an addon are read as what they are."""
    for section, name in sections.named(pe):
        try:
            contents = pe.contents_of(section)
        except FormatError:
            continue  # a rule of its own says that it is outside
        kind = KINDS.get(section.name, "") if len(contents) else ""
        yield Member(name, contents, section.raw_offset, kind)


KIND = Kind(
    "efi",
    "EFI program",
    "EFI000",
    read_pe,
    (
        Rule(
            "EFI001",
            "it is of a subsystem of firmware",
            partial(sections.is_for_firmware, WHAT),
            lenient=True,
            spec="UEFI 2.10, §2.1.1 UEFI Images; Microsoft PE Format, Windows Subsystem",
            fix="Link it with --subsystem 10; a program for Windows is no boot program.",
        ),
        Rule(
            "EFI002",
            "what has an .initrd has a .linux",
            is_no_half_uki,
            spec="UAPI.5 Unified Kernel Image, UKI Components",
            fix="Make it again with ukify, and give it the kernel.",
        ),
        *sections.rules(
            ("EFI003", "EFI004", "EFI005", "EFI006", "EFI007", "EFI008", "EFI009", "EFI011", "EFI010"), WHAT
        ),
    ),
    members,
)
