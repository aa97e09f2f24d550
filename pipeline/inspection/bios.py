"""What a BIOS runs of a medium, and what that comes to: boot loaders that are known are followed.

Specification: El Torito 1.0, §2 and §3; the BIOS Boot Specification 1.01; UEFI 2.10, §5.3.3 (the attribute
of a partition that a BIOS starts)
"""

from pipeline.checks.kind import Node
from pipeline.checks.medium.iso import FLOPPY, Iso
from pipeline.checks.medium.misses import EMULATIONS, of_catalog
from pipeline.checks.medium.partitions import Partitions
from pipeline.errors import FormatError
from pipeline.formats import bios_notice, grub_image, syslinux
from pipeline.formats.bzimage import is_bzimage
from pipeline.formats.eltorito import BootEntry
from pipeline.formats.fields import Image
from pipeline.inspection import bios_grub, bios_syslinux
from pipeline.inspection.answer import Said
from pipeline.inspection.systems import places

BIOS = 0  # El Torito's platform
BLOCK, SECTOR = 512, 2048  # bytes of a disk's block and of a CD's
BOOT_CODE = 440  # bytes of an MBR that a BIOS runs
PARTITIONS = 446  # where its four entries begin, each with the byte that marks the active one
ACTIVE = 0x80
LEGACY_BOOT = 1 << 2  # the attribute in a GPT
DRIVER_DESCRIPTOR = b"ER"  # begins Apple's map of a disk; a PC runs it, to the code behind it if there is any
DRIVERS = 32  # bytes of that descriptor
STARTS_ACTIVE = b"Missing operating system"
STARTS_LEGACY = b"Missing OS"
MEMTEST = b"Loading Memtest86+"
OTHERS = ((b"BOOTMGR", "Windows"), (b"NTLDR", "Windows"), (b"LILO", "LILO"), (b"iPXE", "iPXE"))
"""Boot code that is known by name, and not followed."""

REFUSES = (b"This is not a bootable disk", b"Non-System disk", b"not a bootable partition", bios_notice.MARK)
ONLY_SAYS = "only says why it does not start"
AGAIN = "install the boot loader again"


def from_disk(node: Node) -> Said:
    """A BIOS runs the code in the first block; that decides what comes next."""
    image = node.member.image
    block = bytes(image[:BLOCK])
    if block[510:] != b"\x55\xaa" or is_empty(image):
        return Said("no", because="its first block has no boot code")
    if refuses(image):
        return Said("no", because=f"the code in its first block {ONLY_SAYS}")
    isolinux = syslinux.hybrid_block(block)
    if isolinux is not None:
        code = image[isolinux * BLOCK :]
        if not syslinux.is_isolinux(code):
            because = f"isohybrid's boot code loads block {isolinux}, where isolinux.bin does not begin"
            return Said("no", because=because, hint="run isohybrid again, or xorriso with -isohybrid-mbr")
        return bios_syslinux.from_cd(
            node, isolinux * BLOCK // SECTOR, "isohybrid's boot code loads isolinux.bin"
        )
    if STARTS_ACTIVE in block or STARTS_LEGACY in block:
        return _from_partition(node, by_table=STARTS_ACTIVE not in block)
    return _boot_sector(node, node, "its first block")


def _from_partition(node: Node, *, by_table: bool) -> Said:
    """Follow a master boot record that starts the partition that is marked for it."""
    tables = node.artifact.partitions if isinstance(node.artifact, Iso) else node.artifact
    if not isinstance(tables, Partitions):
        return Said("no", because="its master boot record starts a partition, and it has no partition table")
    marked = [
        (name, child)
        for name, table, child in places(node)
        if table and _is_marked(tables, child, by_table=by_table)
    ]
    code = "its master boot record"
    what = "the GPT marks for a BIOS" if by_table else "is active"
    if not marked:
        hint = "sgdisk -A NUMBER:set:2" if by_table else "mark it as active"
        because = f"{code} starts the partition that {what}, and there is none"
        return Said("no", because=because, hint=f"{hint}, where the boot loader is")
    if len(marked) > 1:
        return Said("no", because=f"{code} starts the partition that {what}, and there are {len(marked)}")
    name, child = marked[0]
    block = bytes(child.member.image[:BLOCK])
    way = f"{code} starts partition {name[1:]}, whose first block"
    if block[510:] != b"\x55\xaa" or is_empty(child.member.image):
        return Said("no", because=f"{way} has no boot code", hint=AGAIN)
    if refuses(child.member.image):
        return Said("no", because=f"{way} {ONLY_SAYS}", hint=AGAIN)
    return _boot_sector(node, child, way)


