"""Reads squashfs 4.0: the superblock, inodes, directories. Unpacking its blocks is `squashfs_blocks`.

Specification: Linux, Documentation/filesystems/squashfs.rst and fs/squashfs/squashfs_fs.h; "The Squashfs 4.0
Filesystem Format", whose sections are named here, https://dr-emann.github.io/squashfs/squashfs.html
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct, calcsize, unpack

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.fields import Extents, Image, budget_of, cut
from pipeline.formats.filesystem import (
    MAX_TARGET,
    FileSystem,
    Inode,
    Superblock,
    checked_size,
    damaged,
    device,
    read_tree,
)
from pipeline.formats.squashfs_blocks import COMPRESSORS, UNREAD, Blocks, Contents, Metadata
from pipeline.formats.squashfs_xattrs import NO_XATTRS, XattrTable

MAGIC = b"hsqs"
SUPERBLOCK = Struct("<4sIIIIHHHHHHQQQQQQQQ")
MIN_BLOCK, MAX_BLOCK = 1 << 12, 1 << 20  # bytes
MISSING = 0xFFFF_FFFF_FFFF_FFFF  # where a table is that is not there
NO_FRAGMENT = 0xFFFF_FFFF

FLAGS = {
    0x1: "uncompressed inodes",
    0x2: "uncompressed data",
    0x8: "uncompressed fragments",
    0x10: "no fragments",
    0x20: "always fragments",
    0x40: "duplicates removed",
    0x80: "exportable",
    0x100: "uncompressed xattrs",
    0x200: "no xattrs",
    0x400: "compressor options",
    0x800: "uncompressed ids",
}
"""What the superblock's flags mean (§2.2)."""

HEADER = Struct("<HHHHII")
DIRECTORY, FILE, LINK, EXTENDED = 1, 2, 3, 7  # kinds of inodes; extended ones have that added
KINDS = (stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK, stat.S_IFBLK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK)

DIRECTORY_HEADER, DIRECTORY_ENTRY = Struct("<III"), Struct("<HhHH")
MAX_ENTRIES = 256  # behind one header of a directory
EMPTY = 3  # bytes that a directory of nothing says it has
IDS, FRAGMENTS = 2048, 512  # entries in a block of a table


@dataclass(frozen=True, slots=True)
class Volume:
    """The volume, and where its tables begin, in bytes. Numbers of inodes are where they are (§4)."""

    image: Image
    root: int
    blocks: Blocks
    inodes: Metadata
    directories: Metadata
    ids: tuple[int, ...]
    fragments: tuple[int, int]  # where the table is, and how many there are
    xattrs: XattrTable | None

    def inode(self, number: int) -> Inode:
        """Read an inode (§4)."""
        reader = _Reader(self.inodes, number >> 16, number & 0xFFFF)
        kind, permissions, uid, gid, mtime, own = reader.fields(HEADER.format)
        plain, is_extended = (kind - EXTENDED, True) if kind > EXTENDED else (kind, False)
        if not 0 < plain <= len(KINDS):
            raise damaged(f"an inode is of the unknown kind {kind}")
        data: Image = b""
        xattrs, target, rdev = NO_XATTRS, "", 0
        if plain == DIRECTORY:
            links, xattrs, data = self._directory(reader, is_extended)
        elif plain == FILE:
            links, xattrs, data = self._file(reader, is_extended)
        elif plain == LINK:
            links, size = reader.fields("<II")
            if size > MAX_TARGET:
                raise damaged(f"a symbolic link of {size} bytes is not possible")
            target = reader.take(size).decode(errors="surrogateescape")
        else:
            has_device = KINDS[plain - 1] in (stat.S_IFBLK, stat.S_IFCHR)
            links, rdev = reader.fields("<II") if has_device else (*reader.fields("<I"), 0)
        if is_extended and plain not in (DIRECTORY, FILE):
            (xattrs,) = reader.fields("<I")
        if max(uid, gid) >= len(self.ids):
            raise damaged(f"an inode's owner is the id of number {max(uid, gid)}; there are {len(self.ids)}")
        return Inode(
            number=own,
            mode=KINDS[plain - 1] | permissions & 0o7777,
            uid=self.ids[uid],
            gid=self.ids[gid],
            links=links,
            mtime=mtime,
            data=data,
            target=target,
            device=device(rdev),
            xattrs=self.xattrs.read(xattrs) if self.xattrs and xattrs != NO_XATTRS else {},
        )

    def _directory(self, reader: "_Reader", is_extended: bool) -> tuple[int, int, Image]:
        if is_extended:
            links, size, block, _, _, offset, xattrs = reader.fields("<IIIIHHI")
        else:
            block, links, size, offset, _ = reader.fields("<IIHHI")
            xattrs = NO_XATTRS
        listing = self.directories.image(block, offset, size - EMPTY) if size > EMPTY else b""
        return links, xattrs, listing

    def _file(self, reader: "_Reader", is_extended: bool) -> tuple[int, int, Image]:
        if is_extended:
            start, size, _, links, fragment, offset, xattrs = reader.fields("<QQQIIII")
        else:
            start, fragment, offset, size = reader.fields("<IIII")
            links, xattrs = 1, NO_XATTRS
        tail: tuple[int, int, int] | None = None
        if fragment != NO_FRAGMENT:
            tail = (*self._fragment(fragment), offset)
        if not checked_size(size):
            return links, xattrs, b""
        contents = Contents(self.blocks, start, size, tail, (self.inodes, reader.block, reader.offset))
        return links, xattrs, Extents(contents, [(0, size)], budget_of(self.image))

    def _fragment(self, number: int) -> tuple[int, int]:
        """Return where a block of fragments is, and its size as blocks have it (§7)."""
        table, count = self.fragments
        if number >= count:
            raise damaged(f"a file ends in fragment {number}; there are {count}")
        raw = _entry(self.blocks, table, number, FRAGMENTS, 16)
        start, size, _ = unpack("<QII", raw)
        return start, size

    def entries(self, directory: Inode) -> Iterator[tuple[bytes, int]]:
        """Yield a directory's entries (§5)."""
        listing = bytes(directory.data)
        at = 0
        while at < len(listing):
            header = bytes(cut(listing, at, DIRECTORY_HEADER.size, "squashfs: directory"))
            count, block, _ = DIRECTORY_HEADER.unpack(header)
            at += DIRECTORY_HEADER.size
            if count >= MAX_ENTRIES:
                raise damaged(f"a directory's header is for {count + 1} entries; {MAX_ENTRIES} are possible")
            self.blocks.budget.spend(STEPS)
            for _ in range(count + 1):
                entry = bytes(cut(listing, at, DIRECTORY_ENTRY.size, "squashfs: directory entry"))
                offset, _, _, length = DIRECTORY_ENTRY.unpack(entry)
                at += DIRECTORY_ENTRY.size
                yield bytes(cut(listing, at, length + 1, "squashfs: a name")), block << 16 | offset
                at += length + 1


