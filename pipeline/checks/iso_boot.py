"""Owns what must hold of El Torito: what firmware finds when it boots the ISO as a CD.

Must not know what the boot image holds, nor partitions.

Specifications: El Torito 1.0 (1995); UEFI 2.10, §13.3.2.1 "ISO-9660 and El Torito"
"""

from collections.abc import Iterable, Iterator

from pipeline.checks.fat_volume import BOOT_PROGRAM
from pipeline.checks.finding import Fault
from pipeline.checks.iso_image import Iso
from pipeline.errors import FormatError
from pipeline.formats import eltorito
from pipeline.formats.magic import Format, describe, recognise


def has_a_boot_record(iso: Iso) -> Iterable[Fault]:
    """Without El Torito a CD does not boot; its boot record stands in sector 17."""
    if not iso.has_boot_record and isinstance(iso.catalog, FormatError):
        raise iso.catalog
    return ()


def boot_catalog_is_good(iso: Iso) -> Iterable[Fault]:
    """Firmware does not boot by a catalog whose checksum, key or headers are wrong."""
    if iso.has_boot_record and isinstance(iso.catalog, FormatError):
        raise iso.catalog
    return ()


def has_an_efi_entry(iso: Iso) -> Iterator[Fault]:
    """UEFI takes an entry for platform 0xEF."""
    if iso.entries and iso.efi_entry is None:
        platforms = ", ".join(f"{entry.platform:#04x}" for entry in iso.entries)
        yield (
            f"El Torito's boot catalog has no entry for UEFI (platform 0xef); it has {platforms}",
            "give xorriso `-e … -no-emul-boot`",
        )


def efi_entry_emulates_nothing(iso: Iso) -> Iterator[Fault]:
    """UEFI is given a file system, not a floppy or a hard disk; an entry may be marked as not bootable."""
    entry = iso.efi_entry
    if entry and (not entry.bootable or entry.media != eltorito.NO_EMULATION):
        what = f"emulates media type {entry.media}" if entry.bootable else "is marked as not bootable"
        yield f"El Torito's EFI entry {what}", "give xorriso -no-emul-boot after -e"


def boot_images_are_inside(iso: Iso) -> Iterator[Fault]:
    """Firmware finds nothing behind the end of the medium."""
    for number, entry in enumerate(iso.entries, start=1):
        if entry.bootable and entry.offset >= len(iso.image) and iso.is_whole:
            which = "EFI entry" if entry == iso.efi_entry else f"entry {number}"
            yield (
                f"El Torito's {which} points at bytes {entry.offset} to {entry.offset + entry.size}, "
                f"but the ISO ends at {len(iso.image)}",
                "make it again",
            )


def boot_image_is_fat(iso: Iso) -> Iterator[Fault]:
    """Firmware that is pointed at a program instead of a file system drops to its shell."""
    boot = iso.efi_image
    if boot and boot.entry.bootable and recognise(boot.image) is not Format.FAT:
        yield (
            f"El Torito's EFI entry points at {describe(boot.image)}; firmware wants a FAT image",
            f"point -e at efi.img, which holds {BOOT_PROGRAM}",
        )


def efi_entry_loads_all(iso: Iso) -> Iterator[Fault]:
    """Firmware reads no further than the entry says: 0 and 1 sectors mean up to the end of the medium."""
    entry, boot = iso.efi_entry, iso.efi_image
    if entry is None or boot is None or not iso.is_whole:
        return
    if entry.offset + entry.size > len(iso.image):
        yield (
            f"El Torito's EFI entry reaches to byte {entry.offset + entry.size}, "
            f"but the ISO ends at {len(iso.image)}",
            "give it the sectors of its FAT image, or 0",
        )
    elif 0 < entry.size < boot.volume:
        yield (
            f"El Torito's EFI entry says {entry.size} bytes, but its FAT volume has {boot.volume}",
            "give it the sectors of its FAT image, or 0",
        )
