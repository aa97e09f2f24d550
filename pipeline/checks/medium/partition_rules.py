"""What must hold of MBR and GPT; an ISO and a disk have the same rules, under codes of their own.

Specification: UEFI 2.10, chapter 5 "GUID Partition Table (GPT) Disk Layout"
https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html
"""

from collections.abc import Iterable, Iterator

from pipeline.checks.finding import Fault, Rules
from pipeline.checks.medium.partitions import Partitions
from pipeline.errors import FormatError
from pipeline.formats import gpt

REPAIR = "`sgdisk -e FILE` writes the one that is damaged from the other"
UEFI = "UEFI 2.10"
APPENDED = "give xorriso `-append_partition 2 0xef efi.img -appended_part_as_gpt`"
REWRITE = "write the GPT again, for example with `sgdisk`"
MAX_MBR_SIZE = 0xFFFF_FFFF  # blocks; what a protective partition says of a disk that has more

rule = Rules[Partitions]()


@rule(
    "DISK001",
    "the file is whole",
    spec=f"{UEFI}, §5.3.2",
    fix="copy the image again, and compare its checksum",
)
def is_whole(disk: Partitions) -> Iterator[Fault]:
    """A copy may have been cut off, and what is missing cannot be read."""
    if disk.is_cut_off:
        yield f"the disk image is cut off: it should have {disk.size} bytes, it has {len(disk.image)}"


@rule("ISO019", "it has a GPT", policy="medium", spec=f"{UEFI}, §5.3", fix=APPENDED)
def has_a_gpt(disk: Partitions) -> None:
    """Firmware finds the partitions of a stick in it: without one there is no `FS0:`."""
    if not disk.has_gpt and isinstance(disk.primary, FormatError):
        raise disk.primary


@rule("ISO010", "a GPT that is there is good", lenient=True, spec=f"{UEFI}, §5.3.2", fix=REPAIR)
def primary_is_good(disk: Partitions) -> Iterator[Fault]:
    """Firmware takes the backup where the primary GPT is damaged, and looks for it in the last block only."""
    if disk.has_gpt and isinstance(disk.primary, FormatError):
        yield disk.primary.message, REPAIR if isinstance(disk.backup, gpt.Table) else disk.rescue


@rule(
    "ISO011",
    "the backup GPT says the same as the primary one",
    also="DISK005",
    lenient=True,
    spec=f"{UEFI}, §5.3.2",
    fix=REPAIR,
)
def backup_is_the_same(disk: Partitions) -> Iterator[Fault]:
    """What repairs a disk from its backup would make another disk of it."""
    table = disk.primary
    if isinstance(table, FormatError) or disk.is_cut_off:
        return
    if table.alternate_lba > disk.last_lba:
        yield (
            f"the backup GPT should be at LBA {table.alternate_lba}, but the last block is {disk.last_lba}",
            "copy the file again, whole; on a smaller disk, `sgdisk -e` moves the backup",
        )
        return
    if isinstance(disk.backup, FormatError):
        yield disk.backup.message
    elif disk.backup.alternate_lba != 1 or _contents(disk.backup) != _contents(table):
        yield "the backup GPT says something else than the primary one"


def _contents(table: gpt.Table) -> tuple[object, ...]:
    return table.disk_guid, table.partitions


@rule(
    "ISO020",
    "the backup GPT is in the last block",
    also="DISK006",
    policy="medium",
    spec=f"{UEFI}, §5.3.2",
    fix="append nothing to the image once it is made, or move the backup with `sgdisk -e`",
)
def backup_is_last(disk: Partitions) -> Iterator[Fault]:
    """Where the primary GPT is damaged, firmware looks for the backup in the last block (§5.3.2)."""
    table = disk.primary
    if isinstance(table, gpt.Table) and table.alternate_lba < disk.last_lba:
        yield f"the backup GPT is at LBA {table.alternate_lba}, the last block is {disk.last_lba}"


