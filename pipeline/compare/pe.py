"""The layout of PE images: headers, section table, sections, certificate table.

Specification: Microsoft, PE Format https://learn.microsoft.com/windows/win32/debug/pe-format
"""

from collections.abc import Iterator

from pipeline.compare import values
from pipeline.compare.span import Field, Span, derived, record, size_of
from pipeline.formats.fields import Image, unpack
from pipeline.formats.pe import read_pe

COFF = (
    Field("signature", 4, values.text),
    Field("Machine", 2, values.little_hex),
    derived("NumberOfSections", 2, values.little),
    Field("TimeDateStamp", 4, values.little),
    Field("PointerToSymbolTable", 4, values.little_hex),
    Field("NumberOfSymbols", 4, values.little),
    Field("SizeOfOptionalHeader", 2, values.little),
    Field("Characteristics", 2, values.little_hex),
)
STANDARD = (
    Field("Magic", 2, values.little_hex),
    Field("MajorLinkerVersion", 1, values.little),
    Field("MinorLinkerVersion", 1, values.little),
    derived("SizeOfCode", 4, values.little),
    derived("SizeOfInitializedData", 4, values.little),
    derived("SizeOfUninitializedData", 4, values.little),
    Field("AddressOfEntryPoint", 4, values.little_hex),
    derived("BaseOfCode", 4, values.little_hex),
)
WINDOWS = (
    *(Field(name, 4, values.little) for name in ("SectionAlignment", "FileAlignment")),
    *(
        Field(f"{which}{what}Version", 2, values.little)
        for what in ("OperatingSystem", "Image", "Subsystem")
        for which in ("Major", "Minor")
    ),
    Field("Win32VersionValue", 4, values.little),
    derived("SizeOfImage", 4, values.little),
    derived("SizeOfHeaders", 4, values.little),
    derived("CheckSum", 4, values.little_hex),
    Field("Subsystem", 2, values.little),
    Field("DllCharacteristics", 2, values.little_hex),
)
STACK = ("SizeOfStackReserve", "SizeOfStackCommit", "SizeOfHeapReserve", "SizeOfHeapCommit")
LAST = (Field("LoaderFlags", 4, values.little), Field("NumberOfRvaAndSizes", 4, values.little))
DIRECTORIES = (
    *("Export", "Import", "Resource", "Exception", "Certificate", "Base Relocation", "Debug", "Architecture"),
    *("Global Ptr", "TLS", "Load Config", "Bound Import", "IAT", "Delay Import", "CLR", "Reserved"),
)
CERTIFICATE = 4  # index in DIRECTORIES
SECTION = (
    Field("Name", 8, values.text),
    derived("VirtualSize", 4, values.little),
    derived("VirtualAddress", 4, values.little_hex),
    derived("SizeOfRawData", 4, values.little),
    derived("PointerToRawData", 4, values.little_hex),
    Field("PointerToRelocations", 4, values.little_hex),
    Field("PointerToLinenumbers", 4, values.little_hex),
    Field("NumberOfRelocations", 2, values.little),
    Field("NumberOfLinenumbers", 2, values.little),
    Field("Characteristics", 4, values.little_hex),
)
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


def _optional_header(*, wide: bool) -> tuple[Field, ...]:
    base = Field("ImageBase", 8 if wide else 4, values.little_hex)
    between = (base,) if wide else (Field("BaseOfData", 4, values.little_hex), base)
    stack = tuple(Field(name, 8 if wide else 4, values.little) for name in STACK)
    directories = tuple(
        derived(f"{name} Table {what}", 4, values.little_hex)
        for name in DIRECTORIES
        for what in ("address", "size")
    )
    return (*STANDARD, *between, *WINDOWS, *stack, *LAST, *directories)
