"""Reading a FAT volume as a whole, and what must hold of any: what firmware and Linux stumble over.

Specification: Microsoft FAT Specification (2005), whose sections are named here
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from string import ascii_lowercase

from pipeline.checks.fat.chains import Chains, follow
from pipeline.checks.finding import Fault, Rules
from pipeline.errors import FormatError
from pipeline.formats.budget import Spent
from pipeline.formats.fat import Volume, read_table, read_volume, table_bytes
from pipeline.formats.fat_directory import Directory, Entry, directories
from pipeline.formats.fields import Image, chunks

BOOT_PROGRAM = "EFI/BOOT/BOOTX64.EFI"
SPEC = "Microsoft FAT Specification (2005)"
AGAIN = "make the volume again with `mkfs.vfat` and mtools, or let `fsck.fat` repair it"
MAX_SHOWN = 8

MEDIA_OFFSET, MIRRORING_OFFSET, SIGNATURE_OFFSET = 21, 40, 510  # bytes into the boot sector
STATE_OFFSET = {"FAT12": 37, "FAT16": 37, "FAT32": 65}
MEDIA = frozenset({0x00, 0x01, 0xF0, *range(0xF8, 0x100)})
CLEAN = {"FAT16": 0x8000, "FAT32": 0x0800_0000}
NO_ERROR = {"FAT16": 0x4000, "FAT32": 0x0400_0000}
FORBIDDEN = frozenset(map(chr, range(0x20))) | frozenset('"*+,/:;<=>?[\\]|') | frozenset(ascii_lowercase)
"""What no 8.3 name may have; firmware compares in capitals."""


@dataclass(frozen=True, slots=True)
class EfiImage:
    """The volume, its first table, what could be read of its directories, and why no more could.

    They are not complete where the budget was spent before the last. `is_told` where what is around the
    volume says already that it is cut off.
    """

    volume: Volume
    table: Sequence[int]
    directories: tuple[Directory, ...]
    entries: tuple[Entry, ...]
    damage: FormatError | None
    chains: Chains
    complete: bool = True
    is_told: bool = False

    @property
    def files(self) -> tuple[Entry, ...]:
        """All entries but directories and labels."""
        return tuple(entry for entry in self.entries if not entry.is_directory and not entry.is_label)

    @property
    def boot_program(self) -> Entry | None:
        """The file that firmware starts when no boot variable says otherwise."""
        found = (entry for entry in self.files if BOOT_PROGRAM in (entry.short_path, entry.path.upper()))
        return next(found, None)


def read_efi_image(image: Image) -> EfiImage:
    """Read the volume. Raises FormatError for anything else, or one that ends before its first cluster."""
    volume = read_volume(image)
    if volume.data_offset > len(image):
        raise FormatError(cut_off(volume), "make it again")
    table = read_table(volume)
    found: list[Directory] = []
    damage, complete = None, True
    try:
        found.extend(directories(volume, table))
    except FormatError as error:
        damage = error
    except Spent:
        complete = False
    entries = tuple(entry for directory in found for entry in directory.entries)
    chains = Chains(frozenset(), frozenset(), (), ())
    try:
        chains = follow(volume, table, entries)
    except Spent:
        complete = False
    return EfiImage(volume, table, tuple(found), entries, damage, chains, complete)


def read_cut_off(image: Image) -> EfiImage:
    """Read the volume of a medium that is cut off, as `read_efi_image` does."""
    return replace(read_efi_image(image), is_told=True)


rule = Rules[EfiImage]()


@rule(
    "FAT001",
    "its type is the one that its clusters make",
    lenient=True,
    spec=f"{SPEC}, §3.5",
    fix="make it with the type that its size asks for, or of another size or cluster size",
)
def type_is_by_count(efi: EfiImage) -> Iterator[Fault]:
    """Some firmware goes by the count of clusters, whatever the boot sector says or how it is laid out."""
    volume = efi.volume
    for what, kind in (("is laid out as", volume.variant), ("calls itself", volume.type_label)):
        if kind in STATE_OFFSET and kind != volume.type_by_count:  # it may say `FAT`, or nothing
            yield (
                f"the FAT volume {what} {kind!r}, but its {volume.cluster_count} clusters make it "
                f"{volume.type_by_count}",
                f"make it with `mkfs.vfat -F {volume.type_by_count[3:]}`, or of another size",
            )
            return


@rule("FAT015", "all its files are there", spec=f"{SPEC}, §3.1", fix="copy it again, whole")
def files_are_inside(efi: EfiImage) -> Iterator[Fault]:
    """What lies behind the end cannot be read: a copy may have been cut off."""
    volume = efi.volume
    if volume.size > len(volume.image) and not efi.is_told:
        used = (at for at in range(len(efi.table) - 1, 1, -1) if efi.table[at])
        if volume.data_offset + (next(used, 1) - 1) * volume.cluster_size > len(volume.image):
            yield cut_off(volume)


@rule(
    "FAT016",
    "all of the volume is there",
    lenient=True,
    spec=f"{SPEC}, §3.1 (BPB_TotSec32)",
    fix="copy it again, whole, or make it longer with `truncate`",
)
def volume_is_inside(efi: EfiImage) -> Iterator[Fault]:
    """Firmware reads what is there, but Linux mounts no volume that is larger than what it lies in."""
    is_cut_off = efi.volume.size > len(efi.volume.image) and not efi.is_told
    if is_cut_off and not any(files_are_inside(efi)):
        yield f"{cut_off(efi.volume)}; only free space is missing"


def cut_off(volume: Volume) -> str:
    """Return what is said of a volume that is cut off."""
    there = len(volume.image)
    return f"the FAT volume is cut off: its boot sector says {volume.size} bytes, there are {there}"


@rule(
    "FAT017",
    "its boot sector is signed",
    lenient=True,
    spec=f"{SPEC}, §3.1 (Signature_word)",
    fix="make the volume again with `mkfs.vfat`, or write 55 aa at offset 510 of its boot sector",
)
def is_signed(efi: EfiImage) -> Iterator[Fault]:
    """EDK II and Linux read a volume without it; Windows, and firmware that goes by the rules, do not."""
    signature = bytes(efi.volume.image[SIGNATURE_OFFSET : SIGNATURE_OFFSET + 2])
    if signature != b"\x55\xaa":
        yield f"the FAT volume's boot sector ends with {signature.hex()}, not with the signature 55aa"


@rule(
    "FAT012",
    "its media descriptor is valid",
    spec=f"{SPEC}, §3.1 (BPB_Media)",
    fix="set the byte at offset 21 of the boot sector to 0xf8, or make the volume again",
)
def media_is_known(efi: EfiImage) -> Iterator[Fault]:
    """Firmware and Linux take a volume with another media descriptor for something else, and leave it."""
    (media,) = bytes(efi.volume.image[MEDIA_OFFSET : MEDIA_OFFSET + 1])
    if media not in MEDIA:
        yield f"the FAT volume's media descriptor is {media:#04x}, which is not valid"


@rule("FAT002", "both tables are equal", lenient=True, spec=f"{SPEC}, §4", fix=AGAIN)
def tables_are_equal(efi: EfiImage) -> Iterator[Fault]:
    """Firmware reads one of them, what repairs the volume may read the other."""
    volume = efi.volume
    flags = int.from_bytes(bytes(volume.image[MIRRORING_OFFSET : MIRRORING_OFFSET + 2]), "little")
    if volume.table_count == 1 or (volume.variant == "FAT32" and flags & 0x80):
        return
    at = 0
    for first, second in zip(chunks(table_bytes(volume)), chunks(table_bytes(volume, 1)), strict=True):
        if first != second:
            offset = at + next(i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
            yield f"the FAT volume's two tables differ, first at their byte {offset}"
            return
        at += len(first)


@rule("FAT004", "chains of clusters are sound", spec=f"{SPEC}, §4", fix=AGAIN)
def chains_are_sound(efi: EfiImage) -> Iterator[Fault]:
    """A file whose chain is broken, or shared with another, does not hold what was put there."""
    if efi.damage:
        raise efi.damage
    yield from _some(efi.chains.broken)


@rule(
    "FAT009",
    "every cluster in use belongs to a file that needs it",
    lenient=True,
    spec=f"{SPEC}, §4",
    fix=AGAIN,
)
def clusters_are_found(efi: EfiImage) -> Iterator[Fault]:
    """What belongs to nobody is never free again; something was cut off while it was written."""
    if efi.damage is None and efi.complete and not efi.chains.broken:
        yield from _some(efi.chains.lost)


def _some(faults: Sequence[Fault]) -> Iterator[Fault]:
    """Yield the first faults, and how many more there are: damage comes in thousands."""
    yield from faults[:MAX_SHOWN]
    if len(faults) > MAX_SHOWN:
        yield f"of the FAT volume's files, {len(faults) - MAX_SHOWN} more have broken chains", faults[0][1]


@rule(
    "FAT011",
    "it was finished",
    lenient=True,
    spec=f"{SPEC}, §4",
    fix="let `fsck.fat` look at it, and unmount it after writing to it",
)
def is_clean(efi: EfiImage) -> Iterator[Fault]:
    """Whoever wrote to it last did not finish, so files may be damaged; some firmware then does not write."""
    variant = efi.volume.variant
    number = efi.table[1]
    (state,) = bytes(efi.volume.image[STATE_OFFSET[variant] :][:1])
    if not number & CLEAN.get(variant, 1) or state & 1:
        yield "the FAT volume is marked as dirty: it was not unmounted"
    elif not number & NO_ERROR.get(variant, 1) or state & 2:
        yield "the FAT volume is marked as having had errors of its disk"


@rule(
    "FAT010",
    "firmware finds every name",
    lenient=True,
    spec=f"{SPEC}, §6 and §7; UEFI 2.10, §13.3.1",
    fix="write it with mcopy, or another program that makes names of FAT",
)
def names_can_be_found(efi: EfiImage) -> Iterator[Fault]:
    """Firmware finds a file by a name of capitals or its long name, and the first of two that are alike."""
    seen: set[str] = set()
    for entry in efi.entries:
        if entry.is_label:
            continue
        name = entry.short_path.rpartition("/")[2]
        bad = ", ".join(repr(character) for character in sorted(FORBIDDEN & set(name)))
        if bad or name.startswith((" ", ".")):
            yield (
                f"firmware does not find the FAT volume's {entry.path}: its short name "
                + (f"has {bad}" if bad else f"begins with {name[0]!r}")
            )
        elif "~" in name and entry.path.rpartition("/")[2].upper() == name:
            yield f"the FAT volume's {entry.path} has lost its long name, and is found by this one only"
        if entry.path.upper() in seen:
            yield f"the FAT volume has two files named {entry.path}", "delete one of them"
        seen.add(entry.path.upper())


@rule(
    "FAT013",
    "its directories lead back",
    lenient=True,
    spec=f'{SPEC}, §6.5 ("Directory Creation")',
    fix="make the volume with mtools; `fsck.fat -n` says whether it is right",
)
def directories_lead_back(efi: EfiImage) -> Iterator[Fault]:
    """`fsck.fat`, which people run on media that make trouble, calls other ones broken; so may a firmware."""
    yield from islice(_links(efi), MAX_SHOWN)


def _links(efi: EfiImage) -> Iterator[Fault]:
    """Each directory but the root begins with itself and its parent, which have no long names (§6.5)."""
    hint = "make the volume with mtools, or another program that makes directories as they should be"
    mask = 0xFFFF_FFFF if efi.volume.variant == "FAT32" else 0xFFFF
    for directory in efi.directories:
        place = f"the FAT volume's {directory.path or 'root directory'}"
        names = [link.short_path.rpartition("/")[2] for link in directory.links]
        expected = [".", ".."] if directory.path else []
        if names != expected or directory.leading != len(names):
            yield f"{place} begins with {names}, not {expected}", hint
            continue
        clusters = (directory.first_cluster, directory.parent_cluster)
        for link, name, cluster in zip(directory.links, names, clusters, strict=False):
            if link.has_long_name:
                yield f"{place} has a long name for {name!r}", hint
            if link.first_cluster & mask != cluster & mask or not link.is_directory:
                yield f"{place} has {name!r} lead to cluster {link.first_cluster}, not {cluster}", hint


@rule(
    "FAT014",
    "its files have dates",
    lenient=True,
    spec=f"{SPEC}, §6 (DIR_WrtDate)",
    fix="write the files with a program that knows the date, such as mcopy with SOURCE_DATE_EPOCH",
)
def dates_exist(efi: EfiImage) -> Iterator[Fault]:
    """Programs that sort or compare by date show such a file as of 1979, or leave it out."""
    written = ((entry, entry.written[0]) for entry in efi.entries if not entry.is_label)
    undated = ((one, field) for one, field in written if not (1 <= field >> 5 & 0xF <= 12 and field & 0x1F))
    for entry, field in islice(undated, MAX_SHOWN):
        yield f"the FAT volume's {entry.path} was written on {day(field)}, which is not a date"


def day(field: int) -> str:
    """Return a date of a directory as people write it, also one that does not exist."""
    return f"{1980 + (field >> 9)}-{field >> 5 & 0xF:02}-{field & 0x1F:02}"
