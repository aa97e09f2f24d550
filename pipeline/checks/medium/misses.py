"""Why firmware starts nothing from a medium, and what to do: one clause, and a hint that is a command."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.checks.fat.reach import refused
from pipeline.checks.fat.volume import BOOT_PROGRAM
from pipeline.checks.kind import Node
from pipeline.checks.medium import nearby
from pipeline.checks.medium.iso import Iso
from pipeline.checks.medium.partition_rules import (
    APPENDED,
    REWRITE,
    partitions_are_apart,
    partitions_are_usable,
)
from pipeline.checks.medium.partitions import Partitions
from pipeline.checks.medium.places import Place, gpt_partitions, is_fat, mbr_partitions, own_tables
from pipeline.checks.medium.programs import BOOT_FOLDER, NAMES, Program, image_of
from pipeline.checks.quoting import shown
from pipeline.errors import FormatError
from pipeline.formats import eltorito, gpt

SECTOR = 512
CODE = "BOOT001"
EMULATIONS = {1: "a 1.2 MB floppy", 2: "a 1.44 MB floppy", 3: "a 2.88 MB floppy", 4: "a hard disk"}
BY_ENTRY = "-e --interval:appended_partition_2:all:: -no-emul-boot"
ENTER = "give xorriso `-e efi.img -no-emul-boot`, efi.img being a FAT image that holds " + BOOT_PROGRAM


@dataclass(frozen=True, slots=True)
class Miss:
    """Why firmware starts nothing: a clause, what to do, what is lacking, and the code of what is wrong."""

    because: str
    hint: str
    lacks: str = ""
    code: str = CODE


def of_places(node: Node, places: Sequence[Place]) -> Miss:
    """Return why nothing is started from places that firmware looks into; the nearest miss counts."""
    for place in places:
        for program in place.programs:
            return _of_program(node, place, program)
    for place in places:
        if place.node and is_fat(place.node) and not place.size:
            return Miss(
                f"{place.name} has the load size 0 or 1, which means up to the end of the ISO's volume, "
                f"and lies behind that",
                "give xorriso `-boot-load-size full`",
                code="ISO018",
            )
    for place in places:
        if place.is_fat and place.node:
            return _of_fat(node, place, place.node)
    system = next((place for place in places if place.is_system), None)
    if system is None:
        found = ", ".join(place.name for place in places)
        typed = f"`sgdisk --typecode=1:ef00 {shown(node.name)}`, if partition 1 is the one with the program"
        return _in_tree(
            node,
            Miss(
                f"no EFI system partition, nor a FAT file system with {BOOT_PROGRAM}, is among {found}",
                _of_family(node, APPENDED, typed),
                "an EFI system partition",
            ),
        )
    damaged = system.node is not None and is_fat(system.node)
    return _in_tree(
        node,
        Miss(
            f"{system.name} points at {system.what}; firmware wants a FAT file system with {BOOT_PROGRAM}",
            ENTER if "entry" in system.name else "make a FAT file system in it, with `mkfs.vfat`",
            f"a FAT file system with {BOOT_PROGRAM}",
            "FAT000" if damaged else "ISO008" if "entry" in system.name else "DISK011",
        ),
    )


def _of_program(node: Node, place: Place, program: Program) -> Miss:
    if program.fault:
        return Miss(
            f"{place.name} has {shown(program.path)}, but that {program.fault}",
            _put(node, place, program),
            code=program.code or CODE,
        )
    fat = place.fat
    if refused(fat)[0]:
        return _of_refused(place)
    sectors = fat.volume.size // SECTOR
    longer = f"`echo ,{sectors} | sfdisk -N {place.name.rpartition(' ')[2]} {shown(node.name)}`"
    entry = "entry" in place.name
    return Miss(
        f"{place.name} covers {place.size // SECTOR:,} of the {sectors:,} sectors of its FAT file system, "
        f"and {shown(program.path)} reaches up to sector {program.reach // SECTOR:,}",
        f"give xorriso `-boot-load-size {sectors}`" if entry else _of_family(node, APPENDED, longer),
        code="ISO018" if entry else _of_family(node, "ISO031", "DISK015"),
    )


def _of_family(node: Node, of_iso: str, of_disk: str) -> str:
    return of_iso if isinstance(node.artifact, Iso) else of_disk


def _put(node: Node, place: Place, program: Program) -> str:
    """Return what to do about a program that is there and does not start."""
    pe = image_of(program.node)
    name = program.path.rpartition("/")[2]
    if pe and pe.machine in NAMES and NAMES[pe.machine] != name.upper():
        return (
            f"put a program for {program.architecture} there; "
            f"this one belongs in {BOOT_FOLDER}{NAMES[pe.machine]}"
        )
    return f"`mcopy -o -i {mtools_name(node, place)} {name} ::{shown(program.path)}`, with an EFI application"


def mtools_name(node: Node, place: Place) -> str:
    """Return what mtools call the volume in a place."""
    return shown(node.name) + (f"@@{place.offset}" if place.offset else "")


def _of_refused(place: Place) -> Miss:
    why, code = refused(place.fat)
    kind = place.fat.volume.type_by_count[3:]
    return Miss(f"{place.name} {why}", f"make it again with `mkfs.vfat -F {kind}`", code=code or CODE)


def _of_fat(node: Node, place: Place, fat: Node) -> Miss:
    if refused(place.fat)[0]:
        return _of_refused(place)
    near, move = nearby.in_fat(fat, mtools_name(node, place))
    lacking = f"{place.name} is a FAT file system without {BOOT_PROGRAM}"
    if place.node is node:
        lacking = f"the FAT file system has no {BOOT_PROGRAM}"
    copy = f"`mcopy -i {mtools_name(node, place)} BOOTX64.EFI ::{BOOT_PROGRAM}`"
    return Miss(lacking + near, move or copy, BOOT_PROGRAM)


def _in_tree(node: Node, miss: Miss) -> Miss:
    """Point at a program in the ISO's own file system, where firmware does not look, or at its image."""
    if not isinstance(node.artifact, Iso):
        return miss
    images = nearby.images(node)
    if images:
        path = shown(images[0])
        more = f"{path} has a program, and no entry points at it"
        hint = f"give xorriso `-append_partition 2 0xef {path} -appended_part_as_gpt {BY_ENTRY}`"
        return Miss(f"{miss.because}; {more}", hint, miss.lacks, miss.code)
    path, where = ("", "") if any(map(is_fat, node.children)) else nearby.in_tree(node)
    if not path:
        return miss
    hint = f"copy its files to a FAT stick, or {miss.hint}"
    return Miss(f"{miss.because}; {shown(path)} {where}", hint, miss.lacks, miss.code)


