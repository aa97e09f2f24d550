"""Owns what must hold of headers and sections of any PE image that firmware loads, and its rules in a row.

Must not know what a section is for. Each rule is given what the image is called in its sentences.
"""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

from pipeline.checks.finding import Fault, Rule, Severity
from pipeline.checks.pe import dbx, signatures
from pipeline.checks.pe.revocations import AS_OF
from pipeline.errors import FormatError
from pipeline.formats.pe import EFI_APPLICATION, Pe, Section

SUBSYSTEMS = {
    EFI_APPLICATION: "EFI application",
    11: "EFI boot service driver",
    12: "EFI runtime driver",
    13: "EFI ROM image",
    16: "Windows boot application",
}


ADDON = b"LoaderInfo: systemd-addon "
MAX_MAGIC = 256  # bytes of .sdmagic
MIB, GIB = 1 << 20, 1 << 30
MAX_GAP = GIB  # bytes of memory that nothing of an image needs
CUT_OFF = "it is cut off: copy it again"


def named(pe: Pe) -> Iterator[tuple[Section, str]]:
    """Yield each section with a name that only it has: a second `.cmdline` is `.cmdline (2)`."""
    counts: dict[str, int] = {}
    for section in pe.sections:
        count = counts[section.name] = counts.get(section.name, 0) + 1
        yield section, section.name if count == 1 else f"{section.name} ({count})"


def is_addon(pe: Pe) -> bool:
    """Tell an addon to a UKI: it has no code, or systemd's, which only says that it is none to start."""
    try:
        return not pe.entry_point or ADDON in bytes(pe.contents(".sdmagic")[:MAX_MAGIC])
    except FormatError:
        return False


def are_inside(what: str, pe: Pe) -> Iterator[Fault]:
    """Firmware copies each section from where and to where its header says, or refuses the image."""
    if pe.table_end > pe.headers_size:
        yield (
            f"{what}'s section table ends at {pe.table_end:#x}, its headers at {pe.headers_size:#x}",
            "leave sections out, or begin with a stub that has room for more",
        )
    if sum(pe.certificates) > len(pe.image):
        yield (
            f"{what}'s certificate table ends at {sum(pe.certificates):#x}, the file at {len(pe.image):#x}",
            CUT_OFF,
        )
    is_wide = _extent(pe) - _taken(pe) > MAX_GAP  # a rule of its own says so
    for section in pe.sections:
        for place, end, size in (
            ("file", section.raw_offset + section.raw_size, len(pe.image)),
            ("memory", section.virtual_address + section.virtual_size, pe.image_size),
        ):
            if end > size and (not is_wide if place == "memory" else section.raw_size):
                yield (
                    f"{what}'s section {section.name} ends at {end:#x}, the {place} at {size:#x}",
                    CUT_OFF
                    if place == "file"
                    else "put it together with ukify, which makes SizeOfImage as large as the sections need",
                )


def headers_agree(what: str, pe: Pe) -> Iterator[Fault]:
    """Firmware refuses an image whose headers contradict each other, and dies where it jumps to nowhere."""
    if not pe.is_consistent:
        yield (
            f"{what}'s optional header is not as long as its magic and its number of directories say",
            "link it again: 64-bit machines have PE32+, magic 0x20b",
        )
    if pe.entry_point >= pe.image_size > 0:
        yield (
            f"{what}'s entry point is at {pe.entry_point:#x}, its memory ends at {pe.image_size:#x}",
            "link it again",
        )


def lie_together(what: str, pe: Pe) -> Iterator[Fault]:
    """Firmware loads an image into one piece of memory, and has none of gigabytes.

    Recipes with fixed addresses are made for stubs whose ImageBase is 0; that of systemd 254 and newer is
    higher than they are, so that objcopy puts the sections just below the 4 GB after it.
    """
    extent, taken = _extent(pe), _taken(pe)
    if extent - taken <= MAX_GAP:
        return
    first = next((one for one in pe.sections if one.virtual_address > MAX_GAP), None)
    where = f": its section {first.name} has the address {first.virtual_address:#x}" if first else ""
    wrapped = first and pe.image_base and first.virtual_address >= 1 << 31
    base = f"add the stub's ImageBase, {pe.image_base:#x}, to the addresses that objcopy is given, or "
    yield (
        f"{what} takes {extent / GIB:.1f} GB of memory in one piece for {taken / MIB:.1f} MB{where}",
        f"{base if wrapped else ''}put it together with ukify",
    )


def _extent(pe: Pe) -> int:
    """Return how many bytes of memory the image reaches over."""
    return max(pe.image_size, *(one.virtual_address + one.virtual_size for one in pe.sections), 0)


