"""Reading an ISO as a whole: its file system, its boot catalog and what that points at, its partitions.

Specifications: ECMA-119; El Torito 1.0 (1995); UEFI 2.10, §13.3.2 (partition discovery on CD)
"""

from dataclasses import dataclass

from pipeline.checks.attempt import attempt, or_none
from pipeline.checks.medium.partitions import Partitions, read_partitions
from pipeline.errors import FormatError
from pipeline.formats import eltorito
from pipeline.formats.eltorito import BootEntry
from pipeline.formats.fat import read_volume
from pipeline.formats.fields import Image
from pipeline.formats.iso9660 import Iso9660, read_iso9660
from pipeline.formats.iso9660_directory import Member
from pipeline.formats.magic import describe, is_iso9660
from pipeline.formats.udf import Udf, has_udf, read_udf

SECTOR_SIZE = 512  # bytes; of a disk, for the GPT
BOOT_RECORD = b"\0CD001\1EL TORITO SPECIFICATION"
BOOT_SECTOR = 4096  # bytes, at most
HARD_DISK = 4  # what a catalog's entry may emulate (El Torito 1.0, §2.2)
FLOPPY = {1: 1_228_800, 2: 1_474_560, 3: 2_949_120}  # bytes of each floppy that it may, instead


@dataclass(frozen=True, slots=True)
class BootImage:
    """What an entry of the boot catalog points at: the bytes that are there, FAT to its own end.

    `number` counts from 1; `volume` is the size of the FAT volume that begins there, 0 without one.
    """

    number: int
    entry: BootEntry
    image: Image
    volume: int

    @property
    def name(self) -> str:
        """Which entry it is, and for what firmware."""
        return f"El Torito {self.number} ({eltorito.platform_name(self.entry.platform)})"


@dataclass(frozen=True, slots=True)
class Iso:
    """What is in the image; a FormatError where one of its parts cannot be read."""

    image: Image
    files: Iso9660 | FormatError
    catalog: tuple[BootEntry, ...] | FormatError
    partitions: Partitions
    udf: Udf | FormatError | None = None

    @property
    def members(self) -> tuple[Member, ...]:
        """The files and directories of its ISO 9660 file system, none when that cannot be read."""
        return () if isinstance(self.files, FormatError) else self.files.members

    @property
    def files_size(self) -> int:
        """Bytes that its ISO 9660 file system says it has, 0 when that cannot be read."""
        return 0 if isinstance(self.files, FormatError) else self.files.size

    @property
    def size(self) -> int:
        """Bytes that its own descriptors say it has."""
        return max(self.files_size, self.partitions.size)

    @property
    def is_whole(self) -> bool:
        """Whether all of its file system and of its partitions is there."""
        return self.files_size <= len(self.image) and not self.partitions.is_cut_off

    @property
    def has_boot_record(self) -> bool:
        """Whether there is a boot record where El Torito has it."""
        start = eltorito.BOOT_RECORD_SECTOR * eltorito.SECTOR_SIZE
        return bytes(self.image[start : start + len(BOOT_RECORD)]) == BOOT_RECORD

    @property
    def entries(self) -> tuple[BootEntry, ...]:
        """The entries of the boot catalog, none when it cannot be read."""
        return () if isinstance(self.catalog, FormatError) else self.catalog

    @property
    def efi_entry(self) -> BootEntry | None:
        """The entry of the boot catalog that UEFI firmware takes: one that is bootable, if there is one."""
        entries = [entry for entry in self.entries if entry.platform == eltorito.PLATFORM_EFI]
        return next((entry for entry in entries if entry.bootable), entries[0] if entries else None)

    @property
    def boot_images(self) -> tuple[BootImage, ...]:
        """What the entries point at, as far as it is inside the file; unused entries at nothing."""
        return tuple(
            _boot_image(self, number, entry)
            for number, entry in enumerate(self.entries, start=1)
            if 0 < entry.offset < len(self.image)
        )

    @property
    def efi_image(self) -> BootImage | None:
        """What UEFI firmware boots from a CD."""
        return next((one for one in self.boot_images if one.entry == self.efi_entry), None)


def volume_size(image: Image) -> int:
    """Return the bytes that the FAT volume at the start of an image says it has, 0 without one."""
    volume = or_none(read_volume, image[:BOOT_SECTOR])
    return volume.size if volume else 0


def _boot_image(iso: Iso, number: int, entry: BootEntry) -> BootImage:
    rest = iso.image[entry.offset :]
    volume = volume_size(rest)
    if entry.media in FLOPPY:
        size = FLOPPY[entry.media]
    elif entry.media != eltorito.NO_EMULATION:
        size = len(rest)
    elif entry.platform == eltorito.PLATFORM_EFI:
        size = max(entry.size, volume) or len(rest)
    else:  # a BIOS loads a part of what is there
        size = max(entry.sector_count * eltorito.VIRTUAL_SECTOR_SIZE, volume)
    return BootImage(number, entry, rest[:size], volume)


def read_iso(image: Image) -> Iso:
    """Read all parts. Raises FormatError only when it is no ISO 9660 image at all."""
    if not is_iso9660(image):
        raise FormatError(f"this is {describe(image)}, not an ISO 9660 image", "make it with xorriso")
    return Iso(
        image=image,
        files=attempt(read_iso9660, image),
        catalog=attempt(eltorito.read_catalog, image),
        partitions=read_partitions(image, SECTOR_SIZE),
        udf=attempt(read_udf, image) if has_udf(image) else None,
    )
