"""Owns what must hold of the sections and signatures of any PE image that firmware loads.

Must not know what a section is for. Each rule is given what the image is called in its sentences.
"""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

from pipeline.checks.finding import Fault, Rule
from pipeline.errors import FormatError
from pipeline.formats.authenticode import read_signatures
from pipeline.formats.pe import EFI_APPLICATION, Pe, Section

SUBSYSTEMS = {
    EFI_APPLICATION: "EFI application",
    11: "EFI boot service driver",
    12: "EFI runtime driver",
    13: "EFI ROM image",
    16: "Windows boot application",
}


def named(pe: Pe) -> Iterator[tuple[Section, str]]:
    """Yield each section with a name that only it has: a second `.cmdline` is `.cmdline (2)`."""
    counts: dict[str, int] = {}
    for section in pe.sections:
        count = counts[section.name] = counts.get(section.name, 0) + 1
        yield section, section.name if count == 1 else f"{section.name} ({count})"


def are_inside(what: str, pe: Pe) -> Iterator[Fault]:
    """Firmware copies each section from where and to where its header says, or refuses the image."""
    for section in pe.sections:
        for place, end, size in (
            ("file", section.raw_offset + section.raw_size, len(pe.image)),
            ("memory", section.virtual_address + section.virtual_size, pe.image_size),
        ):
            if end > size and (place == "memory" or section.raw_size):
                yield (
                    f"{what}'s section {section.name} ends at {end:#x}, the {place} at {size:#x}",
                    "it is cut off or badly put together: make it again",
                )


def are_apart(what: str, pe: Pe) -> Iterator[Fault]:
    """Sections that were added in the same place overwrite each other."""
    for place, extent in (("file", _in_file), ("memory", _in_memory)):
        taken = sorted((section for section in pe.sections if extent(section)[1]), key=extent)
        for first, second in pairwise(taken):
            start, size = extent(first)
            if extent(second)[0] < start + size:
                earlier, later = sorted((first, second), key=pe.sections.index)
                yield (
                    f"{what}'s sections {earlier.name} and {later.name} overlap in the {place}",
                    "make it again, each section behind the last",
                )


def _in_file(section: Section) -> tuple[int, int]:
    return section.raw_offset, section.raw_size


def _in_memory(section: Section) -> tuple[int, int]:
    return section.virtual_address, section.virtual_size


def are_aligned(what: str, pe: Pe) -> Iterator[Fault]:
    """Firmware that protects memory by pages refuses an image whose sections do not start on one."""
    for section in pe.sections:
        for place, value, unit in (
            ("address", section.virtual_address, pe.section_alignment),
            ("offset in the file", section.raw_offset if section.raw_size else 0, pe.file_alignment),
        ):
            if not unit or value % unit:
                yield (
                    f"{what}'s section {section.name} has the {place} {value:#x}, no multiple of {unit:#x}",
                    "make it again",
                )


def is_for_firmware(what: str, pe: Pe) -> Iterator[Fault]:
    """Firmware starts programs and drivers of its own subsystems, and none of an operating system."""
    if pe.subsystem not in SUBSYSTEMS:
        yield (
            f"{what} is of subsystem {pe.subsystem}, not {EFI_APPLICATION} (EFI application)",
            "link it as an EFI application",
        )


def signatures_are_right(what: str, pe: Pe) -> Iterator[Fault]:
    """Under Secure Boot a signature counts that covers these very bytes; any other is as good as none."""
    try:
        signatures = read_signatures(pe)
    except FormatError as error:
        yield f"{what}: {error.message}", error.hint
        return
    for signature in signatures:
        if not signature.covers_file:
            yield (
                f"{what} was changed after it was signed by {signature.subject!r}: "
                f"its {signature.digest} is not the signed one",
                "sign it again, as the last thing that is done to it",
            )
        elif not signature.is_valid:
            yield (
                f"{what} has a signature that {signature.subject!r} did not make: its key does not verify it",
                "sign it again",
            )


def rules(codes: tuple[str, str, str, str], what: str) -> tuple[Rule[Pe], ...]:
    """Return these rules, with the codes that they have for one kind of image."""
    table = (
        (
            "its sections lie inside the file and the memory",
            are_inside,
            False,
            "Microsoft PE Format, Section Table; EDK II PeCoffLoaderLoadImage",
            "Copy the file again; else put it together again with ukify or the linker.",
        ),
        (
            "its sections do not overlap",
            are_apart,
            True,
            "Microsoft PE Format, Section Table (VirtualAddress, PointerToRawData)",
            "Let ukify place the sections, or give objcopy addresses behind the last section.",
        ),
        (
            "its sections are aligned",
            are_aligned,
            True,
            "Microsoft PE Format, Optional Header (SectionAlignment, FileAlignment)",
            "Let ukify place the sections, or give objcopy addresses that are multiples of SectionAlignment.",
        ),
        (
            "its signatures are right",
            signatures_are_right,
            False,
            "UEFI 2.10, §32.2.3 Authenticode digests; Microsoft, Windows Authenticode Portable Executable",
            "Sign it again (sbsign, systemd-sbsign), after all sections are in it.",
        ),
    )
    return tuple(
        Rule(code, holds, partial(faults, what), lenient=lenient, spec=spec, fix=fix)
        for code, (holds, faults, lenient, spec, fix) in zip(codes, table, strict=True)
    )