def _taken(pe: Pe) -> int:
    """Return how many bytes of memory it has a use for."""
    return pe.headers_size + sum(one.virtual_size for one in pe.sections)


def are_apart(what: str, pe: Pe) -> Iterator[Fault]:
    """Sections that were added in the same place overwrite each other."""
    apart = set(_overwriting(pe))  # a rule of its own tells of those
    for place, extent in (("file", _in_file), ("memory", _in_memory)):
        sections = [one for one in pe.sections if extent(one)[1] and (place == "file" or one not in apart)]
        taken = sorted(sections, key=extent)
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


def code_is_kept(what: str, pe: Pe) -> Iterator[Fault]:
    """Firmware copies one section after the other into memory: a later one overwrites what was there."""
    for section in _overwriting(pe):
        yield (
            f"{what}'s section {section.name} overwrites its code in memory, at {section.virtual_address:#x}",
            "make it again, each section behind the last",
        )


def _overwriting(pe: Pe) -> list[Section]:
    """Return the sections that are loaded over the one that the program starts in."""
    for index, code in enumerate(pe.sections):
        start, size = _in_memory(code)
        if start <= pe.entry_point < start + size:
            return [
                one
                for one in pe.sections[index + 1 :]
                if one.virtual_size and one.virtual_address < start + size and sum(_in_memory(one)) > start
            ]
    return []


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


Codes = tuple[str, str, str, str, str, str, str, str, str]


def rules(codes: Codes, what: str, *, overlap: bool = True) -> tuple[Rule[Pe], ...]:
    """Return these rules, with the codes that they have for one kind of image.

    `overlap` tells whether there are images of that kind that boot though sections of theirs overlap.
    """
    table = (
        (
            "its sections lie inside the file and the memory",
            are_inside,
            Severity.ERROR,
            False,
            "Microsoft PE Format, Section Table; EDK II PeCoffLoaderLoadImage",
            "Copy the file again; else put it together again with ukify or the linker.",
        ),
        (
            "its sections do not overlap",
            are_apart,
            Severity.ERROR,
            overlap,
            "Microsoft PE Format, Section Table (VirtualAddress, PointerToRawData)",
            "Let ukify place the sections, or give objcopy addresses behind the last section.",
        ),
        (
            "its sections are aligned",
            are_aligned,
            Severity.ERROR,
            True,
            "Microsoft PE Format, Optional Header (SectionAlignment, FileAlignment)",
            "Let ukify place the sections, or give objcopy addresses that are multiples of SectionAlignment.",
        ),
        (
            "its signatures are right",
            signatures.are_right,
            Severity.ERROR,
            False,
            "UEFI 2.10, §32.2.3 Authenticode digests; EDK II DxeImageVerificationLib; Microsoft, Windows "
            "Authenticode Portable Executable",
            "Sign it again (sbsign, systemd-sbsign), after all sections are in it.",
        ),
        (
            "its sections lie together in memory",
            lie_together,
            Severity.ERROR,
            False,
            "Microsoft PE Format, Optional Header (ImageBase, SizeOfImage); EDK II CoreLoadPeImage",
            "Let ukify place the sections, or add ImageBase to the addresses that objcopy is given.",
        ),
        (
            f"no SbatLevel that was published until {AS_OF}, nor dbx until {dbx.AS_OF}, refuses it",
            signatures.are_not_revoked,
            Severity.WARNING,
            False,
            "SBAT.md and SbatLevel_Variable.txt of shim; UEFI 2.10, §32.4.1 (dbx)",
            "Take a newer build, or start it with Secure Boot off.",
        ),
        (
            "all of its signatures are right",
            signatures.all_count,
            Severity.WARNING,
            False,
            "UEFI 2.10, §32.5.3.3 Authorization Process; EDK II DxeImageVerificationLib",
            "Take all signatures off, and sign it again by all signers.",
        ),
        (
            "its headers agree with each other",
            headers_agree,
            Severity.ERROR,
            False,
            "Microsoft PE Format, Optional Header; EDK II PeCoffLoaderGetPeHeader",
            "Link it again.",
        ),
        (
            "nothing overwrites its code",
            code_is_kept,
            Severity.ERROR,
            False,
            "Microsoft PE Format, Section Table (VirtualAddress); EDK II PeCoffLoaderLoadImage",
            "Let ukify place the sections, or give objcopy addresses behind the last section.",
        ),
    )
    return tuple(
        Rule(code, holds, partial(faults, what), severity, lenient=lenient, spec=spec, fix=fix)
        for code, (holds, faults, severity, lenient, spec, fix) in zip(codes, table, strict=True)
    )
