"""What must hold of headers and sections of any PE image that firmware loads."""

from collections.abc import Iterator
from itertools import pairwise

from pipeline.checks.attempt import or_none
from pipeline.checks.finding import Fault, Rules
from pipeline.formats.fields import Image
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
SECTION_TABLE = "Microsoft PE Format, Section Table (VirtualAddress, PointerToRawData)"
PLACED = "let ukify place the sections, or give objcopy addresses behind the last section"


def named(pe: Pe) -> Iterator[tuple[Section, str]]:
    """Yield each section with a name that only it has: a second `.cmdline` is `.cmdline (2)`."""
    counts: dict[str, int] = {}
    for section in pe.sections:
        count = counts[section.name] = counts.get(section.name, 0) + 1
        yield section, section.name if count == 1 else f"{section.name} ({count})"


def with_contents(pe: Pe) -> Iterator[tuple[Section, str, Image]]:
    """Yield each section with its own name and its bytes; `are_inside` tells of those that lie outside."""
    for section, name in named(pe):
        contents = or_none(pe.contents_of, section)
        if contents is not None:
            yield section, name, contents


def is_addon(pe: Pe) -> bool:
    """Tell an addon to a UKI: it has no code, or systemd's, which only says that it is none to start."""
    return not pe.entry_point or ADDON in (
        or_none(lambda: bytes((pe.contents(".sdmagic") or b"")[:MAX_MAGIC])) or b""
    )


def called(pe: Pe) -> str:
    """Return what an image is called in a sentence: a UKI is one that has a kernel."""
    return "the UKI" if pe.section(".linux") else "the EFI program"


rule = Rules[Pe]()


@rule(
    "UKI004",
    "its sections lie inside the file and the memory",
    also="EFI003",
    spec="Microsoft PE Format, Section Table; EDK II PeCoffLoaderLoadImage",
    fix="copy the file again; else put it together again with ukify or the linker",
)
def are_inside(pe: Pe) -> Iterator[Fault]:
    """Firmware copies each section from where and to where its header says, or refuses the image."""
    if pe.table_end > pe.headers_size:
        yield (
            f"{called(pe)}'s section table ends at {pe.table_end:#x}, its headers at {pe.headers_size:#x}",
            "leave sections out, or begin with a stub that has room for more",
        )
    if sum(pe.certificates) > len(pe.image):
        yield (
            f"{called(pe)}'s certificate table ends at {sum(pe.certificates):#x}, "
            f"the file at {len(pe.image):#x}",
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
                    f"{called(pe)}'s section {section.name} ends at {end:#x}, the {place} at {size:#x}",
                    CUT_OFF
                    if place == "file"
                    else "put it together with ukify, which makes SizeOfImage as large as the sections need",
                )


@rule(
    "UKI023",
    "its headers agree with each other",
    also="EFI011",
    spec="Microsoft PE Format, Optional Header; EDK II PeCoffLoaderGetPeHeader",
    fix="link it again",
)
def headers_agree(pe: Pe) -> Iterator[Fault]:
    """Firmware refuses an image whose headers contradict each other, and dies where it jumps to nowhere."""
    if not pe.is_consistent:
        yield (
            f"{called(pe)}'s optional header is not as long as its magic and its number of directories say",
            "link it again: 64-bit machines have PE32+, magic 0x20b",
        )
    if pe.entry_point >= pe.image_size > 0:
        yield f"{called(pe)}'s entry point is at {pe.entry_point:#x}, its memory ends at {pe.image_size:#x}"


@rule(
    "UKI016",
    "its sections lie together in memory",
    also="EFI007",
    spec="Microsoft PE Format, Optional Header (ImageBase, SizeOfImage); EDK II CoreLoadPeImage",
    fix="let ukify place the sections, or add ImageBase to the addresses that objcopy is given",
)
def lie_together(pe: Pe) -> Iterator[Fault]:
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
        f"{called(pe)} takes {extent / GIB:.1f} GB of memory in one piece for {taken / MIB:.1f} MB{where}",
        f"{base if wrapped else ''}put it together with ukify",
    )


def _extent(pe: Pe) -> int:
    """Return how many bytes of memory the image reaches over."""
    return max(pe.image_size, *(one.virtual_address + one.virtual_size for one in pe.sections), 0)


def _taken(pe: Pe) -> int:
    """Return how many bytes of memory it has a use for."""
    return pe.headers_size + sum(one.virtual_size for one in pe.sections)


@rule("UKI005", "its sections do not overlap", spec=SECTION_TABLE, fix=PLACED)
@rule("EFI004", "its sections do not overlap", lenient=True, spec=SECTION_TABLE, fix=PLACED)
def are_apart(pe: Pe) -> Iterator[Fault]:
    """Sections that were added in the same place overwrite each other."""
    apart = set(_overwriting(pe))  # a rule of its own tells of those
    for place, extent in (("file", _in_file), ("memory", _in_memory)):
        sections = [one for one in pe.sections if extent(one)[1] and (place == "file" or one not in apart)]
        taken = sorted(sections, key=extent)
        for first, second in pairwise(taken):
            start, size = extent(first)
            if extent(second)[0] < start + size:
                earlier, later = sorted((first, second), key=pe.sections.index)
                yield f"{called(pe)}'s sections {earlier.name} and {later.name} overlap in the {place}"


def _in_file(section: Section) -> tuple[int, int]:
    return section.raw_offset, section.raw_size


def _in_memory(section: Section) -> tuple[int, int]:
    return section.virtual_address, section.virtual_size


@rule(
    "UKI022",
    "nothing overwrites its code",
    also="EFI010",
    spec=f"{SECTION_TABLE}; EDK II PeCoffLoaderLoadImage",
    fix=PLACED,
)
def code_is_kept(pe: Pe) -> Iterator[Fault]:
    """Firmware copies one section after the other into memory: a later one overwrites what was there."""
    for section in _overwriting(pe):
        yield (
            f"{called(pe)}'s section {section.name} overwrites its code in memory, "
            f"at {section.virtual_address:#x}"
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


@rule(
    "UKI006",
    "its sections are aligned",
    also="EFI005",
    lenient=True,
    spec="Microsoft PE Format, Optional Header (SectionAlignment, FileAlignment)",
    fix="let ukify place the sections, or give objcopy addresses that are multiples of SectionAlignment",
)
def are_aligned(pe: Pe) -> Iterator[Fault]:
    """Firmware that protects memory by pages refuses an image whose sections do not start on one."""
    for section in pe.sections:
        for place, value, unit in (
            ("address", section.virtual_address, pe.section_alignment),
            ("offset in the file", section.raw_offset if section.raw_size else 0, pe.file_alignment),
        ):
            if not unit or value % unit:
                yield (
                    f"{called(pe)}'s section {section.name} has the {place} {value:#x}, "
                    f"not a multiple of {unit:#x}"
                )


@rule(
    "EFI001",
    "it is of a subsystem of firmware",
    lenient=True,
    spec="UEFI 2.10, §2.1.1 UEFI Images; Microsoft PE Format, Windows Subsystem",
    fix="link it as an EFI application, with --subsystem 10; a program for Windows cannot boot",
)
def is_for_firmware(pe: Pe) -> Iterator[Fault]:
    """Firmware starts programs and drivers of its own subsystems, and none of an operating system."""
    if pe.subsystem not in SUBSYSTEMS:
        yield f"{called(pe)} is of subsystem {pe.subsystem}, not {EFI_APPLICATION} (EFI application)"
