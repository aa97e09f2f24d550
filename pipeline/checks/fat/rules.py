"""What must hold of `efi.img`: a sound FAT volume, no larger than needed, with the UKI in its place.

What holds of any FAT volume is in `volume`.
"""

import stat
from collections.abc import Iterator

from pipeline.checks.attempt import or_none
from pipeline.checks.boot.rules import RULES
from pipeline.checks.fat import volume
from pipeline.checks.fat.volume import (
    BOOT_PROGRAM,
    SPEC,
    EfiImage,
    cut_off,
    day,
    files_are_inside,
    read_efi_image,
)
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.kind import Kind, Member, Node
from pipeline.checks.medium.programs import image_of
from pipeline.checks.pe import shim
from pipeline.errors import FormatError
from pipeline.formats.budget import MEMBERS, Spent
from pipeline.formats.fat import free_clusters
from pipeline.formats.fat_directory import Entry, read_file
from pipeline.formats.magic import describe

LABEL = "EFI"
MAX_FREE = 2_200_000  # bytes: the smallest FAT16 volume of all is no larger

rule = Rules[EfiImage]()
together = Rules[Node]()


@rule(
    "FAT003",
    f"{BOOT_PROGRAM} is there",
    policy="medium",
    spec="UEFI 2.10, §3.5.1.1",
    fix=f"copy the UKI to {BOOT_PROGRAM}",
)
def boot_program_is_there(efi: EfiImage) -> Iterator[Fault]:
    """Firmware drops to its shell when it is not."""
    if efi.boot_program is None and efi.damage is None and efi.complete:
        files = ", ".join(entry.path for entry in efi.files)
        yield f"the FAT volume has no {BOOT_PROGRAM}; it has {files or 'no files'}"


@rule(
    "FAT005",
    f"its label is {LABEL}",
    policy="medium",
    spec=f"{SPEC}, §3.2 and §6",
    fix=f"make it with `mkfs.vfat -n {LABEL}`",
)
def is_labelled(efi: EfiImage) -> Iterator[Fault]:
    """The label stands in the boot sector and in the root directory."""
    entry = next((entry.path for entry in efi.entries if entry.is_label), "")
    for place, label in (("boot sector", efi.volume.label), ("root directory", entry)):
        if label != LABEL and efi.damage is None:
            yield f"the FAT volume's label in its {place} is {label!r}, not {LABEL!r}"


@rule(
    "FAT006",
    f"at most {MAX_FREE} bytes are free",
    severity=Severity.WARNING,
    policy="medium",
    spec=f"{SPEC}, §3.5",
    fix="make it as large as its files; FAT32 needs 65525 clusters, FAT16 fewer",
)
def is_no_larger_than_needed(efi: EfiImage) -> Iterator[Fault]:
    """What is free is written to every stick and loaded by every firmware all the same."""
    free = free_clusters(efi.table) * efi.volume.cluster_size
    if free > MAX_FREE:
        yield f"of the FAT volume's {efi.volume.size} bytes, {free} are free"


@rule(
    "FAT007",
    "there is one time",
    policy="reproducible",
    spec="reproducible-builds.org, SOURCE_DATE_EPOCH",
    fix="set SOURCE_DATE_EPOCH for mtools",
)
def times_are_one(efi: EfiImage) -> Iterator[Fault]:
    """The clock leaks in. The label's time is mkfs.vfat's own."""
    files = [entry for entry in efi.entries if not entry.is_label]
    stamps = (stamp for entry in files for stamp in (entry.created, entry.written))
    times = {f"{day(date)} {_time(time)}" for date, time in stamps}
    days = {day(entry.accessed) for entry in files} - {time[:10] for time in times}
    if len(times | days) > 1:
        yield f"the FAT volume's files have different times: {', '.join(sorted(times | days))}"


def _time(field: int) -> str:
    return f"{field >> 11:02}:{field >> 5 & 0x3F:02}:{(field & 0x1F) * 2:02}"


