"""How large an ext4 file system has to be for a tree, and what it is laid out like. Sizes are bytes.

Specification: Linux, Documentation/filesystems/ext4 ("High Level Design", "Directory Entries", "Journal")
"""

import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.steps.plain_tar import Member

BLOCK = 4096
INODE = 256
MIB = 1 << 20
GROUP = 8 * BLOCK  # blocks: what one block of a bitmap can say of
BYTES_AN_INODE = 16384  # of the file system: mke2fs's own default
OWN_INODES = 16  # those that are reserved, and lost+found
OWN_BLOCKS = 8  # superblock, root and lost+found
TAIL = 12  # bytes at the end of a directory's block, with its checksum
LONGEST_ENTRY = 264  # bytes of a directory's block that may stay free because the next name is longer
IN_INODE = 80  # bytes of extended attributes that fit behind an inode of 256
SHORT_LINK = 60  # bytes; the target of a longer symbolic link has a block
EXTENTS_A_BLOCK = 340
EXTENT = 2048  # blocks; on an empty file system they are longer
DESCRIPTORS = BLOCK // 64  # of groups, that one block holds
GROWN = 1 << 28  # blocks: as far as a file system that grows keeps its descriptors in one place, 1 TiB
JOURNALS = ((128 * MIB, 4 * MIB), (1024 * MIB, 16 * MIB))
LARGE_JOURNAL = 64 * MIB
LEAST_BLOCKS = 2048  # mke2fs makes no journal in less, and goes on


@dataclass(frozen=True)
class Layout:
    """How a file system is laid out; `needed` are the blocks that the tree takes with all around it.

    `grown_blocks` is the size that descriptors are kept for, 0 for one that does not grow.
    """

    blocks: int
    needed: int
    inodes: int
    journal: int
    grown_blocks: int


def layout(members: Sequence[Member], size: int, room: int, *, grows: bool) -> Layout:
    """Return the layout of a file system of `size` bytes, or the least with `room` left if that is 0.

    One that grows has as many inodes in its first group as one has in a large file system: later groups get
    no more than the first.
    """
    content = content_blocks(members)
    least = len(members) + OWN_INODES
    free = -(-room // BLOCK)
    blocks = size // BLOCK or content + free
    while True:
        groups = -(-blocks // GROUP)
        inodes = max(
            least, blocks * BLOCK // BYTES_AN_INODE, groups * GROUP * BLOCK // BYTES_AN_INODE * grows
        )
        journal = next((journal for limit, journal in JOURNALS if blocks * BLOCK < limit), LARGE_JOURNAL)
        grown = GROWN if grows and blocks < GROWN else 0
        metadata = _metadata(groups, inodes, grown)
        # mke2fs wants as much free again for a journal, before anything is written
        needed = metadata + journal // BLOCK + max(content + free, journal // BLOCK + OWN_BLOCKS)
        needed = max(needed, LEAST_BLOCKS)
        if size or blocks >= needed:
            return Layout(blocks, needed, inodes, journal, grown)
        blocks = needed


def content_blocks(members: Sequence[Member]) -> int:
    """Return the most blocks that files, folders, links and attributes take, without inodes."""
    names = Counter[str]()
    blocks = OWN_BLOCKS
    for member in members:
        plain = member.plain
        if member.name:
            folder, name = posixpath.split(member.name)
            names[folder] += 8 + -(-len(name.encode("utf-8", "surrogateescape")) // 4) * 4
        if plain.isreg():
            size = -(-plain.size // BLOCK)
            extents = -(-size // EXTENT)
            blocks += size + (-(-extents // EXTENTS_A_BLOCK) if extents > 4 else 0)
        elif plain.isdir():
            blocks += 1
        elif plain.issym():
            blocks += len(plain.linkname.encode("utf-8", "surrogateescape")) >= SHORT_LINK
        attributes = sum(len(key) + len(value) + 20 for key, value in member.xattrs.items())
        blocks += attributes > IN_INODE
    usable = BLOCK - TAIL - LONGEST_ENTRY
    return blocks + sum(-(-size // usable) for size in names.values())


def _metadata(groups: int, inodes: int, grown: int) -> int:
    """Return the blocks of inodes, bitmaps, descriptors and the copies of them, no fewer than there are."""
    tables = groups * -(-(-(-inodes // groups) + 16) * INODE // BLOCK)
    descriptors = max(-(-groups // DESCRIPTORS), grown // GROUP // DESCRIPTORS)
    copies = 2 + 3 * groups.bit_length()  # in groups 0, 1 and the powers of 3, 5 and 7
    return tables + 2 * groups + min(groups, copies) * (1 + descriptors) + 1
