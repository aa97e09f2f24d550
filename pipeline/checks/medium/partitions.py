"""What is said of a disk in its first and last blocks: MBR and GPT.

Specification: UEFI 2.10, chapter 5 "GUID Partition Table (GPT) Disk Layout"
https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.attempt import attempt
from pipeline.errors import FormatError
from pipeline.formats import gpt
from pipeline.formats.fields import Image


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
    def records(self) -> tuple[gpt.MbrPartition, ...]:
        """The partitions of the MBR, none where it cannot be read."""
        return () if isinstance(self.mbr, FormatError) else self.mbr

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
        for one in self.records:
            last = one.first_lba + one.size - 1
            if one.kind == gpt.PROTECTIVE:
                former = attempt(gpt.read_table, self.image, last, self.sector_size)
                return (last + 1) * self.sector_size if isinstance(former, gpt.Table) else 0
        return 0

    @property
    def is_cut_off(self) -> bool:
        """Whether partitions lie where the GPT says that the disk goes on, but the image does not."""
        return self.size > len(self.image) and any(one.last_lba > self.last_lba for one in self.used)

    @property
    def is_protected(self) -> bool:
        """Whether the MBR says that there is a GPT: without that, firmware and Linux look at no GPT."""
        return any(one.kind == gpt.PROTECTIVE and one.first_lba == 1 for one in self.records)

    @property
    def partitions(self) -> tuple[gpt.Partition, ...]:
        """The partitions of the GPT, none where it cannot be read."""
        return () if isinstance(self.table, FormatError) else self.table.partitions

    @property
    def used(self) -> tuple[gpt.Partition, ...]:
        """The partitions of the GPT that firmware goes by, none where it goes by none."""
        return self.partitions if self.is_protected else ()

    @property
    def system_partition(self) -> gpt.Partition | None:
        """The EFI system partition of the GPT."""
        return next((one for one in self.partitions if one.kind == gpt.EFI_SYSTEM_PARTITION), None)

    @property
    def logical(self) -> tuple[gpt.MbrPartition, ...]:
        """The partitions that lie in extended ones of the MBR."""
        extended = (one for one in self.records if one.kind in gpt.EXTENDED)
        return tuple(
            each for one in extended for each in gpt.logical_partitions(self.image, one, self.sector_size)
        )

    @property
    def places(self) -> Iterator[Place]:
        """All partitions but protective ones that begin inside the image, the GPT's first."""
        unit, end = self.sector_size, len(self.image)
        for one in self.partitions:
            size = (one.last_lba - one.first_lba + 1) * unit
            facts: dict[str, str | int] = {"table": "GPT", "partition": one.number, "type": str(one.kind)}
            if one.first_lba * unit < end:
                yield Place(one.first_lba * unit, size, {**facts, "label": one.name})
        for each in (*self.records, *self.logical):
            facts = {"table": "MBR", "partition": each.number, "type": f"{each.kind:#04x}"}
            if each.kind not in (gpt.PROTECTIVE, *gpt.EXTENDED) and each.first_lba * unit < end:
                yield Place(each.first_lba * unit, each.size * unit, {**facts, "active": int(each.bootable)})


def read_partitions(image: Image, sector_size: int) -> Partitions:
    """Read the MBR and both GPTs, the backup where the primary one says that it is."""
    primary = attempt(gpt.read_table, image, 1, sector_size)
    last = len(image) // sector_size - 1
    lba = primary.alternate_lba if isinstance(primary, gpt.Table) else max(last, 1)
    backup = attempt(gpt.read_table, image, lba, sector_size)
    return Partitions(image, sector_size, attempt(gpt.read_mbr, image), primary, backup)