class _Reader:
    """Reads an inode, field by field."""

    def __init__(self, table: Metadata, block: int, offset: int) -> None:
        self.table, self.block, self.offset = table, block, offset

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        data, self.block, self.offset = self.table.read(self.block, self.offset, size)
        return data

    def fields(self, layout: str) -> tuple[int, ...]:
        """Return the next fields, of a layout of `struct`."""
        return unpack(layout, self.take(calcsize(layout)))


def _entry(blocks: Blocks, table: int, number: int, per_block: int, size: int) -> bytes:
    """Return an entry of a table of metadata blocks, whose places are listed at `table` (§6, §7)."""
    listed = bytes(cut(blocks.image, table + number // per_block * 8, 8, "squashfs: table"))
    block = Metadata(blocks, int.from_bytes(listed, "little"))
    return block.read(0, number % per_block * size, size)[0]


def read_squashfs(image: Image) -> FileSystem:
    """Read the superblock, all inodes and directories. Raises FormatError when that cannot begin."""
    raw = bytes(cut(image, 0, SUPERBLOCK.size, "squashfs: superblock"))
    (magic, _, mtime, block_size, fragments, compressor, block_log, flags, ids, major, minor) = (
        SUPERBLOCK.unpack(raw)[:11]
    )
    root, used, id_table, xattr_table, inode_table, directory_table, fragment_table, _ = SUPERBLOCK.unpack(
        raw
    )[11:]
    if magic != MAGIC or (major, minor) != (4, 0):
        what = f"its magic is {magic.hex()}" if magic != MAGIC else f"its version is {major}.{minor}, not 4.0"
        raise FormatError(f"squashfs: no superblock that is read: {what}", "make it with mksquashfs 4")
    if block_size != 1 << block_log or not MIN_BLOCK <= block_size <= MAX_BLOCK:
        raise damaged(f"squashfs: blocks of {block_size} bytes, 2^{block_log}, are not possible")
    name = COMPRESSORS.get(compressor, UNREAD.get(compressor, f"number {compressor}"))
    if compressor not in COMPRESSORS:
        raise FormatError(
            f"squashfs: the compressor {name} is not read", "make it with gzip, xz, lz4 or zstd"
        )
    superblock = Superblock(
        variant="squashfs",
        label="",
        uuid="",
        size=used,
        block_size=block_size,
        features=tuple(text for bit, text in FLAGS.items() if flags & bit),
        compression=(name,),
        written=mtime,
    )
    blocks = Blocks(image, name, block_size, used)
    volume = Volume(
        image=image,
        root=root,
        blocks=blocks,
        inodes=Metadata(blocks, inode_table),
        directories=Metadata(blocks, directory_table),
        ids=_ids(blocks, id_table, ids),
        fragments=(fragment_table, 0 if fragment_table == MISSING else fragments),
        xattrs=None if xattr_table == MISSING else XattrTable(blocks, xattr_table),
    )
    return read_tree(superblock, volume)


def _ids(blocks: Blocks, table: int, count: int) -> tuple[int, ...]:
    """Return the numbers of users and groups (§8)."""
    found: list[int] = []
    while len(found) < count:
        some = min(count - len(found), IDS)
        raw = _block(blocks, table, len(found) // IDS, some * 4)
        found += unpack(f"<{some}I", raw)
    return tuple(found)


def _block(blocks: Blocks, table: int, number: int, size: int) -> bytes:
    """Return the first bytes of a block of a table."""
    listed = bytes(cut(blocks.image, table + number * 8, 8, "squashfs: table"))
    return Metadata(blocks, int.from_bytes(listed, "little")).read(0, 0, size)[0]
