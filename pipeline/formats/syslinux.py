"""Reads the boot code of syslinux, extlinux and isolinux, as far as it says what is loaded next.

The boot sector of a FAT or ext file system knows in which sector `ldlinux.sys` begins; that has a list of
where the rest of it is, and a checksum. On a CD isolinux.bin goes by El Torito's boot information table,
which has a checksum, too; in front of a stick isohdpfx.bin knows where isolinux.bin is. All of them continue
with `ldlinux.c32` and a configuration, which `syslinux_config` reads.

Specification: syslinux 6.03, core/diskboot.inc, core/isolinux.asm, mbr/isohdpfx.S and libinstaller/syslinux.h
"""

import struct
from array import array
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.fields import Image, unpack

BLOCK = 512  # bytes
SECTOR = 2048  # bytes of a CD's block
NAMES = (b"SYSLINUX", b"EXTLINUX")  # what a boot sector of it says where others name their maker
FIRST = b"\x66\xb8"  # …, into eax: the first block of ldlinux.sys
FIRST_HIGH = b"\x66\xba"  # …, into edx: the number's upper half
MAGIC = 0x3EB202FE
PATCHED = struct.Struct("<4xHHII2xH")  # behind MAGIC: blocks, those for variables, dwords, checksum, more
MORE = struct.Struct("<2xH6xHH")  # there: where the folder is, and the list of extents; how many it may have
TOLD = 16  # blocks in which these are
MAX_FOLDER = 256  # letters
EXTENT = struct.Struct("<QH")  # first block, how many
MAX_BLOCKS = 1024  # of ldlinux.sys, which has some 130

HYBRID_AT = 432  # where isohdpfx.bin has the block of isolinux.bin, of 512 bytes
HYBRID_TEXT = b"isolinux.bin missing"
HYBRID = 0x7078C0FB  # at 64 of an isolinux.bin that a stick may start
INFO = struct.Struct("<4I")  # at 8: the volume descriptor's sector, the file's, its bytes, its checksum
INFO_END = 64  # bytes; what the checksum covers begins here
MAX_ISOLINUX = 1 << 20  # bytes
AGAIN = "install it again with `syslinux -i` or `extlinux -i`"
MAKE = "make the ISO again, with `-boot-info-table`"


def is_boot_sector(block: bytes) -> bool:
    """Tell whether this is the boot sector of a file system that syslinux or extlinux was installed in."""
    return block[3:11].rstrip() in NAMES and _first(block) is not None


def _first(block: bytes) -> int | None:
    """Return where a boot sector looks for ldlinux.sys, in blocks from the file system's start."""
    at = block.find(FIRST)
    while at >= 0:
        if block[at + 6 : at + 8] == FIRST_HIGH:
            low, high = struct.unpack_from("<I2xI", block, at + 2)
            return int(high << 32 | low)
        at = block.find(FIRST, at + 1)
    return None


@dataclass(frozen=True, slots=True)
class Loader:
    """A loader that was found, whole: the folder that it was installed in, "" where it does not say."""

    folder: str


def from_disk(system: Image) -> Loader:
    """Follow the boot sector of a file system to all of ldlinux.sys.

    Raises FormatError that says which link of the way is broken.
    """
    number = _first(bytes(system[:BLOCK]))
    if number is None:
        raise FormatError("its boot sector does not say where ldlinux.sys is", AGAIN)
    first = bytes(system[number * BLOCK : (number + 1) * BLOCK])
    at = first.find(MAGIC.to_bytes(4, "little"))
    if at < 0:
        raise FormatError(f"its boot sector points at block {number}, where no ldlinux.sys begins", AGAIN)
    blocks, _, dwords, _, more = PATCHED.unpack(_cut(first, at + 4, PATCHED.size))
    if not 0 < blocks <= MAX_BLOCKS or not 0 < dwords * 4 <= blocks * BLOCK:
        raise FormatError(f"ldlinux.sys says that it has {blocks} blocks", AGAIN)
    # the loader knows where its list is, which only stands behind the first blocks for who installs it
    told = bytes(system[number * BLOCK : (number + TOLD) * BLOCK])
    folder_at, listed, count = MORE.unpack(_cut(told, more, MORE.size))
    data = _loaded(system, first, blocks, listed, count)
    if checksum(data[: dwords * 4]) != MAGIC:
        raise FormatError("ldlinux.sys has another checksum than it says", AGAIN)
    folder = bytes(data[folder_at : folder_at + MAX_FOLDER]).partition(b"\0")[0]
    return Loader(folder.decode(errors="surrogateescape").strip("/"))


def _loaded(system: Image, first: bytes, blocks: int, listed: int, count: int) -> bytes:
    """Return all blocks of ldlinux.sys, by the list in those that are loaded already."""
    data = bytearray(first)
    for index in range(min(count, MAX_BLOCKS)):
        if len(data) >= blocks * BLOCK:
            break
        lba, length = EXTENT.unpack(_cut(data, listed + index * EXTENT.size, EXTENT.size))
        part = bytes(system[lba * BLOCK : (lba + min(length, MAX_BLOCKS)) * BLOCK])
        if not length or len(part) < length * BLOCK:
            raise FormatError(f"ldlinux.sys goes on in block {lba}, which is not there", AGAIN)
        data += part
    if len(data) < blocks * BLOCK:
        raise FormatError(f"the list in ldlinux.sys has {len(data) // BLOCK} of {blocks} blocks", AGAIN)
    return bytes(data)


def _cut(data: bytes | bytearray, at: int, size: int) -> bytes | bytearray:
    """Return a part of ldlinux.sys. Raises FormatError where that is not in it."""
    if at + size > len(data):
        raise FormatError("the numbers in ldlinux.sys are damaged", AGAIN)
    return data[at : at + size]


def checksum(data: bytes | bytearray) -> int:
    """Return the sum of little-endian words of 32 bits, zeros behind the last."""
    words = array("I", bytes(data) + bytes(-len(data) % 4))
    return sum(words) & 0xFFFF_FFFF


def is_isolinux(code: Image) -> bool:
    """Tell whether what El Torito points at is isolinux.bin."""
    head = bytes(code[:SECTOR])
    return b"ISOLINUX" in head and struct.unpack_from("<I", head.ljust(68, b"\0"), 64)[0] == HYBRID


def hybrid_block(block: bytes) -> int | None:
    """Return the block of 512 bytes from which an ISO's MBR loads isolinux.bin, None for another MBR."""
    return struct.unpack_from("<I", block, HYBRID_AT)[0] if HYBRID_TEXT in block else None


def check_isolinux(image: Image, own: int) -> None:
    """Follow isolinux.bin, which begins in the CD's sector `own`, to the rest of itself.

    Raises FormatError that says why it stops. Where its table names no sector, it asks the BIOS for its own;
    its length and checksum are in it as it is installed.
    """
    code = image[own * SECTOR :]
    _, told, size, said = unpack("<4I", code, 8, "isolinux.bin: boot information table")
    sector = told or own
    if not SECTOR < size <= MAX_ISOLINUX:
        raise FormatError(f"the boot information table of isolinux.bin says that it has {size} bytes", MAKE)
    first, rest = bytes(code[:SECTOR]), bytes(image[(sector + 1) * SECTOR : sector * SECTOR + size])
    if checksum(first[INFO_END:] + rest) != said:
        raise FormatError("isolinux.bin has another checksum than its boot information table says", MAKE)
