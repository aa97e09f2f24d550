"""Owns what must hold of the ISO: one file that firmware boots as a CD, as a USB stick and as a disk.

Must not know how it was made.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from pipeline.checks import fat
from pipeline.checks.finding import Fault, Rule
from pipeline.checks.kind import Kind, Member
from pipeline.errors import FormatError
from pipeline.formats import eltorito, gpt
from pipeline.formats.eltorito import BootEntry
from pipeline.formats.fat import read_volume
from pipeline.formats.fields import Image
from pipeline.formats.iso9660 import Iso9660, is_iso9660, read_iso9660
from pipeline.formats.magic import describe

SECTOR_SIZE = 512  # bytes; of a disk, for the GPT

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Iso:
    """What is in the image; a FormatError where one of its parts cannot be read."""

    image: Image
    files: Iso9660 | FormatError
    catalog: tuple[BootEntry, ...] | FormatError
    mbr: tuple[gpt.MbrPartition, ...] | FormatError
    table: gpt.Table | FormatError

    @property
    def size(self) -> int:
        """Bytes that its own descriptors say it has."""
        files = self.files.size if isinstance(self.files, Iso9660) else 0
        disk = (self.table.alternate_lba + 1) * SECTOR_SIZE if isinstance(self.table, gpt.Table) else 0
        return max(files, disk)

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there."""
        return self.size <= len(self.image)

    @property
    def efi_entry(self) -> BootEntry | None:
        """The entry of the boot catalog that UEFI firmware takes."""
        entries = () if isinstance(self.catalog, FormatError) else self.catalog
        return next((entry for entry in entries if entry.platform == eltorito.PLATFORM_EFI), None)

    @property
    def system_partition(self) -> gpt.Partition | None:
        """The EFI system partition."""
        partitions = () if isinstance(self.table, FormatError) else self.table.partitions
        return next((one for one in partitions if one.kind == gpt.EFI_SYSTEM_PARTITION), None)

    @property
    def boot_image(self) -> Image | None:
        """What the EFI entry points at, up to the end of the file when the entry does not say how far."""
        entry = self.efi_entry
        if entry is None or entry.offset + max(entry.size, 1) > len(self.image):
            return None
        return self.image[entry.offset :][: entry.size or None]


def read_iso(image: Image) -> Iso:
    """Read all parts. Raises FormatError only when it is no ISO 9660 image at all."""
    if not is_iso9660(image):
        raise FormatError(f"this is {describe(image)}, not an ISO 9660 image", "make it with xorriso")
    return Iso(
        image=image,
        files=_attempt(lambda: read_iso9660(image)),
        catalog=_attempt(lambda: eltorito.read_catalog(image)),
        mbr=_attempt(lambda: gpt.read_mbr(image)),
        table=_attempt(lambda: gpt.read_table(image, 1, SECTOR_SIZE)),
    )


def _attempt(read: Callable[[], Result]) -> Result | FormatError:
    try:
        return read()
    except FormatError as error:
        return error


def is_whole(iso: Iso) -> Iterator[Fault]:
    """A copy may have been cut off."""
    if not iso.is_whole:
        yield f"the ISO is cut off: it should have {iso.size} bytes, it has {len(iso.image)}", "copy it again"


def files_can_be_read(iso: Iso) -> Iterable[Fault]:
    """A bad boot catalog or entry, over which pycdlib stumbles too, is named by rules of its own."""
    named = isinstance(iso.catalog, FormatError) or (iso.efi_entry and iso.boot_image is None)
    if isinstance(iso.files, FormatError) and not named:
        raise iso.files
    return ()


def has_rock_ridge(iso: Iso) -> Iterator[Fault]:
    """Long names and modes for Linux."""
    if isinstance(iso.files, Iso9660) and not iso.files.has_rock_ridge:
        yield "the ISO has no Rock Ridge", "give xorriso -r"


def has_joliet(iso: Iso) -> Iterator[Fault]:
    """Long names for Windows."""
    if isinstance(iso.files, Iso9660) and not iso.files.has_joliet:
        yield "the ISO has no Joliet", "give xorriso -J"


def boot_catalog_is_good(iso: Iso) -> Iterable[Fault]:
    """Without it a CD does not boot."""
    if isinstance(iso.catalog, FormatError):
        raise iso.catalog
    return ()


def has_an_efi_entry(iso: Iso) -> Iterator[Fault]:
    """UEFI takes an entry for platform 0xEF that emulates nothing."""
    if isinstance(iso.catalog, FormatError):
        return
    entry = iso.efi_entry
    if entry is None:
        platforms = ", ".join(f"{entry.platform:#04x}" for entry in iso.catalog)
        yield (
            f"El Torito's boot catalog has no entry for UEFI (platform 0xef); it has {platforms}",
            "give xorriso `-e … -no-emul-boot`",
        )
    elif not entry.bootable or entry.media != eltorito.NO_EMULATION:
        what = f"emulates media type {entry.media}" if entry.bootable else "is marked as not bootable"
        yield f"El Torito's EFI entry {what}", "give xorriso -no-emul-boot after -e"


def boot_image_is_inside(iso: Iso) -> Iterator[Fault]:
    """An entry may point anywhere."""
    entry = iso.efi_entry
    if entry and iso.boot_image is None and iso.is_whole:
        yield (
            f"El Torito's EFI entry points at bytes {entry.offset} to {entry.offset + entry.size}, "
            f"but the ISO ends at {len(iso.image)}",
            "make it again",
        )


