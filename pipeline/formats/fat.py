"""Reads FAT12, FAT16 and FAT32 volumes: the boot sector, the tables, chains of clusters.

Directories are `fat_directory`.

Specification: Microsoft, FAT: General Overview of On-Disk Format, 1.03, and its successor, the
"Microsoft FAT Specification" (2005). The sections named here are the latter's.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Literal

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import Image, budget_of, chunks, cut, joined, unpack

Variant = Literal["FAT12", "FAT16", "FAT32"]

damaged = partial(FormatError, hint="the volume is damaged: make it again")

FREE = 0
CLUSTERS_A_STEP = 16  # that are followed
MAX_TABLE = 1 << 26  # bytes; a volume of 512 GiB has no more with the clusters that it is made with


@dataclass(frozen=True, slots=True)
class Volume:
    """A FAT volume: the fields of its boot sector, and what follows from them.

    Offsets are bytes from the start of the volume. `variant` is how the tables are laid out, and
    `type_by_count` what they are taken for by the cluster rule; a sound volume has one answer to both.
    """

    sector_size: int  # bytes
    cluster_size: int  # bytes
    reserved_sectors: int
    table_count: int
    root_entries: int  # 0 on FAT32, whose root directory is a chain of clusters
    size: int  # bytes that the volume says it has
    sectors_per_table: int
    root_cluster: int  # FAT32 only, else 0
    serial: int
    label: str
    type_label: str
    variant: Variant
    cluster_count: int
    image: Image = field(repr=False, compare=False)

    @property
    def root_offset(self) -> int:
        """Where the root directory of FAT12 and FAT16 starts, and on FAT32 the first cluster."""
        return (self.reserved_sectors + self.table_count * self.sectors_per_table) * self.sector_size

    @property
    def data_offset(self) -> int:
        """Where cluster 2, the first one, starts."""
        root = self.root_entries * 32
        return self.root_offset + root + -root % self.sector_size

    @property
    def type_by_count(self) -> Variant:
        """What the count of clusters makes it (§3.5, "FAT Type Determination"): there is no other rule."""
        if self.cluster_count < 4085:
            return "FAT12"
        return "FAT16" if self.cluster_count < 65525 else "FAT32"


def read_volume(image: Image) -> Volume:
    """Read the boot sector (§3.1 to §3.3). Raises FormatError for one that is missing or contradicts itself.

    The signature at its end, which Linux and EDK II do not ask for, is no condition of it.
    """
    cut(image, 0, 512, "FAT: boot sector")
    sector_size, per_cluster, reserved, tables, root_entries, total16, _, table16, _, _, _, total32 = unpack(
        "<HBHBHHBHHHII", image, 11, "FAT: boot sector"
    )
    table32, root_cluster, extended = 0, 0, 36
    if table16 == 0:
        table32, _, _, root_cluster = unpack("<IHHI", image, 36, "FAT: boot sector")
        extended = 64
    _, _, _, serial, label, type_label = unpack("<BBBI11s8s", image, extended, "FAT: boot sector")
    sectors_per_table = table16 or table32
    total = total16 or total32
    for name, value, good in (
        ("bytes per sector", sector_size, sector_size in (512, 1024, 2048, 4096)),
        ("sectors per cluster", per_cluster, per_cluster in (1, 2, 4, 8, 16, 32, 64, 128)),
        ("reserved sectors", reserved, reserved > 0),
        ("number of FATs", tables, tables > 0),
        ("root directory entries", root_entries, (root_entries == 0) == (table16 == 0)),
        ("sectors per FAT", sectors_per_table, sectors_per_table > 0),
    ):
        if not good:
            _check_signature(image)
            raise FormatError(
                f"FAT: the boot sector's {name} cannot be {value}", "make the image again, with mkfs.vfat"
            )
    root_sectors = -(-root_entries * 32 // sector_size)
    count = (total - reserved - tables * sectors_per_table - root_sectors) // per_cluster
    variant: Variant = "FAT32" if table16 == 0 else "FAT12" if count < 4085 else "FAT16"
    bits = {"FAT12": 12, "FAT16": 16, "FAT32": 32}[variant]
    if count < 1 or (count + 2) * bits > sectors_per_table * sector_size * 8:
        raise FormatError(
            f"FAT: {total} sectors leave {count} clusters, "
            f"which do not fit tables of {sectors_per_table} sectors",
            "make the image again, with mkfs.vfat",
        )
    return Volume(
        sector_size=sector_size,
        cluster_size=per_cluster * sector_size,
        reserved_sectors=reserved,
        table_count=tables,
        root_entries=root_entries,
        size=total * sector_size,
        sectors_per_table=sectors_per_table,
        root_cluster=root_cluster,
        serial=serial,
        label=label.decode("cp437").rstrip(),
        type_label=type_label.decode("cp437").rstrip(),
        variant=variant,
        cluster_count=count,
        image=image,
    )


def _check_signature(image: Image) -> None:
    signature = bytes(cut(image, 0, 512, "FAT: boot sector")[510:])
    if signature != b"\x55\xaa":
        raise FormatError(
            f"FAT: no boot sector: the signature at offset 510 is {signature.hex()}, not 55aa",
            "give a FAT image, made with mkfs.vfat",
        )


def table_bytes(volume: Volume, copy: int = 0) -> Image:
    """Return the bytes of one of the volume's FATs, counted from 0."""
    size = volume.sectors_per_table * volume.sector_size
    start = volume.reserved_sectors * volume.sector_size + copy * size
    return cut(volume.image, start, size, f"FAT: table {copy + 1}")


