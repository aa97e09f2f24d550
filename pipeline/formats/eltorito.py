"""Reads El Torito: the boot record volume descriptor and the boot catalog of a CD image.

Specifications: "El Torito" Bootable CD-ROM Format, 1.0 (1995), and for its use by UEFI firmware UEFI 2.10,
§13.3.2 https://uefi.org/specs/UEFI/2.10/13_Protocols_Media_Access.html
"""

from dataclasses import dataclass, field
from functools import partial

from pipeline.errors import FormatError
from pipeline.formats.fields import Image, cut, readable, unpack

SECTOR_SIZE = 2048  # bytes
BOOT_RECORD_SECTOR = 17
VIRTUAL_SECTOR_SIZE = 512  # bytes; the unit of an entry's sector count
ENTRY_SIZE = 32  # bytes; of the catalog's records

PLATFORM_EFI = 0xEF
PLATFORMS = {0: "BIOS", 1: "PowerPC", 2: "Mac", PLATFORM_EFI: "UEFI"}
NO_EMULATION = 0

FIRST_SECTOR, TERMINATOR = 16, 255  # where volume descriptors begin, and the type of the last
SYSTEM = b"EL TORITO SPECIFICATION"
BOOTABLE = 0x88

damaged = partial(FormatError, hint="make the ISO again")

MAX_DESCRIPTORS = 64
MAX_ENTRIES = 256  # no catalog comes near; a damaged one must not keep us


@dataclass(frozen=True, slots=True)
class BootEntry:
    """One bootable image of the catalog.

    `load_rba` counts CD sectors of 2048 bytes, `sector_count` virtual ones of 512. For UEFI a count of
    0 or 1 means: up to the end of the medium. `record` is which 32 bytes of the catalog it is, counted
    from 0.
    """

    platform: int
    bootable: bool
    media: int  # 0 for no emulation, else a floppy or hard disk to emulate
    sector_count: int
    load_rba: int
    record: int = field(default=1, compare=False)

    @property
    def offset(self) -> int:
        """Bytes from the start of the medium."""
        return self.load_rba * SECTOR_SIZE

    @property
    def size(self) -> int:
        """Bytes, or 0 for: up to the end of the medium."""
        return self.sector_count * VIRTUAL_SECTOR_SIZE if self.sector_count > 1 else 0


def platform_name(platform: int) -> str:
    """Return what a platform's number stands for."""
    return PLATFORMS.get(platform, f"platform {platform:#04x}")


def read_catalog(image: Image) -> tuple[BootEntry, ...]:
    """Return the entries of the boot catalog, the initial one first (El Torito §2).

    Raises FormatError when there is no boot record in sector 17, when the catalog lies outside the
    image, and when its validation entry or a section header is damaged.
    """
    kind, identifier, system, catalog_sector = unpack(
        "<B5sx32s32xI", image, BOOT_RECORD_SECTOR * SECTOR_SIZE, "El Torito: boot record"
    )
    if (kind, identifier, system.rstrip(b"\0 ")) != (0, b"CD001", SYSTEM):
        raise FormatError(
            f"El Torito: sector 17 is no boot record: it is of type {kind} for {readable(system)}",
            "give xorriso a boot image: `-e … -no-emul-boot`",
        )
    offset = catalog_sector * SECTOR_SIZE
    platform = _read_validation(image, offset)
    start = offset
    entries = [_read_entry(image, offset + ENTRY_SIZE, platform, 1)]
    offset += 2 * ENTRY_SIZE
    last = False
    while not last and len(entries) < MAX_ENTRIES:
        header, platform, count = unpack("<BBH", image, offset, "El Torito: section header")
        if header == 0:
            break
        if header not in (0x90, 0x91):
            raise damaged(f"El Torito: no section header at offset {offset:#x}: it starts with {header:#04x}")
        last = header == 0x91
        offset += ENTRY_SIZE
        for _ in range(min(count, MAX_ENTRIES - len(entries))):
            entries.append(_read_entry(image, offset, platform, (offset - start) // ENTRY_SIZE))
            offset += ENTRY_SIZE
            offset = _skip_extensions(image, offset)
    return tuple(entries)


def scan_catalog(image: Image) -> tuple[BootEntry, ...]:
    """Return what is marked as bootable in the catalog's sector, whatever the sections say (EDK II does so).

    The boot record may be any of the volume descriptors. None where there is no catalog.
    """
    for sector in range(FIRST_SECTOR, FIRST_SECTOR + MAX_DESCRIPTORS):
        descriptor = bytes(image[sector * SECTOR_SIZE : sector * SECTOR_SIZE + 75])
        if descriptor[1:6] != b"CD001" or descriptor[0] == TERMINATOR:
            return ()
        if not descriptor[7:].startswith(SYSTEM):
            continue
        offset = int.from_bytes(descriptor[71:75], "little") * SECTOR_SIZE
        try:
            platform = _read_validation(image, offset)
        except FormatError:
            continue
        records = bytes(image[offset : offset + SECTOR_SIZE])
        return tuple(
            _read_entry(records, number * ENTRY_SIZE, platform, number)
            for number in range(1, len(records) // ENTRY_SIZE)
            if records[number * ENTRY_SIZE] == BOOTABLE
        )
    return ()


def _skip_extensions(image: Image, offset: int) -> int:
    """Return the offset of what follows the entry's extensions, which may fill a sector, no more."""
    for _ in range(SECTOR_SIZE // ENTRY_SIZE):
        if bytes(cut(image, offset, 1, "El Torito: extension")) != b"\x44":
            return offset
        offset += ENTRY_SIZE
    raise damaged(f"El Torito: extensions of an entry without end, at offset {offset:#x}")


def _read_validation(image: Image, offset: int) -> int:
    """Check the catalog's first entry, and return its platform."""
    entry = bytes(cut(image, offset, ENTRY_SIZE, "El Torito: validation entry"))
    header, platform, *_, key = unpack("<BB28sH", entry, 0, "El Torito: validation entry")
    if (header, key) != (1, 0xAA55):
        raise damaged(
            f"El Torito: no boot catalog at offset {offset:#x}: header {header:#04x}, key {key:#06x}"
        )
    total = sum(unpack("<16H", entry, 0, "El Torito: validation entry")) & 0xFFFF
    if total:
        raise FormatError(
            f"El Torito: the boot catalog's words add up to {total:#06x}, not to 0",
            "make the ISO again; something changed its catalog afterwards",
        )
    return int(platform)


def _read_entry(image: Image, offset: int, platform: int, record: int) -> BootEntry:
    indicator, media, _, _, sector_count, load_rba = unpack(
        "<BBHBxHI", image, offset, "El Torito: boot entry"
    )
    if indicator not in (BOOTABLE, 0x00):
        raise damaged(f"El Torito: no boot entry at offset {offset:#x}: it starts with {indicator:#04x}")
    return BootEntry(platform, indicator == BOOTABLE, media & 0x0F, sector_count, load_rba, record)