@rule(
    "ISO009",
    "the MBR is a protective one",
    policy="medium",
    spec=f"{UEFI}, §5.2.3",
    fix="give xorriso -appended_part_as_gpt",
)
def is_protective(disk: Partitions) -> Iterator[Fault]:
    """What knows no GPT must see that the disk is in use; what knows it looks for nothing else first."""
    if disk.has_gpt and not disk.is_protected:
        return  # `announces_the_gpt` says so
    if isinstance(disk.mbr, FormatError):
        raise disk.mbr
    if [(one.kind, one.first_lba) for one in disk.mbr] != [(gpt.PROTECTIVE, 1)]:
        yield f"the MBR is not a protective one: it has {_shown(disk.mbr)}, not just type 0xee from LBA 1"
        return
    (one,), table = disk.mbr, disk.primary
    if isinstance(table, gpt.Table) and one.size != min(table.alternate_lba, MAX_MBR_SIZE):
        yield (
            f"the MBR's protective partition has {one.size} blocks, the disk {table.alternate_lba + 1}",
            "make it one block less than the disk has (UEFI 2.10, §5.2.3)",
        )


@rule(
    "ISO028",
    "the MBR announces a GPT that is there",
    also="DISK002",
    lenient=True,
    spec=f"{UEFI}, §5.2.3",
    fix="write a protective MBR, for example with `sgdisk`",
)
def announces_the_gpt(disk: Partitions) -> Iterator[Fault]:
    """Firmware and Linux look for a GPT only where the MBR has a protective partition."""
    if disk.has_gpt and not disk.is_protected:
        shown = disk.mbr.message if isinstance(disk.mbr, FormatError) else f"the MBR has {_shown(disk.mbr)}"
        yield f"nobody looks at the GPT: {shown}, no type 0xee from LBA 1"


def _shown(mbr: Iterable[gpt.MbrPartition]) -> str:
    return ", ".join(f"type {one.kind:#04x} from LBA {one.first_lba}" for one in mbr) or "nothing"


@rule(
    "ISO012",
    "it has an EFI system partition",
    policy="medium",
    spec=f"{UEFI}, §5.3.3 and §13.3.3",
    fix=APPENDED,
)
def has_a_system_partition(disk: Partitions) -> Iterator[Fault]:
    """Firmware looks for its programs on such a partition: without it there is no `FS0:` on a stick."""
    if not isinstance(disk.table, FormatError) and disk.system_partition is None:
        found = ", ".join(f"{one.name!r} of type {one.kind}" for one in disk.table.partitions) or "none"
        yield f"the GPT has no EFI system partition; its partitions: {found}"


@rule(
    "ISO021",
    "the GPT's partitions lie inside the file",
    also="DISK007",
    lenient=True,
    spec=f"{UEFI}, §5.3.3",
    fix=REWRITE,
)
def partitions_are_inside(disk: Partitions) -> Iterator[Fault]:
    """What lies behind the end cannot be read, and firmware leaves such a partition out."""
    for one in disk.used:
        if one.last_lba > disk.last_lba and not disk.is_cut_off:
            yield (
                f"GPT partition {one.number} is LBA {one.first_lba} to {one.last_lba}, "
                f"but the last block of the image is {disk.last_lba}"
            )


@rule(
    "ISO022",
    "the GPT's partitions lie in usable blocks",
    also="DISK008",
    lenient=True,
    spec=f"{UEFI}, §5.3.2 and §5.3.3",
    fix=REWRITE,
)
def partitions_are_usable(disk: Partitions) -> Iterator[Fault]:
    """Firmware leaves out a partition outside of the blocks that the header says are usable."""
    table = disk.table
    if isinstance(table, FormatError):
        return
    for one in disk.used:
        inside = one.last_lba <= disk.last_lba
        if (
            one.last_lba < one.first_lba
            or one.first_lba < table.first_usable_lba
            or (inside and one.last_lba > table.last_usable_lba)
        ):
            yield (
                f"GPT partition {one.number} is LBA {one.first_lba} to {one.last_lba}, "
                f"usable are LBA {table.first_usable_lba} to {table.last_usable_lba}"
            )


@rule(
    "ISO023",
    "the GPT's partitions do not overlap",
    also="DISK009",
    lenient=True,
    spec=f"{UEFI}, §5.3.1 and §5.3.3",
    fix=REWRITE,
)
def partitions_are_apart(disk: Partitions) -> Iterator[Fault]:
    """Firmware leaves out partitions that share blocks."""
    one: gpt.Partition | None = None  # of those before, the one that reaches furthest
    for other in sorted(disk.used, key=lambda each: (each.first_lba, each.number)):
        if one and other.first_lba <= one.last_lba:
            yield (
                f"GPT partitions {one.number} and {other.number} overlap: "
                f"LBA {one.first_lba} to {one.last_lba}, and {other.first_lba} to {other.last_lba}"
            )
        if one is None or other.last_lba > one.last_lba:
            one = other
