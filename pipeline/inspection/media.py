"""Owns what firmware would find on a medium: boot images, partitions, and the EFI programs in them.

Must not know what a person asks, nor how it is shown. It looks at what was taken apart, at nothing else.

Specifications: UEFI 2.10, §3.5.1.1 "Removable Media Boot Behavior" and §13.3 "File System Format"
https://uefi.org/specs/UEFI/2.10/03_Boot_Manager.html; El Torito 1.0
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from pipeline.checks.iso import Iso
from pipeline.checks.kind import Node
from pipeline.checks.partitions import Partitions
from pipeline.errors import FormatError
from pipeline.formats import bios_notice, eltorito, gpt
from pipeline.formats.fields import Image
from pipeline.formats.magic import Format, describe, recognise
from pipeline.formats.pe import EFI_APPLICATION, Pe, machine_name, read_pe

ARCHITECTURES = {
    "BOOTX64.EFI": 0x8664,
    "BOOTIA32.EFI": 0x014C,
    "BOOTAA64.EFI": 0xAA64,
    "BOOTARM.EFI": 0x01C2,
    "BOOTRISCV64.EFI": 0x5064,
    "BOOTLOONGARCH64.EFI": 0x6264,
}
"""The machine that firmware is of when it looks for a program of this name (§3.5.1.1, table 3.2)."""

BOOT_FOLDER = "EFI/BOOT/"
MBR_EFI_SYSTEM = 0xEF
BOOT_CODE = 440  # bytes of an MBR that a BIOS runs
PARTITIONS = 446  # where its four entries begin, each with the byte that marks the active one
ACTIVE = 0x80
LOADERS = (
    (b"isolinux.bin missing", "isohybrid"),
    (b"GRUB", "GRUB"),
    (b"Missing operating system", "a master boot record that starts the active partition"),
    (b"Missing OS", "a master boot record that starts the active partition"),
    (b"BOOTMGR", "Windows"),
    (b"LILO", "LILO"),
    (b"iPXE", "iPXE"),
    (b"Memtest86+", "Memtest86+"),
)
REFUSES = (
    b"This is not a bootable disk",
    b"Non-System disk",
    b"not a bootable partition",
    bios_notice.MARK,
)


@dataclass(frozen=True, slots=True)
class Program:
    """A program where firmware looks for one; `fault` says why it would not start it, if so."""

    path: str
    node: Node
    architecture: str
    fault: str


@dataclass(frozen=True)
class Place:
    """Somewhere that firmware looks: a boot image of a CD, a partition, or all there is.

    `node` is what was taken apart there, `image` the bytes from there on, none where it lies outside the
    file. `is_system` tells whether firmware has to look.
    """

    name: str
    node: Node | None
    image: Image
    is_system: bool

    @property
    def is_fat(self) -> bool:
        """Whether it is a FAT file system that can be read."""
        return bool(self.node and _is_fat(self.node) and self.node.artifact)

    @cached_property
    def programs(self) -> tuple[Program, ...]:
        """The programs that firmware would start."""
        return tuple(_programs(self.node)) if self.node and self.is_fat else ()

    @property
    def what(self) -> str:
        """What lies there, as a noun phrase."""
        if not len(self.image):
            return "something beyond the end of the file"
        if recognise(self.image) is Format.FAT:
            return "a FAT file system that is cut off or damaged"
        return describe(self.image)


def _programs(fat: Node) -> Iterator[Program]:
    for child in fat.children:
        folder, _, name = child.name.upper().rpartition("/")
        machine = ARCHITECTURES.get(name)
        if f"{folder}/" == BOOT_FOLDER and machine:
            yield Program(child.name, child, machine_name(machine), _fault(child, machine))


def _fault(node: Node, machine: int) -> str:
    """Return why firmware of this machine would not start the program, or nothing."""
    pe = image_of(node)
    if pe is None:
        return f"is {describe(node.member.image)}, not an EFI program"
    if pe.machine != machine:
        return f"is for {machine_name(pe.machine)}, which is not what its name says"
    if pe.subsystem != EFI_APPLICATION:
        return f"is of subsystem {pe.subsystem}, not an EFI application"
    return ""


@dataclass(frozen=True, slots=True)
class CdEntry:
    """An entry of El Torito's boot catalog, with what it points at."""

    platform: int
    bootable: bool
    emulates: int
    place: Place


