"""What must hold of a disk image: an MBR or a GPT with partitions, that firmware boots as disk or stick."""

from collections.abc import Iterator
from itertools import pairwise

from pipeline.checks.attempt import or_none
from pipeline.checks.fat.volume import EfiImage
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.kind import Kind, Node
from pipeline.checks.medium import file_systems, partition_rules, views
from pipeline.checks.medium.members import of_disk
from pipeline.checks.medium.partition_rules import REWRITE, UEFI
from pipeline.checks.medium.partitions import Partitions, read_partitions
from pipeline.checks.medium.programs import BOOT_FOLDER
from pipeline.errors import FormatError
from pipeline.formats import gpt
from pipeline.formats.fields import Image
from pipeline.formats.magic import Format, describe, recognise

rule = Rules[Partitions]()
together = Rules[Node]()


def read_disk(image: Image) -> Partitions:
    """Read both tables; blocks have 512 bytes unless a GPT, or where partitions begin, says otherwise.

    Raises FormatError when there is neither an MBR nor a GPT.
    """
    disk = read_partitions(image, gpt.find_sector_size(image) or _size_by_mbr(image))
    if isinstance(disk.mbr, FormatError) and not disk.has_gpt:
        raise disk.mbr
    return disk


def _size_by_mbr(image: Image) -> int:
    """Return the bytes in a block with which a partition of the MBR begins with FAT, else 512."""
    firsts = [one.first_lba for one in or_none(gpt.read_mbr, image) or () if one.first_lba]
    for size in gpt.SECTOR_SIZES:
        if any(recognise(image[first * size :]) is Format.FAT for first in firsts):
            return size
    return gpt.SECTOR_SIZES[0]


@rule("DISK003", "one GPT can be read", spec=f"{UEFI}, §5.3.2", fix=REWRITE)
def gpt_can_be_read(disk: Partitions) -> Iterator[Fault]:
    """Firmware and kernel find no partition at all."""
    if isinstance(disk.table, FormatError) and (disk.has_gpt or disk.is_protected):
        yield f"neither GPT can be read; {disk.lost}", disk.rescue


@rule(
    "DISK004",
    "the primary GPT is good",
    lenient=True,
    spec=f"{UEFI}, §5.3.2",
    fix="restore it from the backup, for example in the recovery menu of `gdisk`",
)
def primary_is_good(disk: Partitions) -> Iterator[Fault]:
    """Firmware takes the backup where the primary GPT is damaged, and looks for it in the last block only."""
    if isinstance(disk.table, gpt.Table):
        yield from partition_rules.primary_is_good(disk)


@rule(
    "DISK010",
    "the MBR's partitions are sound",
    severity=Severity.WARNING,
    spec=f"{UEFI}, §5.2.1",
    fix="write the MBR again, for example with `sfdisk`",
)
def mbr_is_sound(disk: Partitions) -> Iterator[Fault]:
    """What lies behind the end, or in two partitions, cannot be what was put there."""
    used = sorted((one for one in disk.records if one.kind != gpt.PROTECTIVE), key=lambda one: one.first_lba)
    for one in used:
        last = one.first_lba + one.size - 1
        if last > disk.last_lba:
            yield (
                f"MBR partition {one.number} is LBA {one.first_lba} to {last}, "
                f"but the last block of the image is {disk.last_lba}",
                "copy the image again, whole, or correct the partition's size",
            )
    for one, other in pairwise(used):
        if other.first_lba < one.first_lba + one.size:
            yield f"MBR partitions {one.number} and {other.number} overlap, from LBA {other.first_lba} on"
    active = [str(one.number) for one in disk.records if one.bootable]
    if len(active) > 1:
        yield (
            f"MBR partitions {' and '.join(active)} are marked as active; a BIOS takes one, or none",
            "leave one of them active",
        )


@together(
    "DISK011",
    "EFI system partitions are FAT",
    lenient=True,
    spec=f"{UEFI}, §13.3.1 and §13.3.3",
    fix="make a FAT file system in it, with mkfs.vfat",
)
def system_partition_is_fat(node: Node) -> Iterator[Fault]:
    """Firmware reads no other file system, and shows no `FS0:` for it."""
    for child in node.children:
        facts, image = child.member.facts, child.member.image
        is_system = facts.get("type") == str(gpt.EFI_SYSTEM_PARTITION)
        if is_system and recognise(image) is not Format.FAT:
            yield f"{child.name} is an EFI system partition, but has {describe(image)}; firmware wants FAT"


@together(
    "DISK012",
    "boot programs are on EFI system partitions",
    severity=Severity.WARNING,
    spec=f"{UEFI}, §5.3.3 and §13.3.3",
    fix="set the partition's type, for example with `sgdisk --typecode=1:ef00`",
)
def boot_programs_are_on_system_partitions(node: Node) -> Iterator[Fault]:
    """Much firmware looks for its programs on EFI system partitions only."""
    for child in node.children:
        facts, efi = child.member.facts, child.artifact
        if facts.get("type") == str(gpt.EFI_SYSTEM_PARTITION) or facts.get("table") != "GPT":
            continue
        paths = [entry.path for entry in efi.entries] if isinstance(efi, EfiImage) else []
        program = next((path for path in paths if path.upper().startswith(BOOT_FOLDER)), None)
        if program:
            yield f"{child.name} has {program}, but it is of type {facts['type']}, no EFI system partition"


DISK = Kind(
    "disk",
    "disk image",
    "DISK000",
    read_disk,
    (*partition_rules.rule.of("DISK"), *rule.table, *views.rule.of("DISK"), *file_systems.rule.table),
    of_disk,
    (*together.table, *views.together.table),
)
