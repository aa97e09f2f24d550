"""Tells shim, and knows what lies beside it: what it starts, and MokManager.

Source: shim, https://github.com/rhboot/shim, version.c.in (`.data.ident`) and shim.h
"""

from pipeline.errors import FormatError
from pipeline.formats.pe import Pe

IDENT = b"UEFI SHIM"
MAX_IDENT = 4096  # bytes of the section in which it names itself
SECOND_STAGE, MOK_MANAGER = "grubx64.efi", "mmx64.efi"


def is_shim(pe: Pe) -> bool:
    """Tell whether a program says that it is shim."""
    small = (section for section in pe.sections if 0 < section.size <= MAX_IDENT)
    try:
        return any(IDENT in bytes(pe.contents_of(section)) for section in small)
    except FormatError:
        return False
