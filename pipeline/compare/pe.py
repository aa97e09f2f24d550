"""The layout of PE images: headers, section table, sections, certificate table.

Specification: Microsoft, PE Format https://learn.microsoft.com/windows/win32/debug/pe-format
"""

from collections.abc import Iterator

from pipeline.compare import values
from pipeline.compare.span import Span, Table, record, size_of, table
from pipeline.formats.fields import Image, unpack
from pipeline.formats.pe import read_pe

COFF = table("""
    signature 4 text; Machine 2 hex; *NumberOfSections 2; TimeDateStamp 4; PointerToSymbolTable 4 hex
    NumberOfSymbols 4; SizeOfOptionalHeader 2; Characteristics 2 hex
""")
OPTIONAL = """
    Magic 2 hex; MajorLinkerVersion 1; MinorLinkerVersion 1; *SizeOfCode 4; *SizeOfInitializedData 4
    *SizeOfUninitializedData 4; AddressOfEntryPoint 4 hex; *BaseOfCode 4 hex; {base_of_data}
    ImageBase {word} hex; SectionAlignment 4; FileAlignment 4
    MajorOperatingSystemVersion 2; MinorOperatingSystemVersion 2
    MajorImageVersion 2; MinorImageVersion 2; MajorSubsystemVersion 2; MinorSubsystemVersion 2
    Win32VersionValue 4; *SizeOfImage 4; *SizeOfHeaders 4; *CheckSum 4 hex; Subsystem 2
    DllCharacteristics 2 hex; SizeOfStackReserve {word}; SizeOfStackCommit {word}; SizeOfHeapReserve {word}
    SizeOfHeapCommit {word}; LoaderFlags 4; NumberOfRvaAndSizes 4
"""
DIRECTORIES = (
    *("Export", "Import", "Resource", "Exception", "Certificate", "Base Relocation", "Debug", "Architecture"),
    *("Global Ptr", "TLS", "Load Config", "Bound Import", "IAT", "Delay Import", "CLR", "Reserved"),
)
CERTIFICATE = 4  # index in DIRECTORIES
SECTION = table("""
    Name 8 text; *VirtualSize 4; *VirtualAddress 4 hex; *SizeOfRawData 4; *PointerToRawData 4 hex
    PointerToRelocations 4 hex; PointerToLinenumbers 4 hex; NumberOfRelocations 2; NumberOfLinenumbers 2
    Characteristics 4 hex
""")
PE32_PLUS = 0x20B


def program(image: Image) -> Iterator[Span]:
    """Yield headers, then sections and what is behind them."""
    (start,) = unpack("<I", image, 0x3C, "PE: DOS header")
    (optional_size,) = unpack("<H", image, start + 20, "PE: COFF header")
    (magic,) = unpack("<H", image, start + 24, "PE: optional header")
    table = _optional_header(wide=magic == PE32_PLUS)
    sections_start = start + 24 + optional_size
    found = read_pe(image).sections
    yield Span(0, 0x3C, "DOS header", show=values.raw)
    yield Span(0x3C, 4, "DOS header, field e_lfanew", show=values.little_hex)
    yield Span(0x40, start - 0x40, "DOS stub")
    yield Span(start, size_of(COFF), "PE header", record(COFF))
    yield Span(start + 24, min(size_of(table), optional_size), "PE header", record(table))
    for index, section in enumerate(found):
        yield Span(
            sections_start + 40 * index, 40, f"PE section table, entry {section.name}", record(SECTION)
        )
    for section in found:
        size = min(section.virtual_size or section.raw_size, section.raw_size)
        yield Span(section.raw_offset, size, f"PE section {section.name}")
        yield Span(
            section.raw_offset + size,
            section.raw_size - size,
            f"padding of PE section {section.name}",
            show=values.raw,
            derived=True,
        )
    directory = start + 24 + size_of(table) - 8 * (len(DIRECTORIES) - CERTIFICATE)
    if directory + 8 <= sections_start:
        offset, size = unpack("<II", image, directory, "PE: data directories")
        yield Span(offset, size, "PE certificate table")
    end = max((section.raw_offset + section.raw_size for section in found), default=sections_start)
    yield Span(end, max(len(image) - end, 0), "data after the last PE section")


def _optional_header(*, wide: bool) -> Table:
    words = OPTIONAL.format(word=8 if wide else 4, base_of_data="" if wide else "BaseOfData 4 hex")
    directories = (f"*{name} Table {what} 4 hex" for name in DIRECTORIES for what in ("address", "size"))
    return table(words + ";".join(directories))
