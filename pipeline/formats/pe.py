"""Reads PE/COFF images: headers, sections, where signatures are. Thin over pefile.

Only the first bytes are read; sections are cut when asked for.

Specification: Microsoft, PE Format https://learn.microsoft.com/windows/win32/debug/pe-format
"""

import struct
from dataclasses import dataclass, field

import pefile

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import Image, budget_of, cut

EFI_APPLICATION = 10  # IMAGE_SUBSYSTEM_EFI_APPLICATION
AMD64 = 0x8664  # IMAGE_FILE_MACHINE_AMD64
NX_COMPAT = 0x0100  # IMAGE_DLLCHARACTERISTICS_NX_COMPAT
MACHINES = {
    AMD64: "x86-64",
    0x014C: "32-bit x86",
    0x01C2: "32-bit ARM",
    0x5064: "riscv64",
    0x6264: "loongarch64",
    0xAA64: "arm64",
}
LENGTHS = {0x10B: 96, 0x20B: 112}  # bytes of an optional header before its directories: PE32 and PE32+
MAX_DIRECTORIES = 16
SECURITY_DIRECTORY = 4  # IMAGE_DIRECTORY_ENTRY_SECURITY: the certificate table

SECTION_HEADER = struct.Struct("<8sIIII16x")
PARSED = 20  # steps; pefile takes its time
HEADERS = 1 << 17  # bytes that pefile is given: all but the section table


@dataclass(frozen=True, slots=True)
class Section:
    """One section, in the order of its header; sizes, offsets and addresses are bytes."""

    name: str
    virtual_size: int
    virtual_address: int
    raw_size: int
    raw_offset: int

    @property
    def size(self) -> int:
        """Bytes in the file, without the padding to the file's alignment."""
        return min(self.virtual_size, self.raw_size)


@dataclass(frozen=True, slots=True)
class Pe:
    """The headers of an image."""

    machine: int
    subsystem: int
    image_base: int  # address that linkers count from; sections have theirs from there on
    section_alignment: int
    file_alignment: int
    image_size: int
    headers_size: int
    is_consistent: bool  # the optional header is as long as its magic and its count of directories make it
    table_end: int  # offset of the first byte behind the section table
    entry_point: int  # address; 0 for an addon, which has no code
    timestamp: int  # seconds since 1970, or whatever a reproducible linker puts there
    checksum: int
    checksum_offset: int
    is_nx_compatible: bool  # it says that it runs where data cannot be executed
    sections: tuple[Section, ...]
    certificates: tuple[int, int]  # offset and size of the certificate table; 0 and 0 without one
    certificates_entry: int | None  # where that is said; None where the headers have no room to say it
    image: Image = field(repr=False, compare=False)

    @property
    def end(self) -> int:
        """Where the file ends by its own headers: behind its last section, or its certificate table."""
        sections = (section.raw_offset + section.raw_size for section in self.sections)
        return max(self.headers_size, sum(self.certificates), *sections, 0)

    def named(self, name: str) -> tuple[Section, ...]:
        """Return all sections of that name: UKIs with several profiles have more than one."""
        return tuple(section for section in self.sections if section.name == name)

    def section(self, name: str) -> Section | None:
        """Return the first section of that name."""
        return next(iter(self.named(name)), None)

    def contents_of(self, section: Section) -> Image:
        """Return a section's bytes, without padding. FormatError when it runs past the end of the file."""
        return cut(self.image, section.raw_offset, section.size, f"PE: section {section.name}")

    def contents(self, name: str) -> Image:
        """Return the bytes of the first section of that name as `contents_of` does; none without one."""
        section = self.section(name)
        return b"" if section is None else self.contents_of(section)


def read_pe(image: Image) -> Pe:
    """Read the headers. Raises FormatError when they are not those of a PE image."""
    cut(image, 0, 64, "PE: DOS header")
    budget_of(image).spend(STEPS, PARSED)
    try:
        parsed = pefile.PE(data=bytes(image[:HEADERS]), fast_load=True)
    except pefile.PEFormatError as error:
        raise FormatError(
            f"PE: no PE image: {error.args[0]}", "give an EFI program, or a kernel with EFI stub"
        ) from error
    coff, optional = parsed.FILE_HEADER, parsed.OPTIONAL_HEADER
    table = optional.get_file_offset() + coff.SizeOfOptionalHeader
    directories = optional.DATA_DIRECTORY
    security = directories[SECURITY_DIRECTORY] if len(directories) > SECURITY_DIRECTORY else None
    return Pe(
        machine=coff.Machine,
        subsystem=optional.Subsystem,
        image_base=optional.ImageBase,
        section_alignment=optional.SectionAlignment,
        file_alignment=optional.FileAlignment,
        image_size=optional.SizeOfImage,
        headers_size=optional.SizeOfHeaders,
        is_consistent=optional.NumberOfRvaAndSizes <= MAX_DIRECTORIES
        and coff.SizeOfOptionalHeader == LENGTHS.get(optional.Magic, 0) + optional.NumberOfRvaAndSizes * 8,
        table_end=table + coff.NumberOfSections * SECTION_HEADER.size,
        entry_point=optional.AddressOfEntryPoint,
        timestamp=coff.TimeDateStamp,
        checksum=optional.CheckSum,
        checksum_offset=optional.get_field_absolute_offset("CheckSum"),
        is_nx_compatible=bool(optional.DllCharacteristics & NX_COMPAT),
        sections=_read_sections(image, table, coff.NumberOfSections),
        # of all the directories this one alone has an offset in the file where others have an address
        certificates=(security.VirtualAddress, security.Size) if security and security.Size else (0, 0),
        certificates_entry=security.get_file_offset() if security else None,
        image=image,
    )


def _read_sections(image: Image, offset: int, count: int) -> tuple[Section, ...]:
    """Read the section table, in its own order; pefile sorts it, and leaves out what looks odd to it."""
    budget_of(image).spend(STEPS, 2 * count)
    table = bytes(cut(image, offset, count * SECTION_HEADER.size, "PE: section table"))
    return tuple(
        Section(name.rstrip(b"\0").decode("ascii", errors="replace"), *numbers)
        for name, *numbers in SECTION_HEADER.iter_unpack(table)
    )


def machine_name(machine: int) -> str:
    """Return what people call a machine, such as `x86-64`, with its number when it is not a usual one."""
    return MACHINES.get(machine, f"machine {machine:#06x}")
