"""Owns what must hold of the ISO: one file that firmware boots as a CD, as a USB stick and as a disk.

Must not know how it was made. A stranger's ISO may lack any way of booting; one that is there must work.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps

from pipeline.checks.finding import Fault, Rule, Severity
from pipeline.checks.iso import el_torito as iso_boot
from pipeline.checks.iso import files as iso_files
from pipeline.checks.kind import Kind
from pipeline.checks.medium import members as media
from pipeline.checks.medium import partitions, views
from pipeline.checks.medium.iso import SECTOR_SIZE, Iso, read_iso
from pipeline.checks.medium.partitions import Partitions

__all__ = ["KIND", "SECTOR_SIZE", "Iso"]

ECMA = "ECMA-119 (ISO 9660)"
TORITO = "El Torito 1.0"
UEFI = "UEFI 2.10"
REPRODUCIBLE = "reproducible-builds.org, SOURCE_DATE_EPOCH"
AGAIN = "Make the ISO again."
COPY = "Copy the ISO again, and compare its checksum."
APPENDED = "Give xorriso `-append_partition 2 0xef efi.img -appended_part_as_gpt`."


def _of_its_disk(faults: Callable[[Partitions], Iterable[Fault]]) -> Callable[[Iso], Iterable[Fault]]:
    """Return a rule of partitions as one of the ISO that has them; one that is cut off lacks the backup."""

    @wraps(faults)
    def judged(iso: Iso) -> Iterable[Fault]:
        return faults(iso.partitions) if iso.is_whole else ()

    return judged


def system_partition_is_boot_image(iso: Iso) -> Iterator[Fault]:
    """A CD and a stick must boot the same: the same blocks, found in two ways."""
    partition, boot = iso.system_partition, iso.efi_image
    if partition is None or boot is None:
        return
    first, end = partition.first_lba * SECTOR_SIZE, (partition.last_lba + 1) * SECTOR_SIZE
    offset = boot.entry.offset
    size = max(boot.entry.size, boot.volume) if boot.entry.size else end - first
    if (first, end) != (offset, offset + size) and offset + size <= len(iso.image):
        yield (
            f"the EFI system partition is bytes {first} to {end}, "
            f"El Torito's EFI entry {offset} to {offset + size}",
            "give xorriso `-e --interval:appended_partition_2:all::`",
        )


FILE_RULES = (
    Rule(
        "ISO001",
        "the file is whole",
        iso_files.is_whole,
        spec=f"{ECMA}, §8.4.8; {UEFI}, §5.3.2",
        fix=COPY,
    ),
    Rule(
        "ISO002",
        "its file system can be read",
        iso_files.files_can_be_read,
        spec=f"{ECMA}, §8 and §9",
        fix=AGAIN,
    ),
    Rule(
        "ISO003",
        "it has Rock Ridge",
        iso_files.has_rock_ridge,
        house=True,
        spec="IEEE P1282",
        fix="Give xorriso -r.",
    ),
    Rule("ISO004", "it has Joliet", iso_files.has_joliet, house=True, spec="Joliet", fix="Give xorriso -J."),
    Rule(
        "ISO024",
        "all files lie inside the file",
        iso_files.files_are_inside,
        spec=f"{ECMA}, §9.1.3 and §9.1.4",
        fix=AGAIN,
    ),
    Rule(
        "ISO025",
        "files of 4 GiB and more are in several extents",
        iso_files.large_files_are_in_extents,
        lenient=True,
        spec=f"{ECMA}, §9.1.4, §9.1.6 and §10.3 (level 3)",
        fix="Make the ISO again, with xorriso -iso-level 3.",
    ),
    Rule(
        "ISO026",
        "it does not contradict itself",
        iso_files.readers_agree,
        lenient=True,
        spec=f"{ECMA}, §7.3.3 and §9.1",
        fix="Make the ISO again, with another program.",
    ),
    Rule(
        "ISO027",
        "pycdlib reads the same tree",
        iso_files.pycdlib_reads_the_same,
        house=True,
        spec=ECMA,
        fix="Make the ISO with xorriso; if both readers are right, one of them has a bug.",
    ),
    Rule(
        "ISO014",
        "there is one time",
        iso_files.times_are_one,
        house=True,
        spec=REPRODUCIBLE,
        fix="Set SOURCE_DATE_EPOCH, and give xorriso --set_all_file_dates.",
    ),
    Rule(
        "ISO015",
        "root owns everything",
        iso_files.root_owns_all,
        house=True,
        spec="IEEE P1282, §4.1.1 (PX)",
        fix="Give xorriso -r.",
    ),
)

BOOT_RULES = (
    Rule(
        "ISO016",
        "it has a boot record",
        iso_boot.has_a_boot_record,
        house=True,
        spec=f"{TORITO}, §2 and figure 7; {UEFI}, §13.3.2.1",
        fix="Give xorriso a boot image: `-e … -no-emul-boot`.",
    ),
    Rule(
        "ISO005",
        "El Torito's boot catalog is good",
        iso_boot.boot_catalog_is_good,
        spec=f"{TORITO}, §2.0 to §2.4",
        fix="Make the ISO again; something changed its catalog afterwards.",
    ),
    Rule(
        "ISO006",
        "the catalog has an EFI entry",
        iso_boot.has_an_efi_entry,
        house=True,
        spec=f"{UEFI}, §13.3.2.1",
        fix="Give xorriso `-e … -no-emul-boot`.",
    ),
    Rule(
        "ISO017",
        "the EFI entry is bootable, and emulates nothing",
        iso_boot.efi_entry_emulates_nothing,
        lenient=True,
        spec=f"{UEFI}, §13.3.2.1; {TORITO}, §2.2",
        fix="Give xorriso -no-emul-boot after -e.",
    ),
    Rule(
        "ISO007",
        "bootable entries point inside the file",
        iso_boot.boot_images_are_inside,
        spec=f"{TORITO}, §2.2 (load RBA)",
        fix=AGAIN,
    ),
    Rule(
        "ISO008",
        "the EFI entry points at a FAT image",
        iso_boot.boot_image_is_fat,
        spec=f"{UEFI}, §13.3.1 and §13.3.2.1",
        fix="Point xorriso's -e at a FAT image that holds EFI/BOOT/BOOTX64.EFI, not at the program.",
    ),
    Rule(
        "ISO018",
        "the EFI entry says how large the image is",
        views.efi_entry_covers_its_fat,
        lenient=True,
        spec=f"{UEFI}, §13.3.2.1; {TORITO}, §2.2 (sector count)",
        fix="Give it the sectors of 512 bytes that its FAT image has, or 0 for all up to the end.",
    ),
)

DISK_RULES = (
    Rule(
        "ISO009",
        "the MBR is a protective one",
        _of_its_disk(partitions.is_protective),
        house=True,
        spec=f"{UEFI}, §5.2.3",
        fix="Give xorriso -appended_part_as_gpt.",
    ),
    Rule(
        "ISO019",
        "it has a GPT",
        _of_its_disk(partitions.has_a_gpt),
        house=True,
        spec=f"{UEFI}, §5.3",
        fix=APPENDED,
    ),
    Rule(
        "ISO010",
        "a GPT that is there is good",
        _of_its_disk(partitions.primary_is_good),
        lenient=True,
        spec=f"{UEFI}, §5.3.2",
        fix="Make the ISO again; something changed its first blocks afterwards.",
    ),
    Rule(
        "ISO011",
        "its backup says the same",
        _of_its_disk(partitions.backup_is_the_same),
        lenient=True,
        spec=f"{UEFI}, §5.3.2",
        fix="Make the ISO again; something changed its last blocks afterwards.",
    ),
    Rule(
        "ISO020",
        "the backup is in the last block",
        _of_its_disk(partitions.backup_is_last),
        house=True,
        spec=f"{UEFI}, §5.3.2",
        fix="Append nothing to the ISO once it is made.",
    ),
    Rule(
        "ISO012",
        "it has an EFI system partition",
        _of_its_disk(partitions.has_a_system_partition),
        house=True,
        spec=f"{UEFI}, §5.3.3 and §13.3.3",
        fix=APPENDED,
    ),
    Rule(
        "ISO021",
        "the GPT's partitions lie inside the file",
        _of_its_disk(partitions.partitions_are_inside),
        lenient=True,
        spec=f"{UEFI}, §5.3.3",
        fix=AGAIN,
    ),
    Rule(
        "ISO022",
        "they lie in usable blocks",
        _of_its_disk(partitions.partitions_are_usable),
        lenient=True,
        spec=f"{UEFI}, §5.3.2 and §5.3.3",
        fix=AGAIN,
    ),
    Rule(
        "ISO023",
        "they do not overlap",
        _of_its_disk(partitions.partitions_are_apart),
        lenient=True,
        spec=f"{UEFI}, §5.3.1 and §5.3.3",
        fix=AGAIN,
    ),
    Rule(
        "ISO013",
        "the EFI system partition is the boot image, the same blocks",
        system_partition_is_boot_image,
        house=True,
        spec=f"{UEFI}, §13.3.2.1",
        fix="Give xorriso `-e --interval:appended_partition_2:all::`.",
    ),
    Rule(
        "ISO028",
        "the MBR announces a GPT that is there",
        _of_its_disk(partitions.announces_the_gpt),
        lenient=True,
        spec=f"{UEFI}, §5.2.3",
        fix=APPENDED,
    ),
    Rule(
        "ISO029",
        "the protective partition is not active",
        _of_its_disk(views.protective_is_inactive),
        Severity.WARNING,
        spec=f"{UEFI}, §5.2.3 (BootIndicator)",
        fix="Turn it off with `parted FILE disk_set pmbr_boot off`.",
    ),
    Rule(
        "ISO030",
        "the last block has no other disk's GPT",
        _of_its_disk(views.last_block_is_its_own),
        Severity.WARNING,
        spec=f"{UEFI}, §5.3.2",
        fix="Move the disk's own backup there, with `sgdisk -e`.",
    ),
    Rule(
        "ISO031",
        "partitions hold all of their FAT file systems",
        _of_its_disk(views.partitions_hold_their_fat),
        Severity.WARNING,
        spec=f"{UEFI}, §5.3.3; Microsoft FAT Specification (2005), §3.1",
        fix=APPENDED,
    ),
)

VIEW_RULES = (
    Rule(
        "ISO033",
        "its UDF file system can be read",
        iso_files.udf_can_be_read,
        Severity.WARNING,
        spec="ECMA-167, parts 3 and 4; OSTA UDF 2.60",
        fix=AGAIN,
    ),
    Rule(
        "ISO032",
        "no file lies in a boot image",
        views.boot_images_are_alone,
        Severity.WARNING,
        spec=f"{ECMA}, §9.1.3; {TORITO}, §2.2",
        fix=AGAIN,
    ),
)

KIND = Kind(
    "iso",
    "ISO 9660 image",
    "ISO000",
    read_iso,
    (*FILE_RULES, *BOOT_RULES, *DISK_RULES, *VIEW_RULES),
    media.of_iso,
)
