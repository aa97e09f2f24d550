"""What must hold of a VHD image, on Azure, too."""

from collections.abc import Iterator

from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Kind, Member
from pipeline.formats.fields import chunks
from pipeline.formats.vhd import (
    COOKIE,
    DYNAMIC,
    FIXED,
    NOWHERE,
    RESERVED,
    UNUSED,
    VERSION,
    Vhd,
    open_disk,
    read_vhd,
    why_elsewhere,
)
from pipeline.formats.virtual_disk import SECTOR

SPEC = "Microsoft, Virtual Hard Disk Image Format Specification 1.0"
AZURE = "Microsoft, Azure, Prepare a Windows or Linux VHD to upload to Azure"
MIB = 1 << 20
FOR_AZURE = "make it again: `qemu-img convert -O vpc -o subformat=fixed,force_size=on OLD NEW`"
ALIGN = "make the raw disk a whole number of MiB with `qemu-img resize -f raw`, and convert it again"
rule = Rules[Vhd]()


@rule(
    "VHD001",
    "the disk is all in the file",
    spec=f"{SPEC}, Hard Disk Footer Format",
    fix="merge it with its parent",
)
def is_all_here(found: Vhd) -> None:
    """What lies in another file is not looked at: nothing is known of whether it boots."""
    if fault := why_elsewhere(found):
        raise fault


@rule("VHD002", "its checksums are right", spec=f"{SPEC}, Appendix: Calculating Checksums", fix=FOR_AZURE)
def checksums_are_right(found: Vhd) -> Iterator[Fault]:
    """Hyper-V and Azure refuse one whose checksum is wrong."""
    for what, each in (("footer", found.footer), ("header of a dynamic disk", found.table)):
        if each and each.checksum != each.right_checksum:
            yield f"the {what} has checksum {each.checksum:#010x}, its bytes give {each.right_checksum:#010x}"


@rule(
    "VHD003",
    "its footer is at the end, and says what is there",
    spec=f"{SPEC}, Hard Disk Footer Format",
    fix=FOR_AZURE,
)
def footer_is_right(found: Vhd) -> Iterator[Fault]:
    """A reader finds the disk by its size, and the tables of a dynamic one by their offset."""
    footer, size = found.footer, len(found.image)
    at_end = bytes(found.image[max(size - SECTOR, 0) :])
    if not at_end.startswith(COOKIE):
        yield "the footer at the end is lost; there is only the copy in front"
    elif found.copy and at_end != found.copy:
        yield "the copy of the footer in front says something else than the footer"
    if footer.version != VERSION or not footer.features & RESERVED:
        yield (
            f"the footer is of version {footer.version:#x} with features {footer.features:#x}; "
            f"it has to be {VERSION:#x}, and {RESERVED:#x} is always set"
        )
    if footer.kind == FIXED and footer.data_offset != NOWHERE:
        yield f"the footer of a fixed disk has data offset {footer.data_offset:#x}, not {NOWHERE:#x}"
    if footer.kind == FIXED and footer.current_size != size - SECTOR:
        yield (
            f"the footer says that the disk has {footer.current_size} bytes, "
            f"and there are {size - SECTOR} in front of it"
        )


@rule(
    "VHD004",
    "all its blocks are in the file",
    spec=f"{SPEC}, Block Allocation Table",
    fix="copy the image again",
)
def blocks_are_there(found: Vhd) -> Iterator[Fault]:
    """A copy that was cut off has a table that leads behind its end."""
    if lost := _lost(found):
        size = len(found.image)
        yield f"{len(lost)} blocks lie behind the {size} bytes of the file, the first is block {lost[0]}"


def _lost(found: Vhd) -> list[int]:
    """Return the numbers of the blocks that are not all in the file."""
    table, size = found.table, len(found.image)
    if table is None:
        return []
    lost: list[int] = []
    number = 0
    for part in chunks(found.image[table.offset : table.offset + 4 * table.entries]):
        for at in range(0, len(part), 4):
            sector = int.from_bytes(part[at : at + 4], "big")
            if sector != UNUSED and sector * SECTOR + table.bitmap + table.block_size > size:
                lost.append(number)
            number += 1
    return lost


@rule("VHD005", "it is fixed, as Azure asks", lenient=True, spec=AZURE, fix=FOR_AZURE)
def is_fixed(found: Vhd) -> Iterator[Fault]:
    """Azure takes no dynamic VHD, and no VHDX; of one that is not whole there is more to say."""
    if found.footer.kind == DYNAMIC and not _lost(found):
        yield f"it is a {found.kind} VHD, and Azure takes only fixed ones"


@rule("VHD006", "the disk is a whole number of MiB, as Azure asks", lenient=True, spec=AZURE, fix=ALIGN)
def is_aligned(found: Vhd) -> Iterator[Fault]:
    """Azure refuses an image whose virtual size is none."""
    if found.footer.current_size % MIB or not found.footer.current_size:
        yield f"the disk has {found.footer.current_size} bytes, no whole number of MiB"


@rule("VHD007", "its sizes agree, as Azure asks", lenient=True, spec=AZURE, fix=FOR_AZURE)
def sizes_agree(found: Vhd) -> Iterator[Fault]:
    """Some go by the size in bytes and some by cylinders, heads and sectors, depending on who made it."""
    footer = found.footer
    if footer.original_size != footer.current_size:
        yield (
            f"the original size is {footer.original_size} bytes, the current size {footer.current_size}",
            "convert it again; resizing leaves the original size behind",
        )
    if not footer.counts_bytes and footer.chs_size < footer.current_size:
        yield (
            f"its maker {shown_creator(found)} counts cylinders: these give {footer.chs_size} bytes, "
            f"fewer than the {footer.current_size} of the size",
            FOR_AZURE,
        )


def shown_creator(found: Vhd) -> str:
    """Return who made it, four letters, in quotes."""
    return repr(found.footer.creator.decode("ascii", errors="replace").rstrip("\0 "))


def _members(found: Vhd) -> list[Member]:
    return [Member("disk", open_disk(found), 0 if found.table is None else None)]


VHD = Kind("vhd", "VHD disk image", "VHD000", read_vhd, tuple(rule.table), _members)