def read_table(volume: Volume) -> Sequence[int]:
    """Return the first FAT as one number a cluster, the two reserved ones first (§4).

    Raises FormatError for one of more than `MAX_TABLE` bytes.
    """
    count = volume.cluster_count + 2
    packed = table_bytes(volume)
    if len(packed) > MAX_TABLE:
        raise FormatError(
            f"FAT: tables of {len(packed)} bytes are more than is read ({MAX_TABLE})",
            "make the volume with larger clusters",
        )
    if volume.variant == "FAT12":
        data = bytes(packed)
        pairs = (int.from_bytes(data[at : at + 3], "little") for at in range(0, (count + 1) // 2 * 3, 3))
        return array("I", (half for pair in pairs for half in (pair & 0xFFF, pair >> 12)))[:count]
    if volume.variant == "FAT16":
        return array("H", bytes(packed[: count * 2]))
    table = array("I")
    for part in chunks(packed[: count * 4]):
        numbers = array("I", part)
        # the upper four bits are no part of the number; few volumes use them
        table.extend(numbers if max(numbers) <= 0x0FFF_FFFF else (one & 0x0FFF_FFFF for one in numbers))
    return table


def chain(volume: Volume, table: Sequence[int], first: int) -> Iterator[int]:
    """Yield the clusters of the chain that starts at `first`.

    Raises FormatError where it leaves the volume, reaches a free or a bad cluster, or comes back to
    itself.
    """
    end = {"FAT12": 0xFF8, "FAT16": 0xFFF8, "FAT32": 0x0FFF_FFF8}[volume.variant]
    budget = budget_of(volume.image)
    cluster, length = first, 0
    while cluster < end:
        if length % CLUSTERS_A_STEP == CLUSTERS_A_STEP - 1:
            budget.spend(STEPS)
        if not 2 <= cluster < len(table):
            raise damaged(
                f"FAT: the chain from cluster {first} leads to cluster {cluster}, "
                f"which the volume does not have (2 to {len(table) - 1})"
            )
        if table[cluster] == FREE or length >= volume.cluster_count:
            what = "into free space" if table[cluster] == FREE else "in a circle"
            raise damaged(f"FAT: the chain from cluster {first} leads {what}, at cluster {cluster}")
        yield cluster
        cluster, length = table[cluster], length + 1


def read_chain(volume: Volume, table: Sequence[int], first: int, size: int) -> Image:
    """Return the chain that starts at `first`: whole clusters, no more of them than hold `size` bytes."""
    unit = volume.cluster_size

    def pieces() -> Iterator[tuple[int, int]]:
        for cluster in islice(chain(volume, table, first), -(-size // unit)):
            piece = (volume.data_offset + (cluster - 2) * unit, unit)
            cut(volume.image, *piece, f"FAT: cluster {cluster}")
            yield piece

    return joined(volume.image, pieces())  # which keeps neighbours as one


def free_clusters(table: Sequence[int]) -> int:
    """Return how many clusters are free."""
    return table.count(FREE) - table[:2].count(FREE)