def _is_marked(tables: Partitions, child: Node, *, by_table: bool) -> bool:
    """Tell whether a partition is the one that a master boot record starts."""
    first = (child.member.offset or 0) // BLOCK
    if by_table:
        return any(one.first_lba == first and one.attributes & LEGACY_BOOT for one in tables.used)
    return any(one.first_lba == first and one.bootable for one in tables.records)


def _boot_sector(node: Node, at: Node, way: str) -> Said:
    """Follow the boot code in the first block of `at`: the medium `node` itself, or a partition of it."""
    block = bytes(at.member.image[:BLOCK])
    core = grub_image.core_block(block)
    if core is not None:
        return bios_grub.from_disk(node, core)
    if syslinux.is_boot_sector(block):
        return bios_syslinux.from_partition(at, way)
    if MEMTEST in block:
        return Said("yes", because=f"{way} has the boot code of Memtest86+")
    return _unknown(block, way)


def _unknown(block: bytes, way: str) -> Said:
    known = next((name for mark, name in OTHERS if mark in block), "")
    what = f"the boot code of {known}, which is not followed" if known else "unknown boot code"
    return Said("unknown", because=f"{way} has {what}")


def from_cd(node: Node) -> Said:
    """A BIOS takes the initial entry, where that is for x86: few know sections (El Torito §2, SeaBIOS)."""
    iso: Iso = node.artifact
    if isinstance(iso.catalog, FormatError):
        missed = of_catalog(iso)
        return Said("no", because=missed.because, finding=missed.code)
    mine = [one for one in iso.entries if one.platform == BIOS and one.bootable]
    if not mine:
        return Said("no", because="El Torito's boot catalog has no bootable entry for BIOS")
    entry = mine[0]
    if entry.record != 1:
        return Said(
            "no",
            because="El Torito's entry for BIOS is not the initial one, and a BIOS looks at no other",
            hint="give xorriso the options of -b before those of -e",
        )
    if not entry.sector_count:
        return Said(
            "no",
            because="El Torito's entry for BIOS has load size 0: a BIOS loads nothing of it",
            hint="give xorriso `-boot-load-size 4`",
        )
    image = iso.image[entry.offset :]
    if not len(image):
        return Said("no", because="El Torito's entry for BIOS points outside the file", finding="ISO007")
    if refuses(image):
        return Said("no", because=f"El Torito's entry for BIOS {ONLY_SAYS}")
    if is_empty(image):
        return Said("no", because="El Torito's entry for BIOS points at what has no code")
    return _entry(node, iso, entry, image)


def _entry(node: Node, iso: Iso, entry: BootEntry, code: Image) -> Said:
    """Follow what El Torito's entry points at."""
    way = "El Torito's entry for BIOS"
    if entry.media in EMULATIONS:
        way += f", emulating {EMULATIONS[entry.media]},"
    if entry.media in FLOPPY or entry.media in EMULATIONS:
        number = iso.entries.index(entry) + 1
        inside = next((one for one in node.children if one.member.facts.get("el_torito") == number), None)
        if MEMTEST in bytes(code[:BLOCK]) and is_bzimage(code):
            return Said("yes", because=f"{way} is Memtest86+, with its own boot sector")
        if inside is not None and syslinux.is_boot_sector(bytes(code[:BLOCK])):
            return bios_syslinux.from_partition(inside, way)
        return _unknown(bytes(code[:BLOCK]), way)
    if grub_image.is_from_cd(code):
        return bios_grub.from_cd(node, code)
    if syslinux.is_isolinux(code):
        return bios_syslinux.from_cd(node, entry.offset // SECTOR, f"{way} is isolinux.bin")
    return _unknown(bytes(code[:BLOCK]), way)


def is_empty(image: Image) -> bool:
    """Tell whether there is no code in the first block, behind a jump or a Mac's descriptor."""
    block = bytes(image[:BLOCK])
    start = 2 + block[1] if block[:1] == b"\xeb" else 3 if block[:1] == b"\xe9" else 0
    if block.startswith(DRIVER_DESCRIPTOR):
        start = DRIVERS
    return not any(block[start:BOOT_CODE])


def refuses(image: Image) -> bool:
    """Tell whether what a BIOS would run at the start of `image` only says why it ends there."""
    block = bytes(image[:BLOCK])
    return any(text in block for text in REFUSES)