def cd_entries(node: Node) -> tuple[CdEntry, ...] | FormatError:
    """Return the entries of a CD's boot catalog; FormatError where there is none that can be read."""
    if not isinstance(node.artifact, Iso):
        return ()
    catalog = node.artifact.catalog
    if isinstance(catalog, FormatError):
        return catalog
    find = _finder(node)
    return tuple(
        CdEntry(
            entry.platform,
            entry.bootable,
            entry.media,
            find(f"El Torito's entry {number}", entry.offset, is_system=True),
        )
        for number, entry in enumerate(catalog, start=1)
    )


def partitions(node: Node) -> tuple[Place, ...]:
    """Return what firmware finds when the file is a disk or a stick."""
    if node.kind and node.kind.name == "fat":
        return (Place("the whole medium", node, node.member.image, is_system=False),)
    disk = node.artifact if isinstance(node.artifact, Partitions) else node.artifact.partitions
    unit, find = disk.sector_size, _finder(node)
    if disk.used:
        return tuple(
            find(
                f"GPT partition {one.number}",
                one.first_lba * unit,
                is_system=one.kind == gpt.EFI_SYSTEM_PARTITION,
            )
            for one in disk.used
        )
    return tuple(
        find(
            f"MBR partition {one.number}",
            one.first_lba * unit,
            is_system=one.kind == MBR_EFI_SYSTEM,
        )
        for one in (() if isinstance(disk.mbr, FormatError) else disk.mbr)
        if one.kind != gpt.PROTECTIVE
    )


class _Finder(Protocol):
    def __call__(self, name: str, offset: int, *, is_system: bool) -> Place:
        """Return what begins at a byte of a medium, called `name`."""


def _finder(medium: Node) -> _Finder:
    """Return what finds places on a medium; a FAT file system counts before anything else there.

    However many entries of a table point at the same bytes, they are one place with several names.
    """
    nodes: dict[int | None, Node] = {}
    for child in medium.children:
        first = nodes.setdefault(child.member.offset, child)
        if _is_fat(child) and not _is_fat(first):
            nodes[child.member.offset] = child
    places: dict[tuple[int, bool], Place] = {}

    def find(name: str, offset: int, *, is_system: bool) -> Place:
        image = medium.member.image[offset:]
        return places.setdefault(
            (offset, is_system), Place(name, nodes.get(offset), image, is_system=is_system)
        )

    return find


def _is_fat(node: Node) -> bool:
    return node.kind is not None and node.kind.name == "fat"


def image_of(node: Node) -> Pe | None:
    """Return the headers of an EFI program, whatever else it is; None when it is none."""
    try:
        return node.artifact if isinstance(node.artifact, Pe) else read_pe(node.member.image)
    except FormatError:
        return None


def boot_code(image: Image) -> str | None:
    """Return what a BIOS would run in the first block, "" where nobody knows, None where there is none."""
    block = bytes(image[:512])
    start = 2 + block[1] if block[:1] == b"\xeb" else 0  # a jump over what is no code
    if block[510:] != b"\x55\xaa" or not any(block[start:BOOT_CODE]):
        return None
    known = next((f"the boot code of {name}" for mark, name in LOADERS if mark in block), "")
    is_active = any(block[start] == ACTIVE for start in range(PARTITIONS, 510, 16))
    return known or ("boot code, and marks a partition as the one to start" if is_active else "")


def refuses(image: Image) -> bool:
    """Tell whether what a BIOS would run at the start of `image` only says why it ends there."""
    block = bytes(image[:512])
    return any(text in block for text in REFUSES)


def platform_name(platform: int) -> str:
    """Return what El Torito's number for a platform stands for."""
    names = {0: "BIOS", 1: "PowerPC", 2: "Mac", eltorito.PLATFORM_EFI: "UEFI"}
    return names.get(platform, f"platform {platform:#04x}")
