"""Structured mutations: fields take odd values, and checksums are made good again, so that readers go on.

Random bytes end at a reader's first magic or checksum; these get behind it.
"""

import lzma
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import zstandard
from hypothesis import strategies as st

from tests.fixtures import erofs, ext4, patch, squashfs
from tests.fixtures.bzimage import bzimage
from tests.fixtures.disk_images import CLUSTER, dynamic_vhd, qcow2, sparse_vmdk, whole_disk
from tests.fixtures.elf import elf
from tests.fixtures.fat import fat, layout
from tests.fixtures.gpt import ENTRIES, SECTOR, with_gpt
from tests.fixtures.initramfs import members
from tests.fixtures.iso import iso
from tests.fixtures.newc import newc
from tests.fixtures.pe import SECTION_TABLE
from tests.fixtures.uki import uki

CD_SECTOR = 2048


@dataclass(frozen=True)
class Structure:
    """A good image, where its fields lie (offset, bytes), and what has to be put right after a change.

    `text` says how a number is written into a field of so many bytes; little-endian unless told otherwise.
    """

    good: bytes
    fields: tuple[tuple[int, int], ...]
    settle: Callable[[bytes], bytes] = bytes
    text: Callable[[int, int], bytes] = lambda number, size: number.to_bytes(size, "little")

    def mutated(self) -> st.SearchStrategy[bytes]:
        """Return a strategy for the good image with some of its fields changed."""
        changes = st.lists(st.tuples(st.sampled_from(self.fields), odd_numbers()), min_size=1, max_size=6)
        return changes.map(self.with_changes)

    def with_changes(self, changes: list[tuple[tuple[int, int], int]]) -> bytes:
        """Return the good image with fields changed, and settled."""
        image = self.good
        for (offset, size), number in changes:
            image = patch(image, offset, self.text(number % (1 << 8 * min(size, 8)), size))
        return self.settle(image)


def odd_numbers() -> st.SearchStrategy[int]:
    """Return a strategy for numbers at which readers stumble: around powers of two, small, and any."""
    powers = st.integers(0, 64).flatmap(lambda bits: st.integers(-2, 2).map(lambda near: (1 << bits) + near))
    return st.one_of(powers, st.integers(0, 70), st.integers(0, (1 << 64) - 1))


def every(start: int, end: int, size: int) -> tuple[tuple[int, int], ...]:
    """Return the fields of `size` bytes, side by side, from `start` to `end`."""
    return tuple((offset, size) for offset in range(start, end, size))


def hexadecimal(number: int, size: int) -> bytes:
    """Write a number as newc does."""
    return f"{number:0{size}x}"[-size:].encode()


def with_table_checksums(image: bytes) -> bytes:
    """Make the checksums of a primary GPT good."""
    entries = zlib.crc32(image[2 * SECTOR : 2 * SECTOR + ENTRIES])
    image = patch(image, SECTOR + 88, struct.pack("<I", entries))
    size = min(int.from_bytes(image[SECTOR + 12 : SECTOR + 16], "little"), SECTOR)
    header = bytearray(image[SECTOR : SECTOR + size].ljust(20, b"\0"))
    header[16:20] = bytes(4)
    return patch(image, SECTOR + 16, struct.pack("<I", zlib.crc32(header[:size])))


def with_catalog_checksum(image: bytes) -> bytes:
    """Make the checksum of a boot catalog's validation entry good."""
    at = catalog_of(image)
    if at + 32 > len(image):
        return image
    words = struct.unpack_from("<16H", patch(image, at + 28, b"\0\0"), at)
    return patch(image, at + 28, struct.pack("<H", -sum(words) & 0xFFFF))


def catalog_of(image: bytes) -> int:
    """Return where the boot record says that the catalog lies."""
    return int.from_bytes(image[17 * CD_SECTOR + 71 : 17 * CD_SECTOR + 75], "little") * CD_SECTOR


def with_both_orders(image: bytes) -> bytes:
    """Make the big-endian half of the primary descriptor's numbers what the little-endian half says."""
    for offset, size in ((80, 4), (120, 2), (124, 2), (128, 2), (132, 4), (158, 4), (166, 4)):
        at = 16 * CD_SECTOR + offset
        image = patch(image, at + size, image[at : at + size][::-1])
    return image


def big_endian(number: int, size: int) -> bytes:
    """Write a number as qcow2 and VHD do."""
    return number.to_bytes(size, "big")


