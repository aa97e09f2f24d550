"""What must hold of the ISO: one file that firmware boots as a CD, as a USB stick and as a disk.

Of El Torito, by which firmware boots a CD, the rules are here. A stranger's ISO may lack any way of booting;
one that is there must work.

Specifications: El Torito 1.0 (1995); UEFI 2.10, §13.3.2.1 "ISO-9660 and El Torito"
"""

from collections.abc import Iterable, Iterator
from functools import wraps

from pipeline.checks.boot.rules import RULES
from pipeline.checks.fat.volume import BOOT_PROGRAM
from pipeline.checks.finding import Fault, Rule, Rules
from pipeline.checks.iso import files
from pipeline.checks.kind import Kind
from pipeline.checks.medium import partition_rules, views
from pipeline.checks.medium.iso import Iso, read_iso
from pipeline.checks.medium.members import of_iso
from pipeline.checks.medium.partitions import Partitions
from pipeline.errors import FormatError
from pipeline.formats import eltorito
from pipeline.formats.magic import Format, describe, recognise

TORITO = "El Torito 1.0"
UEFI = "UEFI 2.10"

rule = Rules[Iso]()


@rule(
    "ISO016",
    "it has a boot record",
    policy="medium",
    spec=f"{TORITO}, §2 and figure 7; {UEFI}, §13.3.2.1",
    fix="give xorriso a boot image: `-e … -no-emul-boot`",
)
def has_a_boot_record(iso: Iso) -> None:
    """Without El Torito a CD does not boot; its boot record stands in sector 17."""
    if not iso.has_boot_record and isinstance(iso.catalog, FormatError):
        raise iso.catalog


@rule(
    "ISO005",
    "El Torito's boot catalog is good",
    spec=f"{TORITO}, §2.0 to §2.4",
    fix="make the ISO again; something changed its catalog afterwards",
)
def boot_catalog_is_good(iso: Iso) -> None:
    """Firmware does not boot by a catalog whose checksum, key or headers are wrong."""
    if iso.has_boot_record and isinstance(iso.catalog, FormatError):
        raise iso.catalog


@rule(
    "ISO006",
    "the catalog has an EFI entry",
    policy="medium",
    spec=f"{UEFI}, §13.3.2.1",
    fix="give xorriso `-e … -no-emul-boot`",
)
def has_an_efi_entry(iso: Iso) -> Iterator[Fault]:
    """UEFI takes an entry for platform 0xEF."""
    if iso.entries and iso.efi_entry is None:
        platforms = ", ".join(f"{entry.platform:#04x}" for entry in iso.entries)
        yield f"El Torito's boot catalog has no entry for UEFI (platform 0xef); it has {platforms}"


@rule(
    "ISO017",
    "the EFI entry is bootable, and emulates nothing",
    lenient=True,
    spec=f"{UEFI}, §13.3.2.1; {TORITO}, §2.2",
    fix="give xorriso -no-emul-boot after -e",
)
def efi_entry_emulates_nothing(iso: Iso) -> Iterator[Fault]:
    """UEFI is given a file system, not a floppy or a hard disk; an entry may be marked as not bootable."""
    entry = iso.efi_entry
    if entry and (not entry.bootable or entry.media != eltorito.NO_EMULATION):
        what = f"emulates media type {entry.media}" if entry.bootable else "is marked as not bootable"
        yield f"El Torito's EFI entry {what}"


@rule(
    "ISO007",
    "bootable entries point inside the file",
    spec=f"{TORITO}, §2.2 (load RBA)",
    fix="make the ISO again",
)
def boot_images_are_inside(iso: Iso) -> Iterator[Fault]:
    """Firmware finds nothing behind the end of the medium."""
    for number, entry in enumerate(iso.entries, start=1):
        if entry.bootable and entry.offset >= len(iso.image) and iso.is_whole:
            which = "EFI entry" if entry == iso.efi_entry else f"entry {number}"
            yield (
                f"El Torito's {which} points at bytes {entry.offset} to {entry.offset + entry.size}, "
                f"but the ISO ends at {len(iso.image)}"
            )


@rule(
    "ISO008",
    "the EFI entry points at a FAT image",
    spec=f"{UEFI}, §13.3.1 and §13.3.2.1",
    fix=f"point xorriso's -e at a FAT image that holds {BOOT_PROGRAM}, not at the program",
)
def boot_image_is_fat(iso: Iso) -> Iterator[Fault]:
    """Firmware that is pointed at a program instead of a file system drops to its shell.

    It looks into each EFI entry: one of several may be for Macs.
    """
    boots = [one for one in iso.boot_images if one.entry.platform == eltorito.PLATFORM_EFI]
    boots = [one for one in boots if one.entry.bootable]
    if boots and not any(recognise(one.image) is Format.FAT for one in boots):
        boot = boots[0]
        yield f"El Torito's EFI entry points at {describe(boot.image)}; firmware wants a FAT image"


def _of_its_disk(rule: Rule[Partitions]) -> Rule[Iso]:
    """Return a rule of partitions as one of the ISO that has them; one that is cut off lacks the backup."""

    @wraps(rule.faults)
    def faults(iso: Iso) -> Iterable[Fault] | None:
        return rule.faults(iso.partitions) if iso.is_whole else None

    return Rule(rule.code, rule.holds, faults, rule.spec, rule.fix, rule.severity, rule.policy, rule.lenient)


ISO = Kind(
    "iso",
    "ISO 9660 image",
    "ISO000",
    read_iso,
    (
        *files.rule.table,
        *rule.table,
        *map(_of_its_disk, (*partition_rules.rule.of("ISO"), *views.rule.of("ISO"))),
        *views.iso_rule.table,
        *RULES,
    ),
    of_iso,
)
