"""Owns reading ELF programs: for which machine, static or dynamic, stripped or not. Thin over pyelftools.

Must not know what a program is for.

Specification: System V Application Binary Interface, gABI https://gabi.xinuos.com/
"""

from dataclasses import dataclass

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from pipeline.errors import FormatError
from pipeline.formats.fields import Image, cut, stream

MAGIC = b"\x7fELF"
HEADER_SIZE = 64  # bytes; a 32-bit file's is 12 shorter, but no program is that short


@dataclass(frozen=True, slots=True)
class Elf:
    """What an ELF file's headers say."""

    bits: int
    machine: str  # `x86-64`, `AArch64`, …
    kind: str  # `ET_EXEC`, `ET_DYN` (also static-pie), `ET_REL`, `ET_CORE`
    entry: int  # address; 0 where there is none
    interpreter: str  # the dynamic loader it asks for, or ""
    needed: tuple[str, ...]  # shared libraries
    stripped: bool

    @property
    def is_static(self) -> bool:
        """Whether it runs without a loader and without shared libraries; true of static-pie too."""
        return not self.interpreter and not self.needed


def read_elf(image: Image) -> Elf:
    """Read the headers. Raises FormatError when the bytes are no ELF file, or one with damaged headers."""
    cut(image, 0, HEADER_SIZE, "ELF: header")
    try:
        return _read(ELFFile(stream(image)))
    # pyelftools lets out whatever its parser meets in damaged headers, not only its own ELFError
    except Exception as error:
        raise FormatError(
            f"ELF: the headers cannot be read: {error or type(error).__name__}",
            "the file is cut off or damaged: make it again",
        ) from error


def _read(elf: ELFFile) -> Elf:
    interpreter, needed = "", []
    for segment in elf.iter_segments():
        if isinstance(segment, InterpSegment):
            interpreter = segment.get_interp_name()
        elif isinstance(segment, DynamicSegment):
            needed += [tag.needed for tag in segment.iter_tags("DT_NEEDED")]  # type: ignore[attr-defined]
    return Elf(
        bits=elf.elfclass,
        machine="x86-64" if elf.header.e_machine == "EM_X86_64" else elf.get_machine_arch(),
        kind=elf.header.e_type,
        entry=elf.header.e_entry,
        interpreter=interpreter,
        needed=tuple(needed),
        stripped=all(section.header.sh_type != "SHT_SYMTAB" for section in elf.iter_sections()),
    )
