"""Owns what must hold of `efi.img`: a sound FAT volume, no larger than needed, with the UKI in its place.

Must not know how it was made, nor where it is stored. What holds of any FAT volume is `fat_volume`.
"""

import stat
from collections.abc import Iterator

from pipeline.checks.fat.volume import (
    BOOT_PROGRAM,
    EfiImage,
    chains_are_sound,
    clusters_are_found,
    dates_exist,
    directories_lead_back,
    files_are_inside,
    is_clean,
    is_signed,
    media_is_known,
    names_can_be_found,
    read_efi_image,
    tables_are_equal,
    type_is_by_count,
    volume_is_inside,
)
from pipeline.checks.finding import Fault, Rule, Severity
from pipeline.checks.kind import Kind, Member, Node
from pipeline.errors import FormatError
from pipeline.formats.budget import MEMBERS, Spent
from pipeline.formats.fat import free_clusters
from pipeline.formats.fat_directory import Entry, read_file
from pipeline.formats.magic import describe

__all__ = ["BOOT_PROGRAM", "KIND", "EfiImage"]

LABEL = "EFI"
MAX_FREE = 2_200_000  # bytes: the smallest FAT16 volume of all is no larger


def boot_program_is_there(efi: EfiImage) -> Iterator[Fault]:
    """Firmware drops to its shell when it is not."""
    if efi.boot_program is None and efi.damage is None and efi.complete:
        files = [entry.path for entry in efi.entries if not entry.is_directory and not entry.is_label]
        yield (
            f"the FAT volume has no {BOOT_PROGRAM}; it has {', '.join(files) or 'no files'}",
            f"copy the UKI to ::{BOOT_PROGRAM}",
        )


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
    is_sound = program and program.path not in node.artifact.chains.crossed
    if child and is_sound and not (child.kind and child.kind.name == "uki"):
        yield (
            f"the FAT volume's {BOOT_PROGRAM} is {describe(child.member.image)}, not a UKI",
            f"copy the UKI to ::{BOOT_PROGRAM}",
        )


def members(efi: EfiImage) -> Iterator[Member]:
    """Yield files and directories; what shares clusters with one before is left out.

    Raises Spent behind the last, where the volume has more, and FormatError where its end is missing.
    """
    for entry in efi.entries:
        if entry.is_label:
            continue
        if entry.is_directory:
            yield Member(entry.path, b"", None, "", facts={"mode": stat.filemode(stat.S_IFDIR | 0o755)})
            continue
        if entry.path in efi.chains.crossed:
            continue
        if entry.first_cluster in efi.chains.runs:
            offset = efi.volume.data_offset + (entry.first_cluster - 2) * efi.volume.cluster_size
            if offset + entry.size > len(efi.volume.image):  # FAT015 says so
                continue
            yield Member(entry.path, efi.volume.image[offset : offset + entry.size], offset)
            continue
        try:
            yield Member(entry.path, read_file(efi.volume, efi.table, entry))
        except FormatError:  # FAT004 says why
            continue
    if not efi.complete:
        raise Spent(MEMBERS)
    for message, hint in files_are_inside(efi):
        raise FormatError(message, hint)


SPEC = "Microsoft FAT Specification (2005)"
UEFI = "UEFI 2.10"
AGAIN = "Make the volume again with `mkfs.vfat` and mtools, or let `fsck.fat` repair it."

KIND = Kind(
    "fat",
    "FAT file system",
    "FAT000",
    read_efi_image,
    (
        Rule(
            "FAT001",
            "its type is the one that its clusters make",
            type_is_by_count,
            lenient=True,
            spec=f"{SPEC}, §3.5",
            fix="Make it with the type that its size asks for, or of another size or cluster size.",
        ),
        Rule(
            "FAT002",
            "both tables are equal",
            tables_are_equal,
            lenient=True,
            spec=f"{SPEC}, §4",
            fix=AGAIN,
        ),
        Rule(
            "FAT003",
            f"{BOOT_PROGRAM} is there",
            boot_program_is_there,
            house=True,
            spec=f"{UEFI}, §3.5.1.1",
            fix=f"Copy the program to {BOOT_PROGRAM}.",
        ),
        Rule("FAT004", "chains of clusters are sound", chains_are_sound, spec=f"{SPEC}, §4", fix=AGAIN),
        Rule(
            "FAT005",
            f"its label is {LABEL}",
            is_labelled,
            house=True,
            spec=f"{SPEC}, §3.2 and §6",
            fix=f"Make it with `mkfs.vfat -n {LABEL}`.",
        ),
        Rule(
            "FAT006",
            f"at most {MAX_FREE} bytes are free",
            is_no_larger_than_needed,
            Severity.WARNING,
            house=True,
            spec=f"{SPEC}, §3.5",
            fix="Make it as large as its files.",
        ),
        Rule(
            "FAT007",
            "there is one time",
            times_are_one,
            house=True,
            spec="reproducible-builds.org, SOURCE_DATE_EPOCH",
            fix="Set SOURCE_DATE_EPOCH for mtools.",
        ),
        Rule(
            "FAT009",
            "every cluster in use belongs to a file that needs it",
            clusters_are_found,
            lenient=True,
            spec=f"{SPEC}, §4",
            fix=AGAIN,
        ),
        Rule(
            "FAT010",
            "firmware finds every name",
            names_can_be_found,
            lenient=True,
            spec=f"{SPEC}, §6 and §7; {UEFI}, §13.3.1",
            fix="Write files with mtools, or another program that makes names of FAT.",
        ),
        Rule(
            "FAT011",
            "it was finished",
            is_clean,
            lenient=True,
            spec=f"{SPEC}, §4",
            fix="Let `fsck.fat` look at it, and unmount it when it is written to.",
        ),
        Rule(
            "FAT012",
            "its media descriptor is one that there is",
            media_is_known,
            spec=f"{SPEC}, §3.1 (BPB_Media)",
            fix="Set the byte at offset 21 of the boot sector to 0xf8, or make the volume again.",
        ),
        Rule(
            "FAT013",
            "its directories lead back",
            directories_lead_back,
            lenient=True,
            spec=f'{SPEC}, §6.5 ("Directory Creation")',
            fix="Make the volume with mtools; `fsck.fat -n` says whether it is right.",
        ),
        Rule(
            "FAT014",
            "its files have dates",
            dates_exist,
            lenient=True,
            spec=f"{SPEC}, §6 (DIR_WrtDate)",
            fix="Write the files with a program that knows the date.",
        ),
        Rule("FAT015", "all its files are there", files_are_inside, spec=f"{SPEC}, §3.1", fix=AGAIN),
        Rule(
            "FAT016",
            "all of the volume is there",
            volume_is_inside,
            lenient=True,
            spec=f"{SPEC}, §3.1 (BPB_TotSec32)",
            fix="Copy it again, whole, or make it longer with `truncate`.",
        ),
        Rule(
            "FAT017",
            "its boot sector is signed",
            is_signed,
            lenient=True,
            spec=f"{SPEC}, §3.1 (Signature_word)",
            fix="Make the volume again, or write 55 aa at offset 510 of its boot sector.",
        ),
    ),
    members,
    (
        Rule(
            "FAT008",
            f"{BOOT_PROGRAM} is a UKI",
            boot_program_is_a_uki,
            house=True,
            spec="UAPI.5, Unified Kernel Image",
            fix=f"Copy the UKI to {BOOT_PROGRAM}.",
        ),
    ),
)