@together(
    "FAT008",
    f"{BOOT_PROGRAM} is a UKI, or shim that starts one",
    policy="medium",
    spec="UAPI.5, Unified Kernel Image; shim, DEFAULT_LOADER",
    fix=f"copy the UKI to {BOOT_PROGRAM}",
)
def boot_program_is_a_uki(node: Node) -> Iterator[Fault]:
    """Firmware starts any EFI program; of these images it is the UKI, without a boot loader.

    Shim may come first, for machines that trust whoever signed that: it starts what lies beside it under one
    name.
    """
    program: Entry | None = node.artifact.boot_program
    child = node.child(program.path) if program else None
    if not (program and child) or program.path in node.artifact.chains.crossed:
        return
    if not _is_shim(child):
        if not _is_uki(child):
            yield f"the FAT volume's {BOOT_PROGRAM} is {describe(child.member.image)}, not a UKI"
        return
    started = _beside(node, program.path, shim.SECOND_STAGE)
    if started is None:
        yield (
            f"the FAT volume's {BOOT_PROGRAM} is shim, and there is no {shim.SECOND_STAGE} for it to start",
            f"copy the UKI to EFI/BOOT/{shim.SECOND_STAGE}",
        )
    elif not _is_uki(started):
        yield (
            f"the FAT volume's {started.name}, which shim starts, is {describe(started.member.image)}, "
            "not a UKI",
            f"copy the UKI to EFI/BOOT/{shim.SECOND_STAGE}",
        )


@together(
    "FAT018",
    "MokManager is beside shim",
    policy="medium",
    spec="shim, README.fallback and MokManager",
    fix=f"copy the mmx64.efi that comes with shim to EFI/BOOT/{shim.MOK_MANAGER}",
)
def mok_manager_is_there(node: Node) -> Iterator[Fault]:
    """Where shim does not trust what it is to start, it starts MokManager, which enrols the owner's key."""
    program: Entry | None = node.artifact.boot_program
    child = node.child(program.path) if program else None
    if program and child and _is_shim(child) and _beside(node, program.path, shim.MOK_MANAGER) is None:
        yield (
            f"the FAT volume has shim, and no {shim.MOK_MANAGER} beside it: a machine that does not know who "
            "signed the UKI cannot be told to trust it"
        )


@together(
    "FAT019",
    "what shim starts is signed",
    severity=Severity.WARNING,
    policy="medium",
    spec="shim, verify_buffer",
    fix="sign it: `./doit sign --secure-boot`",
)
def what_shim_starts_is_signed(node: Node) -> Iterator[Fault]:
    """Under Secure Boot shim starts nothing without a signature; with Secure Boot off it starts all."""
    program: Entry | None = node.artifact.boot_program
    child = node.child(program.path) if program else None
    started = (
        _beside(node, program.path, shim.SECOND_STAGE) if program and child and _is_shim(child) else None
    )
    pe = image_of(started) if started else None
    if started and pe and pe.certificates == (0, 0):
        yield f"the FAT volume's {started.name} has no signature: shim starts it with Secure Boot off only"


def _is_uki(node: Node) -> bool:
    return node.kind is not None and node.kind.name == "uki"


def _is_shim(node: Node) -> bool:
    pe = image_of(node)
    return pe is not None and shim.is_shim(pe)


def _beside(node: Node, path: str, name: str) -> Node | None:
    """Return what lies in the folder of `path` under another name, whose case does not count."""
    wanted = f"{path.rpartition('/')[0]}/{name}".casefold()
    return next((child for child in node.children if child.name.casefold() == wanted), None)


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
            if offset + entry.size <= len(efi.volume.image):  # else FAT015 says so
                yield Member(entry.path, efi.volume.image[offset : offset + entry.size], offset)
        else:
            contents = or_none(read_file, efi.volume, efi.table, entry)
            if contents is not None:  # else FAT004 says why
                yield Member(entry.path, contents)
    if not efi.complete:
        raise Spent(MEMBERS)
    if any(files_are_inside(efi)):
        raise FormatError(cut_off(efi.volume), "copy it again, whole")


FAT = Kind(
    "fat",
    "FAT file system",
    "FAT000",
    read_efi_image,
    (*volume.rule.table, *rule.table, *RULES),
    members,
    tuple(together.table),
)
