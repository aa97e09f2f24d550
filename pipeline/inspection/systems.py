"""The file systems of a medium, as a boot loader finds them: by disk and partition, label and UUID."""

from collections.abc import Iterator

from pipeline.checks.fat.volume import EfiImage
from pipeline.checks.kind import Node
from pipeline.checks.medium.iso import Iso
from pipeline.errors import FormatError
from pipeline.formats import boot_views
from pipeline.formats.fields import Image
from pipeline.formats.filesystem import FileSystem
from pipeline.formats.grub_machine import System
from pipeline.formats.iso9660 import Iso9660

CD = "cd"
DISK = "hd0"
HEAD = 1 << 17  # bytes; most file systems have a superblock there
BOOT_CODE = "21686148-6449-6e6f-744e-656564454649"  # the type of a BIOS boot partition
DESCRIPTOR = 16 * 2048  # bytes, to ISO 9660's primary one
MODULES = {"ext2": "ext2", "ext3": "ext2", "ext4": "ext2", "erofs": "erofs", "squashfs": "squash4"}
TABLES = {"GPT": "part_gpt", "MBR": "part_msdos"}


def systems(node: Node, drive: str) -> tuple[dict[str, System], tuple[str, ...]]:
    """Return what GRUB finds on a medium that is its `drive`: by device, as `hd0` and `hd0,2`.

    The others are devices with something that is not read here.
    """
    found: dict[str, System] = {}
    others: list[str] = []
    for name, table, each in places(node):
        try:
            system = system_of(each, TABLES.get(table))
        except FormatError:
            system = None
        if system:
            found.setdefault(f"{drive}{name}", system)
        elif table and each.member.facts.get("type") != BOOT_CODE and any(bytes(each.member.image[:HEAD])):
            others.append(f"{drive}{name}")
    return found, tuple(others)


def places(node: Node) -> Iterator[tuple[str, str, Node]]:
    """Yield the medium itself, then its partitions: `,2` and so on, their table, and what is there."""
    yield "", "", node
    for child in node.children:
        if "partition" in child.member.facts and "table" in child.member.facts:
            yield f",{child.member.facts['partition']}", str(child.member.facts["table"]), child


def system_of(node: Node, table: str | None = None) -> System | None:
    """Return what is in a file system, None for what is none. Raises FormatError where it is damaged."""
    also = (table,) if table else ()
    match node.artifact:
        case FileSystem(superblock=block) as system:
            files = boot_views.of_file_system(system)
            return System(block.label, block.uuid or "", files, (MODULES[block.variant], *also))
        case EfiImage(volume=volume, table=clusters, entries=entries):
            serial = f"{volume.serial >> 16:04X}-{volume.serial & 0xFFFF:04X}"
            files = boot_views.of_fat_entries(volume, clusters, entries)
            return System(volume.label, serial, files, ("fat", *also))
        case Iso(files=Iso9660() as iso) as medium:
            files = boot_views.of_iso(medium.image, iso)
            return System(iso.label, _uuid(medium.image), files, ("iso9660", *also))
    return None


def _uuid(image: Image) -> str:
    """Return what GRUB has for the UUID of an ISO: when it was changed, else when it was made."""
    times = (bytes(image[DESCRIPTOR + at : DESCRIPTOR + at + 16]) for at in (830, 813))
    digits = next((each.decode() for each in times if each.isdigit() and each.strip(b"0")), "")
    return "-".join([digits[:4], *(digits[at : at + 2] for at in range(4, 16, 2))]) if digits else ""
