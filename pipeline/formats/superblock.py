"""Tells a file system, or a tree of dm-verity, by its superblock: what it is, and how large.

Readers of what is in them are modules of their own.

Specifications: Linux, Documentation/filesystems/ext4 ("Super Block"), fs/erofs/erofs_fs.h
(`struct erofs_super_block`), Documentation/filesystems/squashfs.rst with fs/squashfs/squashfs_fs.h
(`struct squashfs_super_block`)
"""

import uuid
from dataclasses import dataclass
from enum import Enum

from pipeline.errors import FormatError
from pipeline.formats.fat import read_volume
from pipeline.formats.fields import Image, unpack
from pipeline.formats.magic import Format, recognise
from pipeline.formats.verity import MAGIC, read_verity

EXT4_AT = EROFS_AT = 1024  # bytes from the start of the file system
EXT4_MAGIC = b"\x53\xef"
EROFS_MAGIC = b"\xe2\xe1\xf5\xe0"
SQUASHFS_MAGIC = b"hsqs"
EXT4_64BIT = 0x80  # incompatible feature: sizes have upper halves
MAX_BLOCK_BITS = 16


class Content(Enum):
    """What has a superblock, as a noun phrase. EXT4 is ext2 and ext3, too."""

    EXT4 = "an ext4 file system"
    EROFS = "an erofs file system"
    SQUASHFS = "a squashfs file system"
    FAT = "a FAT file system"
    VERITY = "a tree of dm-verity"


@dataclass(frozen=True, slots=True)
class Superblock:
    """`size` is the bytes that it takes by its own account; label and UUID are "" where it has none."""

    content: Content
    label: str
    uuid: str
    size: int


def read_superblock(image: Image) -> Superblock | None:
    """Read the superblock that begins an image, None without one that is known.

    Raises FormatError for one that is cut off or contradicts itself.
    """
    if bytes(image[:8]) == MAGIC:
        verity = read_verity(image)
        return Superblock(Content.VERITY, "", str(verity.uuid), verity.size)
    if bytes(image[:4]) == SQUASHFS_MAGIC:
        (size,) = unpack("<Q", image, 40, "squashfs: superblock")
        return Superblock(Content.SQUASHFS, "", "", size)
    if bytes(image[EROFS_AT : EROFS_AT + 4]) == EROFS_MAGIC:
        return _erofs(image)
    if bytes(image[EXT4_AT + 56 : EXT4_AT + 58]) == EXT4_MAGIC:
        return _ext4(image)
    if recognise(image) is Format.FAT:
        volume = read_volume(image)
        label = "" if volume.label == "NO NAME" else volume.label
        return Superblock(
            Content.FAT, label, f"{volume.serial >> 16:04X}-{volume.serial & 0xFFFF:04X}", volume.size
        )
    return None


def _ext4(image: Image) -> Superblock:
    what = "ext4: superblock"
    low, bits = unpack("<4xI16xI", image, EXT4_AT, what)
    incompatible, identifier, label = unpack("<I4x16s16s", image, EXT4_AT + 96, what)
    (high,) = unpack("<I", image, EXT4_AT + 336, what)
    blocks = low + (high << 32 if incompatible & EXT4_64BIT else 0)
    return Superblock(Content.EXT4, _text(label), _uuid(identifier), blocks << _block_bits(bits + 10, "ext4"))


def _erofs(image: Image) -> Superblock:
    bits, blocks = unpack("<12xB23xI", image, EROFS_AT, "erofs: superblock")
    identifier, label = unpack("<16s16s", image, EROFS_AT + 48, "erofs: superblock")
    return Superblock(Content.EROFS, _text(label), _uuid(identifier), blocks << _block_bits(bits, "erofs"))


def _block_bits(bits: int, what: str) -> int:
    if bits > MAX_BLOCK_BITS:
        raise FormatError(
            f"{what}: blocks of 2 to the power of {bits} bytes are not possible",
            "make the file system again",
        )
    return bits


def _uuid(octets: bytes) -> str:
    return str(uuid.UUID(bytes=octets)) if any(octets) else ""


def _text(octets: bytes) -> str:
    return octets.partition(b"\0")[0].decode("utf-8", "replace")
