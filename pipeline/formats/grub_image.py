"""Reads what GRUB has for a BIOS: boot.img, the core image that it loads, and what is inside of that.

A BIOS runs boot.img, in the first block of a disk or of a partition. That loads one block, the first of the
core image, which has a list of where the others are. From a CD, cdboot.img begins the core image and goes by
El Torito's boot information table. Behind these, the core image is a loader of its own and packed: GRUB's
kernel, its modules, a first configuration and the prefix, under which all other files of GRUB are.

Specification: GRUB 2.12, grub-core/boot/i386/pc/{boot,diskboot,cdboot,startup_raw}.S, util/mkimage.c,
include/grub/offsets.h and include/grub/kernel.h
"""

import lzma
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.budget import ENDLESS, UNPACKED, Budget
from pipeline.formats.elf_section import read_section
from pipeline.formats.fields import Image, unpack

BLOCK = 512  # bytes
SECTOR = 2048  # bytes of a CD's block
BOOT_CODE = ((b"\x66\x8b\x1e\x5c\x7c", 0x5C), (b"\x66\x8b\x1e\xb0\x7d", 0x1B0))
"""How boot code reads in which block the core image begins, and where the number stands: in boot.img, and in
the boot_hybrid.img of an ISO."""

LIST_ENTRY = struct.Struct("<QHH")  # first block, how many, the segment where they are loaded
FIRST_SEGMENT = 0x820
MAX_CORE = 0x78000  # bytes: from there to where the BIOS's own memory begins, about
DISK_TEXTS = (b"loading\0", b"Geom\0", b"Read\0")
CD_TEXT = b"cdrom read fails\0"
BOOT_INFO = struct.Struct("<4I")  # the volume descriptor's sector, the file's, its bytes, its checksum

START = b"\xea\x1c\x82\0\0"  # jumps over the numbers that follow, where it is loaded
UNPACK_TO = b"\xbf\0\0\x10\0\xbe"  # …, from the address that follows
LOADED_AT = 0x8200
MAX_UNPACKED = 1 << 26  # bytes
LZMA = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}]
MODULES = b"mimg\x0c\0\0\0"  # and the first module's offset from there
HEADER = 12  # bytes from MODULES to the first module
ELF, MEMDISK, CONFIG, PREFIX = range(4)
MAX_MODULES = 4096
AGAIN = "run grub-install or grub-mkrescue again"


@dataclass(frozen=True, slots=True)
class Core:
    """What is in a core image: its first configuration, the prefix, and the names of its modules.

    `prefix` is as GRUB has it: `(hd0,gpt2)/boot/grub`, `(,gpt2)/boot/grub` on the disk that was started,
    `/boot/grub` on whatever was started. `memdisk` is a file system in memory, empty without one.
    """

    prefix: str
    config: bytes
    modules: tuple[str, ...]
    memdisk: bytes


def core_block(block: bytes) -> int | None:
    """Return the number of the block that boot code in `block` loads, None where it is not GRUB's."""
    at = next((at for reads, at in BOOT_CODE if reads in block), None)
    return None if at is None or b"GRUB" not in block else int.from_bytes(block[at : at + 8], "little")


def is_from_disk(block: bytes) -> bool:
    """Tell whether this is the first block of a core image for disks."""
    return all(text in block[:BLOCK] for text in DISK_TEXTS)


def is_from_cd(image: Image) -> bool:
    """Tell whether this begins a core image for El Torito."""
    return CD_TEXT in bytes(image[:SECTOR])


def from_disk(image: Image, number: int) -> bytes:
    """Return what is in memory at 0x8200 once the core image that begins at block `number` is loaded.

    Raises FormatError that says which link of the way is broken.
    """
    first = bytes(image[number * BLOCK : (number + 1) * BLOCK])
    if len(first) < BLOCK or not is_from_disk(first):
        there = (
            "is outside the disk"
            if len(first) < BLOCK
            else "has a GPT"
            if first.startswith(b"EFI PART")
            else "has no core image of GRUB's"
            if any(first)
            else "is empty"
        )
        raise FormatError(f"boot.img points at block {number}, which {there}", AGAIN)
    memory = bytearray()
    for lba, count, segment in _blocklist(first):
        at = (segment - FIRST_SEGMENT) * 16
        if not 0 <= at <= at + count * BLOCK <= MAX_CORE:
            raise FormatError(
                f"the core image's blocklist loads {count} blocks to segment {segment:#x}, where no room is",
                AGAIN,
            )
        part = bytes(image[lba * BLOCK : (lba + count) * BLOCK])
        if len(part) < count * BLOCK and not _only_last_is_short(part, count):
            raise FormatError(
                f"the core image's blocklist names blocks {lba} to {lba + count - 1}, outside the disk", AGAIN
            )
        memory.extend(bytes(max(at + len(part) - len(memory), 0)))
        memory[at : at + len(part)] = part
    return bytes(memory)


