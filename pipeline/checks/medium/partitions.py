"""What is said of a disk in its first and last blocks: MBR and GPT, and what must hold of both.

Specification: UEFI 2.10, chapter 5 "GUID Partition Table (GPT) Disk Layout"
https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pipeline.checks.finding import Fault, Rules
from pipeline.errors import FormatError
from pipeline.formats import gpt
from pipeline.formats.fields import Image

REPAIR = "`sgdisk -e FILE` writes the one that is damaged from the other"
UEFI = "UEFI 2.10"
APPENDED = "give xorriso `-append_partition 2 0xef efi.img -appended_part_as_gpt`"
REWRITE = "write the GPT again, for example with `sgdisk`"
MAX_MBR_SIZE = 0xFFFF_FFFF  # blocks; what a protective partition says of a disk that has more

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Place:
    """A partition: where it lies, in bytes from the start of the disk, and what its table says of it."""

    offset: int
    size: int
    facts: dict[str, str | int]

    @property
    def name(self) -> str:
        """Its name: the table and the number in it."""
        return f"{self.facts['table']} partition {self.facts['partition']}"


@dataclass(frozen=True, slots=True)
class Partitions:
    """The tables of a disk; a FormatError where one cannot be read. Blocks are `sector_size` bytes."""

    image: Image
    sector_size: int
    mbr: tuple[gpt.MbrPartition, ...] | FormatError
    primary: gpt.Table | FormatError
    backup: gpt.Table | FormatError

    @property
    def table(self) -> gpt.Table | FormatError:
        """The GPT that firmware goes by: the backup where the primary one is damaged (§5.3.2)."""
        both = (self.primary, self.backup)
        return next((one for one in both if isinstance(one, gpt.Table)), self.primary)

    @property
    def has_gpt(self) -> bool:
        """Whether there is a GPT, good or damaged."""
        ends = (self.sector_size, self.last_lba * self.sector_size)
        return any(bytes(self.image[at : at + len(gpt.SIGNATURE)]) == gpt.SIGNATURE for at in ends)

    @property
    def last_lba(self) -> int:
        """The last block of the image."""
        return len(self.image) // self.sector_size - 1

    @property
    def size(self) -> int:
        """Bytes that the GPT says the disk has, 0 without one."""
        table = self.primary
        return (table.alternate_lba + 1) * self.sector_size if isinstance(table, gpt.Table) else 0

    @property
    def lost(self) -> str:
        """Why no GPT can be read: what is at both places where firmware looks for one, and whether one lies
        where the disk once ended, by its protective partition.
        """
        why = [one.message for one in (self.primary, self.backup) if isinstance(one, FormatError)]
        if self.former_end:
            lba = self.former_end // self.sector_size - 1
            why.append(f"one is at LBA {lba}, where the disk once ended, and nobody looks there")
        return "; ".join(dict.fromkeys(why))

    @property
    def rescue(self) -> str:
        """How to get a GPT back that cannot be read."""
        if self.former_end:
            return f"`truncate -s {self.former_end} FILE`, and `sgdisk -e FILE`, which goes by the backup"
        return "write the image again, whole"

    @property
    def former_end(self) -> int:
        """Where the disk ended when its MBR was made, in bytes, if a backup is there; else 0."""
        for one in () if isinstance(self.mbr, FormatError) else self.mbr:
            last = one.first_lba + one.size - 1
            if one.kind == gpt.PROTECTIVE:
                former = attempt(partial(gpt.read_table, self.image, last, self.sector_size))
                return (last + 1) * self.sector_size if isinstance(former, gpt.Table) else 0
        return 0

    @property
    def is_cut_off(self) -> bool:
        """Whether partitions lie where the GPT says that the disk goes on, but the image does not."""
        return self.size > len(self.image) and any(one.last_lba > self.last_lba for one in self.used)

    @property
    def is_protected(self) -> bool:
        """Whether the MBR says that there is a GPT: without that, firmware and Linux look at no GPT."""
        mbr = () if isinstance(self.mbr, FormatError) else self.mbr
        return any(one.kind == gpt.PROTECTIVE and one.first_lba == 1 for one in mbr)

    @property
    def used(self) -> tuple[gpt.Partition, ...]:
        """The partitions of the GPT that firmware goes by, none where it goes by none."""
        table = self.table
        return table.partitions if isinstance(table, gpt.Table) and self.is_protected else ()

    @property
    def system_partition(self) -> gpt.Partition | None:
        """The EFI system partition of the GPT."""
        partitions = () if isinstance(self.table, FormatError) else self.table.partitions
        return next((one for one in partitions if one.kind == gpt.EFI_SYSTEM_PARTITION), None)

    @property
    def logical(self) -> tuple[gpt.MbrPartition, ...]:
        """The partitions that lie in extended ones of the MBR."""
        mbr = () if isinstance(self.mbr, FormatError) else self.mbr
        extended = (one for one in mbr if one.kind in gpt.EXTENDED)
        return tuple(
            each for one in extended for each in gpt.logical_partitions(self.image, one, self.sector_size)
        )

    @property
    def places(self) -> Iterator[Place]:
        """All partitions that begin inside the image, the GPT's first; protective ones are none."""
        unit, end = self.sector_size, len(self.image)
        for one in () if isinstance(self.table, FormatError) else self.table.partitions:
            size = (one.last_lba - one.first_lba + 1) * unit
            facts: dict[str, str | int] = {"table": "GPT", "partition": one.number, "type": str(one.kind)}
            if one.first_lba * unit < end:
                yield Place(one.first_lba * unit, size, {**facts, "label": one.name})
        for each in (*(() if isinstance(self.mbr, FormatError) else self.mbr), *self.logical):
            facts = {"table": "MBR", "partition": each.number, "type": f"{each.kind:#04x}"}
            if each.kind not in (gpt.PROTECTIVE, *gpt.EXTENDED) and each.first_lba * unit < end:
                yield Place(each.first_lba * unit, each.size * unit, {**facts, "active": int(each.bootable)})


def attempt(read: Callable[[], Result]) -> Result | FormatError:
    """Return what is read, or why it cannot be."""
    try:
        return read()
    except FormatError as error:
        return error


def read_partitions(image: Image, sector_size: int) -> Partitions:
    """Read the MBR and both GPTs, the backup where the primary one says that it is."""
    primary = attempt(lambda: gpt.read_table(image, 1, sector_size))
    last = len(image) // sector_size - 1
    lba = primary.alternate_lba if isinstance(primary, gpt.Table) else max(last, 1)
    backup = attempt(lambda: gpt.read_table(image, lba, sector_size))
    return Partitions(image, sector_size, attempt(lambda: gpt.read_mbr(image)), primary, backup)


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
def has_a_gpt(disk: Partitions) -> Iterable[Fault]:
    """Firmware finds the partitions of a stick in it: without one there is no `FS0:`."""
    if not disk.has_gpt and isinstance(disk.primary, FormatError):
        raise disk.primary
    return ()


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
        yield (f"the backup GPT is at LBA {table.alternate_lba}, the last block is {disk.last_lba}")


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
        yield (f"the MBR is not a protective one: it has {_shown(disk.mbr)}, not just type 0xee from LBA 1")
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
        yield (f"nobody looks at the GPT: {shown}, no type 0xee from LBA 1")


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