def of_cd(node: Node) -> Miss:
    """Return why there is nothing on a CD that firmware looks into."""
    return _in_tree(node, of_catalog(node.artifact))


def of_catalog(iso: Iso) -> Miss:
    """Return why El Torito leads UEFI nowhere."""
    lacks = "an El Torito entry for UEFI"
    if isinstance(iso.catalog, FormatError):
        if iso.has_boot_record:
            return Miss(iso.catalog.message, iso.catalog.hint, "an El Torito boot catalog", "ISO005")
        return Miss("it has no El Torito boot catalog", ENTER, "an El Torito boot catalog")
    mine = [entry for entry in iso.entries if entry.platform == eltorito.PLATFORM_EFI]
    if not mine:
        found = ", ".join(eltorito.platform_name(entry.platform) for entry in iso.entries) or "nobody"
        return Miss(
            f"El Torito's boot catalog has no entry for UEFI (it has one for {found})",
            "give xorriso -e where it has -b, or genisoimage `-eltorito-platform efi`",
            lacks,
        )
    if not any(entry.bootable for entry in mine):
        return Miss("El Torito's entry for UEFI is marked as not bootable", ENTER, code="ISO017")
    what = EMULATIONS.get(mine[0].media, f"media type {mine[0].media}")
    return Miss(
        f"El Torito's entry for UEFI emulates {what}, which UEFI does not",
        "give xorriso -no-emul-boot after -e",
        code="ISO017",
    )


def of_disk(node: Node) -> Miss:
    """Return why there is nothing on a disk that firmware looks into."""
    return _in_tree(node, _of_tables(node, own_tables(node)))


def _of_tables(node: Node, disk: Partitions) -> Miss:
    lacks = "an EFI system partition"
    if disk.has_gpt and isinstance(disk.table, gpt.Table):
        if not disk.is_protected:
            return Miss(
                "nobody looks at its GPT, for the MBR has no protective partition (type 0xee)",
                f"`sgdisk {shown(node.name)}` writes one",
                lacks,
                _of_family(node, "ISO028", "DISK002"),
            )
        if disk.table.partitions and not gpt_partitions(disk):
            if any(partitions_are_apart(disk)):
                why, code = "overlap", _of_family(node, "ISO023", "DISK009")
            elif any(partitions_are_usable(disk)):
                why, code = "lie outside of usable blocks", _of_family(node, "ISO022", "DISK008")
            else:
                return Miss(
                    "its GPT's partitions are marked as none that firmware shows (attribute 1)",
                    f"`sgdisk --attributes=1:clear:1 {shown(node.name)}`",
                    lacks,
                )
            return Miss(f"firmware leaves out its GPT's partitions: they {why}", REWRITE, lacks, code)
    if disk.is_protected and isinstance(disk.table, FormatError):
        return Miss(
            f"neither GPT can be read; {disk.lost}", disk.rescue, code=_of_family(node, "ISO010", "DISK003")
        )
    if mbr_partitions(disk, by_rules=True):
        return Miss(
            "the MBR's partitions overlap, or reach beyond the end: EDK II takes none of them",
            "write the MBR again, for example with `sfdisk`",
            lacks,
            _of_family(node, CODE, "DISK010"),
        )
    return Miss(
        "it has neither a GPT nor an MBR with partitions",
        _of_family(node, APPENDED, f"`sgdisk --new=1:0:0 --typecode=1:ef00 {shown(node.name)}`"),
        lacks,
    )
