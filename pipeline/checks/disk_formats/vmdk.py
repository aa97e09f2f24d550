"""What must hold of a VMDK image."""

import re
import struct
from collections.abc import Iterator

from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Kind, Member
from pipeline.formats.virtual_disk import SECTOR
from pipeline.formats.vmdk import (
    AGAIN,
    AT_END,
    END,
    FOOTER,
    GRAIN,
    MARKER,
    MARKERS,
    Vmdk,
    grains,
    open_disk,
    read_vmdk,
    why_elsewhere,
)

SPEC = "VMware, Virtual Disk Format 5.0"
rule = Rules[Vmdk]()


@rule(
    "VMDK001", "the disk is all in the file", spec=f"{SPEC}, The Descriptor File", fix="put it into one file"
)
def is_all_here(found: Vmdk) -> None:
    """What lies in another file is not looked at: nothing is known of whether it boots."""
    if fault := why_elsewhere(found):
        raise fault


@rule("VMDK002", "its descriptor has a content ID", spec=f"{SPEC}, The Header", fix=AGAIN)
def has_content_id(found: Vmdk) -> Iterator[Fault]:
    """A disk that goes on from this one is told by it whether this one was changed meanwhile."""
    cid = found.fields.get("cid", "")
    if found.fields and (not re.fullmatch("[0-9a-fA-F]{1,8}", cid) or int(cid, 16) >= 0xFFFF_FFFE):
        yield f"the descriptor's CID is {cid!r}, no number of 8 hex digits that stands for content"


@rule(
    "VMDK003",
    "descriptor and header agree",
    spec=f"{SPEC}, The Sparse Extent",
    fix=AGAIN,
)
def sizes_agree(found: Vmdk) -> Iterator[Fault]:
    """Which of the two sizes counts differs between readers."""
    total = sum(one.sectors for one in found.extents)
    header = found.header
    if header and len(found.extents) == 1 and total != header.capacity:
        yield f"the descriptor says that the extent has {total} sectors, its header {header.capacity}"
    if header and found.footer and header.capacity != found.footer.capacity:
        yield f"the header says that it has {header.capacity} sectors, the footer {found.footer.capacity}"


@rule("VMDK004", "its line feeds are whole", spec=f"{SPEC}, The Sparse Extent (singleEndLineChar)", fix=AGAIN)
def line_feeds_are_whole(found: Vmdk) -> Iterator[Fault]:
    """They tell that it was copied as text, by FTP for example: then there is damage all over it."""
    if found.header and found.header.newlines != b"\n \r\n":
        yield f"the header has {found.header.newlines.hex()}, not 0a200d0a: it was copied as text"


@rule("VMDK005", "footer and end have their markers", spec=f"{SPEC}, Stream-Optimized Compressed", fix=AGAIN)
def has_markers(found: Vmdk) -> Iterator[Fault]:
    """What reads it as a stream goes from marker to marker, and takes it as cut off without the last."""
    if found.footer is None:
        return
    for what, back, kind in (("footer", 3, FOOTER), ("end", 1, END)):
        start = len(found.image) - back * SECTOR
        number, size, known = struct.unpack(MARKER, bytes(found.image[start : start + SECTOR]))
        if (size, known) != (0, kind) or number != (1 if kind == FOOTER else 0):
            yield f"the marker of the {what} is missing at offset {start:#x}"
    if found.footer.directory_offset == AT_END:
        yield "the footer does not say where the grain directory is"


@rule(
    "VMDK006",
    "all its grains are in the file",
    spec=f"{SPEC}, Grain Tables, Markers",
    fix="copy the image again",
)
def grains_are_there(found: Vmdk) -> Iterator[Fault]:
    """A copy that was cut off has tables that lead behind its end; a marker says of which grain it is."""
    header, size = found.counting, len(found.image)
    if header is None:
        return
    for number, sector in grains(found):
        start = sector * SECTOR
        whole = header.grain_size * SECTOR
        if header.is_packed:
            marker = bytes(found.image[start : start + 12]).ljust(12, b"\0")
            lba, packed = struct.unpack(GRAIN, marker)
            whole = 12 + packed
            if header.flags & MARKERS and start + 12 <= size and lba != number * header.grain_size:
                yield f"the marker at {start:#x} says sector {lba}, the table {number * header.grain_size}"
        if start + whole > size:
            yield f"grain {number}, at offset {start:#x}, does not lie inside the {size} bytes of the file"


def _members(found: Vmdk) -> list[Member]:
    return [Member("disk", open_disk(found))]


VMDK = Kind("vmdk", "VMDK disk image", "VMDK000", read_vmdk, tuple(rule.table), _members)
