"""Owns what must hold of `efi.img`: a sound FAT volume, no larger than needed, with the UKI in its place.

Must not know how it was made, nor where it is stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.checks.finding import Fault, Rule, Severity
from pipeline.checks.kind import Kind, Member, Node
from pipeline.errors import FormatError
from pipeline.formats.fat import FREE, Volume, chain, free_clusters, read_table, read_volume, table_bytes
from pipeline.formats.fat_directory import Entry, read_file, walk
from pipeline.formats.fields import Image
from pipeline.formats.magic import describe

BOOT_PROGRAM = "EFI/BOOT/BOOTX64.EFI"
LABEL = "EFI"
MAX_FREE = 2_200_000  # bytes: the smallest FAT16 volume of all is no larger
BAD_CLUSTER = {"FAT12": 0xFF7, "FAT16": 0xFFF7, "FAT32": 0x0FFF_FFF7}


@dataclass(frozen=True, slots=True)
class EfiImage:
    """The volume, its first table, its entries as far as they could be read, and why not further."""

    volume: Volume
    table: Sequence[int]
    entries: tuple[Entry, ...]
    damage: FormatError | None

    @property
    def boot_program(self) -> Entry | None:
        """The file that firmware starts when no boot variable says otherwise."""
        files = (entry for entry in self.entries if not entry.is_directory and not entry.is_label)
        return next((entry for entry in files if entry.short_path == BOOT_PROGRAM), None)


def read_efi_image(image: Image) -> EfiImage:
    """Read the volume. Raises FormatError when it is no FAT volume, or one that is cut off."""
    volume = read_volume(image)
    if volume.size > len(image):
        raise FormatError(
            f"the FAT volume is cut off: its boot sector says {volume.size} bytes, there are {len(image)}",
            "make it again",
        )
    table = read_table(volume)
    entries: list[Entry] = []
    try:
        entries.extend(walk(volume, table))
    except FormatError as error:
        return EfiImage(volume, table, tuple(entries), error)
    return EfiImage(volume, table, tuple(entries), None)


def type_is_by_count(efi: EfiImage) -> Iterator[Fault]:
    """Firmware goes by the count of clusters, whatever the boot sector says in words or by its layout."""
    volume = efi.volume
    for what, kind in (("is laid out as", volume.variant), ("calls itself", volume.type_label)):
        if kind != volume.type_by_count:
            yield (
                f"the FAT volume {what} {kind!r}, but its {volume.cluster_count} clusters make it "
                f"{volume.type_by_count}",
                f"make it with `mkfs.vfat -F {volume.type_by_count[3:]}`, or of another size",
            )
            return


def tables_are_equal(efi: EfiImage) -> Iterator[Fault]:
    """Firmware may read either."""
    if efi.volume.table_count == 1:
        return
    first, second = bytes(table_bytes(efi.volume)), bytes(table_bytes(efi.volume, 1))
    if first != second:
        offset = next(index for index, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
        yield f"the FAT volume's two tables differ, first at their byte {offset}", "make it again"


def boot_program_is_there(efi: EfiImage) -> Iterator[Fault]:
    """Firmware drops to its shell when it is not."""
    if efi.boot_program is None and efi.damage is None:
        files = [entry.path for entry in efi.entries if not entry.is_directory and not entry.is_label]
        yield (
            f"the FAT volume has no {BOOT_PROGRAM}; it has {', '.join(files) or 'no files'}",
            f"copy the UKI to ::{BOOT_PROGRAM}",
        )


def chains_are_sound(efi: EfiImage) -> Iterator[Fault]:
    """Every cluster in use belongs to one file, and every file has as many as its size asks for."""
    if efi.damage:
        raise efi.damage
    volume = efi.volume
    owners: dict[int, str] = {}
    for path, first, size in _chains(efi):
        length = 0
        for cluster in chain(volume, efi.table, first):
            if cluster in owners:
                yield (
                    f"the FAT volume's cluster {cluster} belongs to {owners[cluster]} and to {path}",
                    "make it again",
                )
                return
            owners[cluster] = path
            length += 1
        if size is not None and length != -(-size // volume.cluster_size):
            yield (
                f"the FAT volume's {path} has {size} bytes, but its chain {length * volume.cluster_size}",
                "make it again",
            )
    unused = (FREE, BAD_CLUSTER[volume.variant])
    lost = sum(1 for cluster, next_one in enumerate(efi.table) if next_one not in unused) - len(owners) - 2
    if lost:
        yield f"clusters of the FAT volume that are in use, but belong to no file: {lost}", "make it again"


def _chains(efi: EfiImage) -> Iterator[tuple[str, int, int | None]]:
    """Yield path, first cluster and, for files, size of everything that has clusters."""
    if efi.volume.root_cluster:
        yield "/", efi.volume.root_cluster, None
    for entry in efi.entries:
        if entry.first_cluster or entry.size:
            yield entry.path, entry.first_cluster, None if entry.is_directory else entry.size


def is_labelled(efi: EfiImage) -> Iterator[Fault]:
    """The label stands in the boot sector and in the root directory."""
    entry = next((entry.path for entry in efi.entries if entry.is_label), "")
    for place, label in (("boot sector", efi.volume.label), ("root directory", entry)):
        if label != LABEL and efi.damage is None:
            yield (
                f"the FAT volume's label in its {place} is {label!r}, not {LABEL!r}",
                f"make it with `-n {LABEL}`",
            )


def is_no_larger_than_needed(efi: EfiImage) -> Iterator[Fault]:
    """What is free is written to every stick and loaded by every firmware all the same."""
    free = free_clusters(efi.table) * efi.volume.cluster_size
    if free > MAX_FREE:
        yield (
            f"of the FAT volume's {efi.volume.size} bytes, {free} are free",
            "make it as large as its files; FAT32 needs 65525 clusters, FAT16 fewer",
        )


def times_are_one(efi: EfiImage) -> Iterator[Fault]:
    """The clock leaks in. The label's time is mkfs.vfat's own."""
    files = [entry for entry in efi.entries if not entry.is_label]
    times = {f"{_day(day)} {_time(time)}" for entry in files for day, time in (entry.created, entry.written)}
    days = {_day(entry.accessed) for entry in files} - {time[:10] for time in times}
    if len(times | days) > 1:
        yield (
            f"the FAT volume's files have different times: {', '.join(sorted(times | days))}",
            "set SOURCE_DATE_EPOCH for mtools",
        )


def _day(field: int) -> str:
    return f"{1980 + (field >> 9)}-{field >> 5 & 0xF:02}-{field & 0x1F:02}"


def _time(field: int) -> str:
    return f"{field >> 11:02}:{field >> 5 & 0x3F:02}:{(field & 0x1F) * 2:02}"


def boot_program_is_a_uki(node: Node) -> Iterator[Fault]:
    """Firmware starts any EFI program; of these images it is the UKI, without a boot loader."""
    program: Entry | None = node.artifact.boot_program
    child = node.child(program.path) if program else None
    if child and not (child.kind and child.kind.name == "uki"):
        yield (
            f"the FAT volume's {BOOT_PROGRAM} is {describe(child.member.image)}, not a UKI",
            f"copy the UKI to ::{BOOT_PROGRAM}",
        )


def members(efi: EfiImage) -> Iterator[Member]:
    """Yield the files."""
    for entry in efi.entries:
        if not entry.is_label:
            image = b"" if entry.is_directory else read_file(efi.volume, efi.table, entry)
            yield Member(entry.path, image, None, "" if entry.is_directory else None)


KIND = Kind(
    "fat",
    "FAT file system",
    "FAT000",
    read_efi_image,
    (
        Rule("FAT001", "its type is the one that its clusters make", type_is_by_count),
        Rule("FAT002", "both tables are equal", tables_are_equal),
        Rule("FAT003", f"{BOOT_PROGRAM} is there", boot_program_is_there, house=True),
        Rule("FAT004", "directories and chains of clusters are sound", chains_are_sound),
        Rule("FAT005", f"its label is {LABEL}", is_labelled, house=True),
        Rule(
            "FAT006",
            f"at most {MAX_FREE} bytes are free",
            is_no_larger_than_needed,
            Severity.WARNING,
            house=True,
        ),
        Rule("FAT007", "there is one time", times_are_one, house=True),
    ),
    members,
    (Rule("FAT008", f"{BOOT_PROGRAM} is a UKI", boot_program_is_a_uki, house=True),),
)
