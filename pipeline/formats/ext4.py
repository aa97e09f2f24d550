"""Reads ext2, ext3 and ext4: the superblock, group descriptors and inodes.

Where files lie is `ext4_blocks`, extended attributes are `ext4_xattrs`. What a journal holds is not replayed.

Specification: Linux, Documentation/filesystems/ext4 (the pages named here), fs/ext4/ext4.h
https://docs.kernel.org/filesystems/ext4/
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log
from struct import Struct, unpack_from
from uuid import UUID

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.crc32c import crc32c
from pipeline.formats.ext4_blocks import Blocks, extents, mapped
from pipeline.formats.ext4_xattrs import read_block, read_body
from pipeline.formats.fields import Image, budget_of, charged, chunks, cut
from pipeline.formats.filesystem import (
    MAX_TARGET,
    FileSystem,
    Inode,
    Superblock,
    checked_size,
    damaged,
    device,
    read_tree,
    sparse,
)

START, SIZE = 1024, 1024  # bytes, of the superblock
MAGIC = 0xEF53
ROOT = 2
GOOD_INODE = 128  # bytes, of the smallest
MAX_BLOCK = 1 << 16  # bytes
ENTRY = Struct("<IHBB")
BYTES_A_STEP = 64  # of a directory

COMPAT = {
    0x1: "dir_prealloc",
    0x4: "has_journal",
    0x8: "ext_attr",
    0x10: "resize_inode",
    0x20: "dir_index",
    0x200: "sparse_super2",
    0x400: "fast_commit",
    0x800: "stable_inodes",
    0x1000: "orphan_file",
}
INCOMPAT = {
    0x1: "compression",
    0x2: "filetype",
    0x4: "needs_recovery",
    0x8: "journal_dev",
    0x10: "meta_bg",
    0x40: "extents",
    0x80: "64bit",
    0x100: "mmp",
    0x200: "flex_bg",
    0x400: "ea_inode",
    0x1000: "dirdata",
    0x2000: "metadata_csum_seed",
    0x4000: "large_dir",
    0x8000: "inline_data",
    0x10000: "encrypt",
    0x20000: "casefold",
}
RO_COMPAT = {
    0x1: "sparse_super",
    0x2: "large_file",
    0x8: "huge_file",
    0x10: "uninit_bg",
    0x20: "dir_nlink",
    0x40: "extra_isize",
    0x100: "quota",
    0x200: "bigalloc",
    0x400: "metadata_csum",
    0x1000: "read-only",
    0x2000: "project",
    0x8000: "verity",
    0x10000: "orphan_present",
}
"""Features by the names that mke2fs has for them (super.rst)."""

NEEDS_RECOVERY = "needs_recovery"
UNREAD = frozenset({"compression", "journal_dev", "dirdata"})
OLD = frozenset({"filetype", NEEDS_RECOVERY, "meta_bg", "sparse_super", "large_file"})
"""What ext3 has, too; any other feature that old systems must know of makes it ext4."""

INLINE, EXTENTS, ENCRYPTED = 0x1000_0000, 0x8_0000, 0x800  # flags of an inode (inodes.rst)

INODE = Struct("<HHI8xi4xHH4xI4x60s4xII6xHHH4x")
INODE_EXTRA = 0x8C  # bytes of an inode that has what follows of the time at 0x88


@dataclass(frozen=True, slots=True)
class Volume:
    """The volume, and how it is laid out; sizes are bytes."""

    image: Image
    superblock: Superblock
    blocks: Blocks
    inode_size: int
    inodes: int
    inodes_per_group: int
    blocks_per_group: int
    first_block: int
    descriptor_size: int
    first_meta_group: int
    backups: tuple[int, int]  # with `sparse_super2`, the groups that have a superblock, too
    tables: dict[int, int] = field(default_factory=dict)  # where inodes of a group are, in bytes
    xattrs: dict[int, dict[str, bytes]] = field(default_factory=dict)  # by block

    @property
    def root(self) -> int:
        """The number of the root directory's inode."""
        return ROOT

    def inode(self, number: int) -> Inode:
        """Read an inode (inodes.rst), and find where its data lies."""
        return self._inode(number, with_xattrs=True)

    def _inode(self, number: int, *, with_xattrs: bool) -> Inode:
        raw = self._raw(number)
        mode, uid, size, mtime, gid, links, flags, place, acl, high, acl_high, uid_high, gid_high = (
            INODE.unpack_from(raw)
        )
        extra = int.from_bytes(raw[GOOD_INODE : GOOD_INODE + 2], "little") if len(raw) > GOOD_INODE else 0
        if not stat.S_IFMT(mode):
            raise damaged(f"inode {number} is not in use")
        if flags & ENCRYPTED:
            raise FormatError("it is encrypted, which is not read", "look at it where its key is")
        if GOOD_INODE + extra >= INODE_EXTRA:
            mtime += (raw[INODE_EXTRA - 4] & 3) << 32
        xattrs: dict[str, bytes] = {}
        if with_xattrs:
            xattrs |= read_body(raw[GOOD_INODE + extra :], self._value) if extra else {}
            xattrs |= self._block_xattrs(acl_high << 32 | acl)
        if stat.S_ISREG(mode) or "large_dir" in self.superblock.features:
            size |= high << 32
        rest = xattrs.pop("system.data", b"")
        data = self._data(mode, flags, checked_size(size), place, rest)
        is_device = stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
        return Inode(
            number=number,
            mode=mode,
            uid=uid_high << 16 | uid,
            gid=gid_high << 16 | gid,
            links=links,
            mtime=mtime,
            data=b"" if stat.S_ISLNK(mode) else data,
            target=bytes(data[:MAX_TARGET]).decode(errors="surrogateescape") if stat.S_ISLNK(mode) else "",
            device=_device(place) if is_device else (0, 0),
            xattrs=xattrs,
        )

    def _raw(self, number: int) -> bytes:
        if not 0 < number <= self.inodes:
            raise damaged(f"there is no inode {number}: the volume has {self.inodes}")
        group, index = divmod(number - 1, self.inodes_per_group)
        if group not in self.tables:
            self.tables[group] = self._table(group) * self.blocks.size
        start = self.tables[group] + index * self.inode_size
        return bytes(cut(self.image, start, self.inode_size, f"ext4: inode {number}"))

    def _table(self, group: int) -> int:
        """Return the block where a group's inodes begin (group_descr.rst; blockgroup.rst on `meta_bg`)."""
        per_block = self.blocks.size // self.descriptor_size
        meta, index = divmod(group, per_block)
        block = START // self.blocks.size + 1 + meta
        if "meta_bg" in self.superblock.features and meta >= self.first_meta_group:
            first = meta * per_block
            block = self.first_block + first * self.blocks_per_group + self._has_superblock(first)
            block += meta == self.first_block == 0 and self.blocks.size == START
        start = block * self.blocks.size + index * self.descriptor_size
        descriptor = bytes(cut(self.image, start, self.descriptor_size, f"ext4: descriptor of group {group}"))
        high = int.from_bytes(descriptor[40:44], "little")
        return high << 32 | int.from_bytes(descriptor[8:12], "little")

    def _has_superblock(self, group: int) -> bool:
        if group == 0:
            return True
        if "sparse_super2" in self.superblock.features:
            return group in self.backups
        if "sparse_super" not in self.superblock.features or group == 1:
            return True
        return any(group == base ** round(log(group, base)) for base in (3, 5, 7))

    def _block_xattrs(self, block: int) -> dict[str, bytes]:
        if block and block not in self.xattrs:
            self.xattrs[block] = read_block(self.blocks.read(block), self._value)
        return self.xattrs[block] if block else {}

    def _value(self, number: int) -> Image:
        return self._inode(number, with_xattrs=False).data

    def _data(self, mode: int, flags: int, size: int, place: bytes, rest: bytes) -> Image:
        """Return what is in a file, directory or link; `rest` is what of it does not fit into `place`."""
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            return b""
        if flags & INLINE:  # a directory's begins with its parent (inlinedata.rst)
            found = place[4:] + rest if stat.S_ISDIR(mode) else (place + rest)[:size]
            return found if len(found) >= size or stat.S_ISDIR(mode) else self._filled(found, size)
        if flags & EXTENTS:
            return sparse(self.image, extents(self.blocks, place), size)
        if stat.S_ISLNK(mode) and size < len(place):
            return place[:size]
        return sparse(self.image, mapped(self.blocks, place, -(-size // self.blocks.size)), size)

    def _filled(self, data: bytes, size: int) -> Image:
        """Return data with zeros behind it, as Linux reads a file that is longer than what an inode holds."""
        return sparse(charged(data, self.blocks.budget), [(0, 0, len(data))], size)

    def entries(self, directory: Inode) -> Iterator[tuple[bytes, int]]:
        """Yield a directory's entries (directory.rst); those of a tree of hashes are read one by one, too."""
        has_kinds = "filetype" in self.superblock.features
        for block in chunks(directory.data, self.blocks.size):
            self.blocks.budget.spend(STEPS, len(block) // BYTES_A_STEP)
            at = 0
            while at + ENTRY.size <= len(block):
                number, length, name_size, kind = ENTRY.unpack_from(block, at)
                length = MAX_BLOCK if length in (0, 0xFFFF) and len(block) == MAX_BLOCK else length
                name_size |= 0 if has_kinds else kind << 8
                if length % 4 or not ENTRY.size + name_size <= length <= len(block) - at:
                    raise damaged(f"a directory entry of {length} bytes, {name_size} of them a name")
                if number:
                    yield block[at + ENTRY.size : at + ENTRY.size + name_size], number
                at += length


def _device(place: bytes) -> tuple[int, int]:
    old, new = unpack_from("<II", place)
    return (old >> 8 & 0xFF, old & 0xFF) if old else device(new)


def read_ext4(image: Image) -> FileSystem:
    """Read the superblock, all directories and inodes. Raises FormatError when that cannot begin."""
    volume = read_volume(image)
    return read_tree(volume.superblock, volume)


def read_volume(image: Image) -> Volume:
    """Read the superblock (super.rst). Raises FormatError for one that is missing or contradicts itself."""
    raw = bytes(cut(image, START, SIZE, "ext4: superblock"))
    (magic,) = unpack_from("<H", raw, 0x38)
    if magic != MAGIC:
        raise FormatError(
            f"ext4: no superblock: its magic is {magic:#06x}, not {MAGIC:#06x}",
            "give an ext2, ext3 or ext4 file system",
        )
    inodes, blocks_low, _, _, _, first_block, log_size = unpack_from("<7I", raw)
    blocks_per_group, _, inodes_per_group = unpack_from("<3I", raw, 0x20)
    (revision,) = unpack_from("<I", raw, 0x4C)
    (inode_size,) = unpack_from("<H", raw, 0x58) if revision else (GOOD_INODE,)
    superblock = _superblock(raw, blocks_low, log_size, dynamic=bool(revision))
    size = superblock.block_size
    (descriptor_size,) = unpack_from("<H", raw, 0xFE) if "64bit" in superblock.features else (32,)
    for name, value, good in (
        ("inode size", inode_size, GOOD_INODE <= inode_size <= size and not inode_size & inode_size - 1),
        ("inodes per group", inodes_per_group, 0 < inodes_per_group <= 8 * size),
        ("blocks per group", blocks_per_group, blocks_per_group > 0),
        ("first block", first_block, first_block <= 1),
        ("size of group descriptors", descriptor_size, 32 <= descriptor_size <= size),
    ):
        if not good:
            raise damaged(f"ext4: the superblock's {name} cannot be {value}")
    budget = budget_of(image)

    def read_block(number: int) -> bytes:
        return bytes(cut(image, number * size, size, f"ext4: block {number}"))

    return Volume(
        image=image,
        superblock=superblock,
        blocks=Blocks(size, min(superblock.size, len(image)) // size, read_block, budget),
        inode_size=inode_size,
        inodes=inodes,
        inodes_per_group=inodes_per_group,
        blocks_per_group=blocks_per_group,
        first_block=first_block,
        descriptor_size=descriptor_size,
        first_meta_group=unpack_from("<I", raw, 0x104)[0],
        backups=unpack_from("<II", raw, 0x24C),
    )


def _superblock(raw: bytes, blocks: int, log_size: int, *, dynamic: bool) -> Superblock:
    """Return what it says of itself. Raises FormatError for what is not read."""
    if log_size > 6:
        raise damaged(f"ext4: blocks of 2^{10 + log_size} bytes are not possible")
    compat, incompat, ro_compat = unpack_from("<3I", raw, 0x5C) if dynamic else (0, 0, 0)
    unknown = incompat & ~sum(INCOMPAT)
    names = [
        *(name for bit, name in COMPAT.items() if compat & bit),
        *(name for bit, name in INCOMPAT.items() if incompat & bit),
        *(name for bit, name in RO_COMPAT.items() if ro_compat & bit),
    ]
    unread = [name for name in names if name in UNREAD] + ([f"{unknown:#x}"] if unknown else [])
    if unread:
        raise FormatError(
            f"ext4: the feature {unread[0]} is not read", "look at it with a system that mounts it"
        )
    if "64bit" in names:
        blocks |= unpack_from("<I", raw, 0x150)[0] << 32
    made, written = unpack_from("<I", raw, 0x108)[0], unpack_from("<I", raw, 0x30)[0]
    newer = {*names} - {*COMPAT.values()} - OLD
    uuid = raw[0x68:0x78] if dynamic else b""
    return Superblock(
        variant="ext4"
        if newer or ro_compat & ~sum(RO_COMPAT)
        else "ext3"
        if "has_journal" in names
        else "ext2",
        label=raw[0x78:0x88].partition(b"\0")[0].decode(errors="replace") if dynamic else "",
        uuid=str(UUID(bytes=uuid)) if any(uuid) else "",
        size=blocks << 10 + log_size,
        block_size=1 << 10 + log_size,
        features=tuple(names),
        created=made | raw[0x276] << 32 if made else None,
        written=written | raw[0x274] << 32 if written else None,
        is_sound="metadata_csum" not in names or crc32c(raw[:-4]) == int.from_bytes(raw[-4:], "little"),
    )
