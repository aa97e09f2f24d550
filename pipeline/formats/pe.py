"""Owns reading PE/COFF images: machine, subsystem, sections. Thin over pefile.

Must not know what a section is for.

Specification: Microsoft, PE Format https://learn.microsoft.com/windows/win32/debug/pe-format
"""

from dataclasses import dataclass, field

import pefile

from pipeline.errors import FormatError
from pipeline.formats.fields import Image, cut

EFI_APPLICATION = 10  # IMAGE_SUBSYSTEM_EFI_APPLICATION
AMD64 = 0x8664  # IMAGE_FILE_MACHINE_AMD64


@dataclass(frozen=True, slots=True)
class Section:
    """One section; sizes, offsets and addresses are bytes."""

    name: str
    virtual_address: int
    virtual_size: int
    raw_offset: int
    raw_size: int


@dataclass(frozen=True, slots=True)
class Pe:
    """The headers of an image."""

    machine: int
    subsystem: int
    section_alignment: int
    file_alignment: int
    image_size: int
    sections: tuple[Section, ...]
    image: bytes = field(repr=False, compare=False)

    def section(self, name: str) -> Section | None:
        """Return the first section of that name."""
        return next((section for section in self.sections if section.name == name), None)

    def contents(self, name: str) -> bytes:
        """Return the bytes of the first section of that name, without the padding to the file's alignment.

        Empty when there is no such section; FormatError when it runs past the end of the file.
        """
        section = self.section(name)
        if section is None:
            return b""
        size = min(section.virtual_size, section.raw_size)
        return bytes(cut(self.image, section.raw_offset, size, f"PE: section {name}"))


def read_pe(image: Image) -> Pe:
    """Read the headers. Raises FormatError when they are not those of a PE image."""
    data = bytes(image)
    cut(data, 0, 64, "PE: DOS header")
    try:
        parsed = pefile.PE(data=data, fast_load=True)
    except pefile.PEFormatError as error:
        raise FormatError(
            f"PE: no PE image: {error.args[0]}", "give an EFI program, or a kernel with EFI stub"
        ) from error
    return Pe(
        machine=parsed.FILE_HEADER.Machine,
        subsystem=parsed.OPTIONAL_HEADER.Subsystem,
        section_alignment=parsed.OPTIONAL_HEADER.SectionAlignment,
        file_alignment=parsed.OPTIONAL_HEADER.FileAlignment,
        image_size=parsed.OPTIONAL_HEADER.SizeOfImage,
        sections=tuple(
            Section(
                name=section.Name.rstrip(b"\0").decode("ascii", errors="replace"),
                virtual_address=section.VirtualAddress,
                virtual_size=section.Misc_VirtualSize,
                raw_offset=section.PointerToRawData,
                raw_size=section.SizeOfRawData,
            )
            for section in parsed.sections
        ),
        image=data,
    )


def machine_name(machine: int) -> str:
    """Return what people call a machine, such as `x86-64`, with its number when it is not a usual one."""
    names = {0x8664: "x86-64", 0xAA64: "arm64", 0x014C: "32-bit x86", 0x01C2: "32-bit ARM", 0x5064: "riscv64"}
    return names.get(machine, f"machine {machine:#06x}")
