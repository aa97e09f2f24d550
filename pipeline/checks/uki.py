"""Owns what must hold of a UKI: an EFI program for x86-64 with a kernel, an initramfs and a command line.

Must not know how it was bundled.

Specification: UAPI Group, Unified Kernel Image
https://uapi-group.org/specifications/specs/unified_kernel_image/
"""

from collections.abc import Iterator
from itertools import combinations

from pipeline.checks.finding import Fault, Rule
from pipeline.checks.kind import Kind, Member
from pipeline.errors import FormatError
from pipeline.formats.bzimage import read_bzimage
from pipeline.formats.fields import Image
from pipeline.formats.magic import describe
from pipeline.formats.pe import AMD64, EFI_APPLICATION, Pe, Section, machine_name, read_pe

SECTIONS = (".linux", ".initrd", ".cmdline", ".osrel", ".uname")


def read_uki(image: Image) -> Pe:
    """Read the headers. Raises FormatError when it is no EFI program."""
    if bytes(image[:2]) != b"MZ":
        raise FormatError(f"the UKI is {describe(image)}, not an EFI program", "make it with ukify")
    return read_pe(image)


def is_for_x86_64(uki: Pe) -> Iterator[Fault]:
    """Ukify guesses the architecture from the machine that it runs on."""
    if uki.machine != AMD64:
        yield (
            f"the UKI is for {machine_name(uki.machine)}, not for x86-64",
            "give ukify linuxx64.efi.stub and --efi-arch=x64",
        )


def is_application(uki: Pe) -> Iterator[Fault]:
    """Firmware starts applications."""
    if uki.subsystem != EFI_APPLICATION:
        yield (
            f"the UKI is of subsystem {uki.subsystem}, not {EFI_APPLICATION} (EFI application)",
            "give ukify linuxx64.efi.stub",
        )


def sections_are_there(uki: Pe) -> Iterator[Fault]:
    """The stub starts without most of them, and then something else happens."""
    missing = [name for name in SECTIONS if uki.section(name) is None]
    empty = [
        section.name for section in uki.sections if section.name in SECTIONS and not section.virtual_size
    ]
    if missing:
        yield (
            f"the UKI has no {', '.join(missing)}: it is {describe(uki.image)}",
            "make it with ukify, from kernel, initramfs, command line, os-release and uname",
        )
    if empty:
        yield f"the UKI's {', '.join(empty)} is empty", "give ukify what it is made from"


def sections_are_inside(uki: Pe) -> Iterator[Fault]:
    """Firmware loads what the headers say, and refuses what is not there."""
    for section in uki.sections:
        for place, end, size in (
            ("file", section.raw_offset + section.raw_size, len(uki.image)),
            ("memory", section.virtual_address + section.virtual_size, uki.image_size),
        ):
            if end > size:
                yield (
                    f"the UKI's section {section.name} ends at {end:#x}, the {place} at {size:#x}",
                    "the UKI is cut off or badly put together: make it again",
                )


def sections_are_apart(uki: Pe) -> Iterator[Fault]:
    """Sections that were added in the same place overwrite each other."""
    for first, second in combinations(uki.sections, 2):
        for what, (a, a_size), (b, b_size) in (
            ("file", _in_file(first), _in_file(second)),
            ("memory", _in_memory(first), _in_memory(second)),
        ):
            if a < b + b_size and b < a + a_size:
                yield (
                    f"the UKI's sections {first.name} and {second.name} overlap in the {what}",
                    "make it again",
                )


def _in_file(section: Section) -> tuple[int, int]:
    return section.raw_offset, section.raw_size


def _in_memory(section: Section) -> tuple[int, int]:
    return section.virtual_address, section.virtual_size


def sections_are_aligned(uki: Pe) -> Iterator[Fault]:
    """Firmware refuses an image whose sections are not."""
    for section in uki.sections:
        for what, value, unit in (
            ("address", section.virtual_address, uki.section_alignment),
            ("offset in the file", section.raw_offset, uki.file_alignment),
        ):
            if not unit or value % unit:
                yield (
                    f"the UKI's section {section.name} has the {what} {value:#x}, no multiple of {unit:#x}",
                    "make it again",
                )


def uname_is_the_kernels(uki: Pe) -> Iterator[Fault]:
    """What .uname says is shown in boot menus, and taken by tools for the kernel's version."""
    try:
        version = read_bzimage(_contents(uki, ".linux")).version
    except FormatError:
        return
    uname = _contents(uki, ".uname").decode(errors="replace").rstrip("\0\n")
    if uname and version and uname != version:
        yield f"the UKI's .uname is {uname!r}, its kernel is {version!r}", f"give ukify --uname={version}"


def initrd_is_an_initramfs(uki: Pe) -> Iterator[Fault]:
    """Linux goes on without what it does not know, to `Unable to mount root fs`."""
    initrd = _contents(uki, ".initrd")
    if initrd and not initrd.startswith((b"\x28\xb5\x2f\xfd", b"070701")):
        yield (
            f"the UKI's .initrd is {describe(initrd)}, not a zstd file or a cpio archive",
            "give ukify the initramfs",
        )


def splash_is_a_bmp(uki: Pe) -> Iterator[Fault]:
    """The stub shows nothing else, and says nothing about it."""
    splash = _contents(uki, ".splash")
    if splash and not splash.startswith(b"BM"):
        yield f"the UKI's .splash is {describe(splash)}, not a BMP", "give ukify a BMP as --splash"


def _contents(uki: Pe, name: str) -> bytes:
    """Return a section's bytes, none when it is missing or cut off: other rules say so."""
    try:
        return uki.contents(name)
    except FormatError:
        return b""


def members(uki: Pe) -> Iterator[Member]:
    """Yield the sections; what the stub takes has to be what its name says."""
    kinds = {".linux": "kernel" if uki.machine == AMD64 else None, ".cmdline": "cmdline", ".initrd": None}
    for section in uki.sections:
        contents = _contents(uki, section.name)
        kind = kinds.get(section.name, "") if contents else ""
        yield Member(section.name, contents, section.raw_offset, kind)


KIND = Kind(
    "uki",
    "UKI",
    "UKI000",
    read_uki,
    (
        Rule("UKI001", "it is for x86-64", is_for_x86_64, house=True),
        Rule("UKI002", "it is an EFI application", is_application),
        Rule("UKI003", f"{', '.join(SECTIONS)} are there", sections_are_there),
        Rule("UKI004", "its sections lie inside the file and the memory", sections_are_inside),
        Rule("UKI005", "its sections do not overlap", sections_are_apart),
        Rule("UKI006", "its sections are aligned", sections_are_aligned),
        Rule("UKI007", ".uname is the kernel's version", uname_is_the_kernels),
        Rule("UKI008", ".initrd is an initramfs", initrd_is_an_initramfs),
        Rule("UKI009", ".splash is a BMP", splash_is_a_bmp, house=True),
    ),
    members,
)
