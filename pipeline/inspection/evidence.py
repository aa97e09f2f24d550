"""The chain of evidence for one answer: what firmware reads of a medium, step by step, and where.

Offsets are bytes from the file's start.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.fat.reach import refused
from pipeline.checks.inside import inside
from pipeline.checks.kind import Node
from pipeline.checks.medium.iso import Iso
from pipeline.checks.medium.places import (
    CD_BLOCK,
    Place,
    edk2_size,
    has_gpt,
    is_fat,
    on_cd,
    on_disk,
    own_block,
    tables,
)
from pipeline.checks.medium.starting import startable
from pipeline.checks.quoting import shown
from pipeline.errors import FormatError
from pipeline.formats import eltorito, gpt
from pipeline.formats.udf import ANCHOR, BLOCK

WAYS = {"cd": "uefi_cd", "usb": "uefi_disk"}
"""The ways that can be asked about, and the questions that they answer."""

MEDIA = frozenset({"iso", "disk", "fat"})
MAX_NAMES = 8


@dataclass(frozen=True, slots=True)
class Step:
    """Something that firmware reads: at which byte, and what it makes of it."""

    offset: int
    text: str


def steps(node: Node, way: str) -> Iterator[Step]:
    """Yield what firmware reads to start a medium by one of `WAYS`, as EDK II does it; nothing of another."""
    within = inside(node)
    if within is not None:
        yield from steps(node.children[within], way)
        return
    if not node.kind or node.kind.name not in MEDIA or node.artifact is None:
        return
    if way == "cd" and not isinstance(node.artifact, Iso):
        yield Step(0, "it is no ISO, so no CD is made of it")
        return
    block = CD_BLOCK if way == "cd" else own_block(node)
    if way == "usb" and not is_fat(node):
        yield from _tables(node, block)
    if way == "cd" or (not is_fat(node) and not has_gpt(tables(node, block))):
        yield from _catalog(node, block)
    places = on_cd(node, by_rules=False) if way == "cd" else on_disk(node, block, by_rules=False)
    for place in places:
        yield from _place(place)


def _tables(node: Node, block: int) -> Iterator[Step]:
    disk = tables(node, block)
    mbr = () if isinstance(disk.mbr, FormatError) else disk.mbr
    records = ", ".join(f"type {one.kind:#04x} from LBA {one.first_lba}, {one.size} blocks" for one in mbr)
    if isinstance(disk.mbr, FormatError):
        yield Step(510, disk.mbr.message)
    else:
        yield Step(446, f"MBR: {records or 'no partitions'}")
    if not any(one.kind == gpt.PROTECTIVE for one in mbr) and not disk.has_gpt:
        return
    for name, lba, table in (("primary", 1, disk.primary), ("backup", disk.last_lba, disk.backup)):
        if isinstance(table, FormatError):
            yield Step(lba * block, f"{name} GPT: {table.message}")
            continue
        announced = "" if has_gpt(disk) else ", which the MBR does not announce: it is ignored"
        yield Step(table.lba * block, f"{name} GPT, good, partitions: {len(table.partitions)}{announced}")
        return


def _catalog(node: Node, block: int) -> Iterator[Step]:
    iso = node.artifact
    record = eltorito.BOOT_RECORD_SECTOR * eltorito.SECTOR_SIZE
    if not isinstance(iso, Iso) or CD_BLOCK % block:
        return
    if isinstance(iso.catalog, FormatError):
        yield Step(record, iso.catalog.message)
        return
    yield Step(record, f"El Torito's boot record; entries in its catalog: {len(iso.entries)}")
    for number, entry in enumerate(iso.entries, start=1):
        bootable = "bootable" if entry.bootable else "not bootable"
        yield Step(
            entry.offset,
            f"entry {number}: for {eltorito.platform_name(entry.platform)}, {bootable}, "
            f"load size {entry.sector_count}, {edk2_size(iso, entry, block):,} bytes on EDK II",
        )


def _place(place: Place) -> Iterator[Step]:
    """Yield what firmware reads in a place: its FAT file system, and the programs in that."""
    if place.is_udf:
        yield Step(ANCHOR * BLOCK, f"{place.name}, which EDK II reads, too")
        yield from _programs(place, "")
        return
    if not place.is_fat:
        yield Step(place.offset, f"{place.name}, {place.size:,} bytes: {place.what}, no FAT that can be read")
        return
    volume = place.fat.volume
    why = refused(place.fat)[0]
    yield Step(
        place.offset,
        f"{place.name}, {place.size:,} bytes: {volume.variant}, {volume.size:,} bytes, "
        f"{volume.cluster_count:,} clusters" + (f"; it {why}" if why else ""),
    )
    yield Step(place.offset + volume.root_offset, f"root directory: {_names(place)}")
    yield from _programs(place, why)


def _programs(place: Place, why: str) -> Iterator[Step]:
    """Yield the programs that firmware looks for; `why` is why it reads no such volume, "" where it does."""
    started = startable(place)
    for program in place.programs:
        what = f"{shown(program.path)}: for {program.architecture}"
        if program in started:
            read = f", read up to byte {program.reach:,} of the volume" if program.reach else ""
            what += f"{read}: started"
        else:
            out = f"it reaches up to byte {program.reach:,} of the volume, which is outside"
            what += f", not started: {program.fault or why or out}"
        yield Step(place.offset + (program.node.member.offset or 0), what)
    if not place.programs:
        yield Step(place.offset, "no program with a name that firmware looks for in EFI/BOOT")


def _names(place: Place) -> str:
    names = [entry.path for entry in place.fat.entries if "/" not in entry.path and not entry.is_label]
    return ", ".join([*map(shown, names[:MAX_NAMES]), *(["…"] if names[MAX_NAMES:] else [])]) or "empty"
