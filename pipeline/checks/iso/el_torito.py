"""Owns what must hold of El Torito: what firmware finds when it boots the ISO as a CD.

Must not know what the boot image holds, nor partitions.

Specifications: El Torito 1.0 (1995); UEFI 2.10, §13.3.2.1 "ISO-9660 and El Torito"
"""

from collections.abc import Iterable, Iterator

from pipeline.checks.fat.volume import BOOT_PROGRAM
from pipeline.checks.finding import Fault
from pipeline.checks.medium.iso import Iso
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
    """Firmware that is pointed at a program instead of a file system drops to its shell.

    It looks into each EFI entry: one of several may be for Macs.
    """
    boots = [one for one in iso.boot_images if one.entry.platform == eltorito.PLATFORM_EFI]
    boots = [one for one in boots if one.entry.bootable]
    if boots and not any(recognise(one.image) is Format.FAT for one in boots):
        boot = boots[0]
        yield (
            f"El Torito's EFI entry points at {describe(boot.image)}; firmware wants a FAT image",
            f"point -e at efi.img, which holds {BOOT_PROGRAM}",
        )
