"""What must hold of the ISO: one file that firmware boots as a CD, as a USB stick and as a disk.

A stranger's ISO may lack any way of booting; one that is there must work.
"""

from collections.abc import Iterable, Iterator
from functools import wraps

from pipeline.checks.finding import Fault, Rule, Rules
from pipeline.checks.iso import el_torito, files
from pipeline.checks.kind import Kind
from pipeline.checks.medium import partition_rules, views
from pipeline.checks.medium.iso import SECTOR_SIZE, Iso, read_iso
from pipeline.checks.medium.members import of_iso
from pipeline.checks.medium.partitions import Partitions

rule = Rules[Iso]()


def _of_its_disk(rule: Rule[Partitions]) -> Rule[Iso]:
    """Return a rule of partitions as one of the ISO that has them; one that is cut off lacks the backup."""

    @wraps(rule.faults)
    def faults(iso: Iso) -> Iterable[Fault] | None:
        return rule.faults(iso.partitions) if iso.is_whole else None

    return Rule(rule.code, rule.holds, faults, rule.spec, rule.fix, rule.severity, rule.policy, rule.lenient)


@rule(
    "ISO013",
    "the EFI system partition is the boot image, the same blocks",
    policy="medium",
    spec="UEFI 2.10, §13.3.2.1",
    fix="give xorriso `-e --interval:appended_partition_2:all::`",
)
def system_partition_is_boot_image(iso: Iso) -> Iterator[Fault]:
    """A CD and a stick must boot the same: the same blocks, found in two ways."""
    partition, boot = iso.partitions.system_partition, iso.efi_image
    if partition is None or boot is None:
        return
    first, end = partition.first_lba * SECTOR_SIZE, (partition.last_lba + 1) * SECTOR_SIZE
    offset = boot.entry.offset
    size = max(boot.entry.size, boot.volume) if boot.entry.size else end - first
    if (first, end) != (offset, offset + size) and offset + size <= len(iso.image):
        yield (
            f"the EFI system partition is bytes {first} to {end}, "
            f"El Torito's EFI entry {offset} to {offset + size}"
        )


ISO = Kind(
    "iso",
    "ISO 9660 image",
    "ISO000",
    read_iso,
    (
        *files.rule.table,
        *el_torito.rule.table,
        *map(_of_its_disk, (*partition_rules.rule.of("ISO"), *views.rule.of("ISO"))),
        *rule.table,
        *views.iso_rule.table,
    ),
    of_iso,
)