DISK = whole_disk()[: 1 << 16]
VHD = dynamic_vhd(DISK)
ARCHIVE = newc(members().values())
GPT = with_gpt(bytes(100 * SECTOR), 40, 50)
FAT12, FAT32 = (
    fat({"EFI/BOOT/BOOTX64.EFI": b"MZ" + bytes(3000)}),
    fat({"A/B": b"x"}, kind="FAT32", clusters=100),
)
PLACE = layout("FAT12", 60)
TREE = {"a/": b"", "a/file": b"some text " * 900, "b": b"x", "link->b": b""}
EXT4, EROFS, SQUASHFS = ext4.ext4(TREE), erofs.erofs(TREE), squashfs.squashfs(TREE)
ISO = iso()
ROOT = int.from_bytes(ISO[16 * CD_SECTOR + 158 : 16 * CD_SECTOR + 162], "little") * CD_SECTOR
HEADERS = tuple(at for at in range(0, len(ARCHIVE), 4) if ARCHIVE.startswith(b"070701", at))
CPIO_FIELDS = tuple((at + offset, 8) for at in HEADERS for offset in range(6, 110, 8))

STRUCTURES: Mapping[str, Structure] = {
    "newc": Structure(ARCHIVE, CPIO_FIELDS, text=hexadecimal),
    "newc in zstd": Structure(ARCHIVE, CPIO_FIELDS, zstandard.compress, hexadecimal),
    "newc in gzip": Structure(
        ARCHIVE, CPIO_FIELDS, lambda archive: zlib.compress(archive, wbits=31), hexadecimal
    ),
    "newc in xz": Structure(
        ARCHIVE,
        CPIO_FIELDS,
        lambda archive: lzma.compress(archive, check=lzma.CHECK_CRC32, preset=0),
        hexadecimal,
    ),
    "FAT12 boot sector": Structure(FAT12, (*every(11, 36, 1), *every(11, 36, 2))),
    "FAT32 boot sector": Structure(FAT32, (*every(11, 64, 1), *every(36, 52, 4))),
    "FAT12 table": Structure(FAT12, every(PLACE.table, PLACE.table + 96, 2)),
    "FAT12 directories": Structure(
        FAT12, every(PLACE.root, PLACE.root + 128, 2) + every(PLACE.cluster(2), PLACE.cluster(4), 2)
    ),
    "GPT": Structure(
        GPT,
        every(446, 510, 4) + every(SECTOR, SECTOR + 92, 4) + every(2 * SECTOR, 2 * SECTOR + 128, 8),
        with_table_checksums,
    ),
    "ext4": Structure(
        EXT4,
        every(1024, 1024 + 0x180, 4)
        + every(2048, 2048 + 32, 4)
        + every(ext4.inode_at(2), ext4.inode_at(2) + 128, 4)
        + every(ext4.inode_at(ext4.FIRST), len(EXT4) // 2, 4)
        + every(len(EXT4) // 2, len(EXT4), 2),
        ext4.settled,
    ),
    "EROFS": Structure(
        EROFS,
        every(1024, 1152, 4)
        + tuple(field for n in range(5) for field in every(erofs.inode_at(n), erofs.inode_at(n) + 96, 2)),
        erofs.settled,
    ),
    "squashfs": Structure(SQUASHFS, every(0, 96, 4) + every(96, len(SQUASHFS), 2)),
    "El Torito": Structure(
        ISO,
        ((17 * CD_SECTOR + 71, 4), *every(catalog_of(ISO), catalog_of(ISO) + 96, 2)),
        with_catalog_checksum,
    ),
    "ISO 9660 descriptor": Structure(
        ISO, every(16 * CD_SECTOR + 80, 16 * CD_SECTOR + 190, 2), with_both_orders
    ),
    "ISO 9660 directory": Structure(ISO, every(ROOT, ROOT + 600, 1)),
    "PE headers": Structure(uki(), every(0x3C, 0x40, 4) + every(0x40, SECTION_TABLE + 7 * 40, 4)),
    "bzImage": Structure(bzimage(), every(0x1F1, 0x268, 1) + every(0x200, 0x268, 4)),
    "qcow2": Structure(
        qcow2(DISK),
        every(4, 112, 4) + every(3 * CLUSTER, 3 * CLUSTER + 8, 8) + every(4 * CLUSTER, 4 * CLUSTER + 128, 8),
        text=big_endian,
    ),
    "VHD": Structure(
        VHD,
        every(len(VHD) - 512, len(VHD) - 424, 4) + every(512, 552, 4) + every(1536, 1552, 4),
        text=big_endian,
    ),
    "VMDK": Structure(
        sparse_vmdk(DISK),
        every(4, 80, 4) + every(21 * 512, 21 * 512 + 8, 4) + every(22 * 512, 22 * 512 + 64, 4),
    ),
    "ELF": Structure(
        elf(interpreter="/lib/ld.so", needed=("c.so",), symbols=True), every(16, 64, 2) + every(64, 240, 8)
    ),
}