def _only_last_is_short(part: bytes, count: int) -> bool:
    return len(part) > (count - 1) * BLOCK  # the image of a disk may end with the core image


def _blocklist(first: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield what the list at the end of the first block has, up to the entry without blocks."""
    for at in range(BLOCK - LIST_ENTRY.size, 0, -LIST_ENTRY.size):
        lba, count, segment = LIST_ENTRY.unpack_from(first, at)
        if not count:
            return
        yield lba, count, segment


def from_cd(image: Image, core: Image) -> bytes:
    """Return what is in memory at 0x8200 of the core image that El Torito points at, `core`, of a CD.

    Raises FormatError without a boot information table, or with one that points elsewhere.
    """
    _, sector, size, _ = BOOT_INFO.unpack(bytes(core[8 : 8 + BOOT_INFO.size]))
    if not size:
        raise FormatError(
            "cdboot.img finds no boot information table in front of its core image",
            "give xorriso `-boot-info-table` with `-b`",
        )
    count = -(-size // SECTOR)
    start = (sector + 1) * SECTOR
    if start >= len(image) or count * SECTOR > MAX_CORE:
        raise FormatError(
            f"the boot information table names {size} bytes in sector {sector}, which are not there",
            "make the ISO again",
        )
    return bytes(image[start + BLOCK : start + count * SECTOR])  # loaded at 0x8000


def read_core(loaded: bytes, budget: Budget = ENDLESS) -> Core:
    """Read what is in memory at 0x8200: unpack it, and look what is inside.

    Raises FormatError for what is no core image, or a damaged one.
    """
    if not loaded.startswith(START):
        raise damaged("its packed part does not begin where it is loaded")
    packed, size, redundancy = unpack("<III", loaded, 8, "GRUB: core image")
    at = loaded.find(UNPACK_TO)
    if at < 0:
        raise damaged("its loader is not one that is known")
    (address,) = unpack("<I", loaded, at + len(UNPACK_TO), "GRUB: core image")
    start = address - LOADED_AT
    if not (0 < start < len(loaded) and 0 < size <= MAX_UNPACKED and 0 < packed <= len(loaded) - start):
        raise damaged(f"its loader says that {packed} bytes lie at {address:#x}")
    budget.spend(UNPACKED, size)
    try:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=LZMA)
        kernel = unpacker.decompress(loaded[start : start + packed], size)
    except lzma.LZMAError as error:
        raise damaged("what is packed cannot be unpacked", redundancy) from error
    if len(kernel) != size:
        raise damaged(f"what is packed has {len(kernel)} bytes, not {size}", redundancy)
    return _contents(kernel, redundancy)


def _contents(kernel: bytes, redundancy: int) -> Core:
    """Return what GRUB finds behind its kernel."""
    start = kernel.find(MODULES)
    if start < 0:
        raise damaged("no modules are behind its kernel", redundancy)
    (whole,) = unpack("<I", kernel, start + 8, "GRUB: modules")
    names: list[str] = []
    found: dict[int, bytes] = {}
    for kind, data in _objects(kernel[start : start + whole], redundancy):
        found.setdefault(kind, data)
        if kind == ELF:
            name = _module_name(data)
            if not name:
                raise damaged("one of its modules is damaged", redundancy)
            names.append(name)
    return Core(
        found.get(PREFIX, b"").partition(b"\0")[0].decode(errors="surrogateescape"),
        found.get(CONFIG, b"").partition(b"\0")[0],
        tuple(names),
        found.get(MEMDISK, b""),
    )


def _objects(modules: bytes, redundancy: int) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the bytes of each object."""
    at = HEADER
    for _ in range(MAX_MODULES):
        if at >= len(modules):
            return
        kind, size = unpack("<II", modules, at, "GRUB: module")
        if size < 8 or at + size > len(modules):
            raise damaged("one of its modules is damaged", redundancy)
        yield kind, modules[at + 8 : at + size]
        at += size
    raise damaged(f"it has more than {MAX_MODULES} modules")


def _module_name(data: bytes) -> str:
    """Return what a module is called, "" for what is none."""
    if not data.startswith(b"\x7fELF"):
        return ""
    try:
        section = read_section(data, ".modname")
    except FormatError:
        return ""
    return bytes(section or b"").partition(b"\0")[0].decode("ascii", errors="replace")


def damaged(message: str, redundancy: int = 0) -> FormatError:
    """Return why a core image does not start. With Reed-Solomon codes behind it, it may mend itself."""
    mends = ", unless its Reed-Solomon codes mend that" if redundancy else ""
    return FormatError(f"the core image is damaged: {message}{mends}", AGAIN)