def boot_image_is_fat(iso: Iso) -> Iterator[Fault]:
    """Firmware that is pointed at a program drops to its shell."""
    if iso.boot_image is None:
        return
    try:
        read_volume(iso.boot_image)
    except FormatError:
        yield (
            f"El Torito's EFI entry points at {describe(iso.boot_image)}; firmware wants a FAT image",
            f"point -e at efi.img, which holds {fat.BOOT_PROGRAM}",
        )


def has_a_protective_mbr(iso: Iso) -> Iterator[Fault]:
    """It tells what knows no GPT that the disk is in use (UEFI 2.10, §5.2.3)."""
    if isinstance(iso.mbr, FormatError):
        raise iso.mbr
    kinds = [(partition.kind, partition.first_lba) for partition in iso.mbr]
    if kinds != [(gpt.PROTECTIVE, 1)]:
        shown = ", ".join(f"type {kind:#04x} from LBA {first}" for kind, first in kinds) or "nothing"
        yield (
            f"the MBR is not a protective one: it has {shown}, not just type 0xee from LBA 1",
            "give xorriso -appended_part_as_gpt",
        )


def has_a_gpt(iso: Iso) -> Iterable[Fault]:
    """Firmware finds the partitions of a stick in it."""
    if isinstance(iso.table, FormatError):
        raise iso.table
    return ()


def has_a_backup_gpt(iso: Iso) -> Iterator[Fault]:
    """It lies in the last block, and says the same."""
    if isinstance(iso.table, FormatError) or not iso.is_whole:
        return
    last = len(iso.image) // SECTOR_SIZE - 1
    if iso.table.alternate_lba != last:
        yield (
            f"the backup GPT is at LBA {iso.table.alternate_lba}, the last block is {last}",
            "append nothing to the ISO once it is made",
        )
    backup = gpt.read_table(iso.image, iso.table.alternate_lba, SECTOR_SIZE)
    if backup.alternate_lba != 1 or _contents(backup) != _contents(iso.table):
        yield "the backup GPT says something else than the primary one", "make the ISO again"


def _contents(table: gpt.Table) -> tuple[UUID, tuple[gpt.Partition, ...]]:
    return table.disk_guid, table.partitions


def has_a_system_partition(iso: Iso) -> Iterator[Fault]:
    """Without it there is no `FS0:` on a stick."""
    if not isinstance(iso.table, FormatError) and iso.system_partition is None:
        found = ", ".join(f"{one.name!r} of type {one.kind}" for one in iso.table.partitions) or "none"
        yield (
            f"the GPT has no EFI system partition; its partitions: {found}",
            "give xorriso `-append_partition 2 0xef efi.img -appended_part_as_gpt`",
        )


def system_partition_is_boot_image(iso: Iso) -> Iterator[Fault]:
    """The same blocks, seen from a CD and from a disk."""
    partition, entry = iso.system_partition, iso.efi_entry
    if partition is None or entry is None or iso.boot_image is None:
        return
    first, end = partition.first_lba * SECTOR_SIZE, (partition.last_lba + 1) * SECTOR_SIZE
    size = entry.size or end - first
    if (first, end) != (entry.offset, entry.offset + size):
        yield (
            f"the EFI system partition is bytes {first} to {end}, "
            f"El Torito's EFI entry {entry.offset} to {entry.offset + size}",
            "give xorriso `-e --interval:appended_partition_2:all::`",
        )


def times_are_one(iso: Iso) -> Iterator[Fault]:
    """The clock leaks in."""
    if isinstance(iso.files, FormatError):
        return
    times = sorted({iso.files.created, iso.files.modified, *(member.time for member in iso.files.members)})
    if len(times) > 1:
        yield (
            f"the ISO has {len(times)} different times, from {times[0]} to {times[-1]}",
            "set SOURCE_DATE_EPOCH, and give xorriso --set_all_file_dates",
        )


def root_owns_all(iso: Iso) -> Iterator[Fault]:
    """Ownership leaks from the user who made it."""
    if isinstance(iso.files, FormatError):
        return
    for member in iso.files.members:
        if member.owner and member.owner != (0, 0):
            user, group = member.owner
            yield f"the ISO's {member.path} belongs to {user}:{group}, not to 0:0", "give xorriso -r"


def members(iso: Iso) -> Iterator[Member]:
    """Yield the boot image of each entry of the catalog."""
    if iso.boot_image is not None and iso.efi_entry and not any(boot_image_is_fat(iso)):
        yield Member("efi.img", iso.boot_image, iso.efi_entry.offset, "fat")


KIND = Kind(
    "iso",
    "ISO 9660 image",
    "ISO000",
    read_iso,
    (
        Rule("ISO001", "the file is whole", is_whole),
        Rule("ISO002", "its file system can be read", files_can_be_read),
        Rule("ISO003", "it has Rock Ridge", has_rock_ridge, house=True),
        Rule("ISO004", "it has Joliet", has_joliet, house=True),
        Rule("ISO005", "El Torito's boot catalog is good", boot_catalog_is_good),
        Rule("ISO006", "the catalog has an EFI entry without emulation", has_an_efi_entry),
        Rule("ISO007", "the EFI entry points inside the file", boot_image_is_inside),
        Rule("ISO008", "the EFI entry points at a FAT image", boot_image_is_fat),
        Rule("ISO009", "the MBR is a protective one", has_a_protective_mbr),
        Rule("ISO010", "the GPT is good", has_a_gpt),
        Rule("ISO011", "its backup is the same, at the end", has_a_backup_gpt),
        Rule("ISO012", "it has an EFI system partition", has_a_system_partition),
        Rule("ISO013", "that is the FAT image, the same blocks", system_partition_is_boot_image),
        Rule("ISO014", "there is one time", times_are_one, house=True),
        Rule("ISO015", "root owns everything", root_owns_all, house=True),
    ),
    members,
)
