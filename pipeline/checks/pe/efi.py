"""What must hold of EFI programs that are no UKI: boot loaders, addons, kernels of other machines.

Specification: UEFI 2.10, §2.1.1 UEFI Images https://uefi.org/specs/UEFI/2.10/02_Overview.html
"""

from collections.abc import Iterator

from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Kind, Member
from pipeline.checks.pe import sections, signatures
from pipeline.checks.pe.uki_parts import BY_SECTION
from pipeline.formats.pe import Pe, read_pe

KINDS = {".cmdline": "cmdline", **BY_SECTION}


rule = Rules[Pe]()


@rule(
    "EFI002",
    "what has an .initrd has a .linux",
    spec="UAPI.5 Unified Kernel Image, UKI Components",
    fix="make it again with ukify, and give it the kernel, with --linux",
)
def is_no_half_uki(pe: Pe) -> Iterator[Fault]:
    """The stub starts, finds no kernel, and gives up."""
    if pe.section(".initrd") is not None and not sections.is_addon(pe):
        yield "the EFI program has an .initrd but no .linux: a UKI without its kernel"


def members(pe: Pe) -> Iterator[Member]:
    """Yield the sections; those of an addon are read as what they are."""
    for section, name, contents in sections.with_contents(pe):
        kind = KINDS.get(section.name, "") if len(contents) else ""
        yield Member(name, contents, section.raw_offset, kind)


EFI = Kind(
    "efi",
    "EFI program",
    "EFI000",
    read_pe,
    (*sections.rule.of("EFI"), *signatures.rule.of("EFI"), *rule.table),
    members,
)
