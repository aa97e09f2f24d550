"""Reads EROFS: the superblock, inodes, directories, and data that is not packed, also in chunks.

What is packed is `erofs_packed`, extended attributes are `erofs_xattrs`.

Specification: Linux, Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h; https://erofs.docs.kernel.org
"""

import stat
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from struct import Struct, unpack_from
from uuid import UUID

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS
from pipeline.formats.crc32c import crc32c
from pipeline.formats.erofs_packed import ALGORITHMS, PackedFile, Packer, Place
from pipeline.formats.erofs_xattrs import XattrTable, read_prefixes, size_of
from pipeline.formats.fields import Extents, Image, budget_of, charged, chunks, cut, joined
from pipeline.formats.filesystem import (
    MAX_TARGET,
    FileSystem,
    Inode,
    Run,
    Superblock,
    checked_size,
    damaged,
    device,
    read_tree,
    sparse,
)

START = 1024  # bytes
MAGIC = 0xE0F5_E1E2
SUPERBLOCK = Struct("<IIIBBHQQIIII16s16sIHHHBBIQB23x")
SLOT = 32  # bytes, of which the numbers of inodes count
COMPACT, EXTENDED = Struct("<HHHHI4xIIHH4x"), Struct("<HHH2xQIIIIQ4xI16x")
DIRECTORY_ENTRY = Struct("<QHBx")

COMPAT = {0x1: "sb_chksum", 0x2: "mtime", 0x4: "xattr_filter"}
INCOMPAT = {
    0x1: "0padding",
    0x2: "big_pcluster",
    0x4: "chunked_file",
    0x8: "device_table",
    0x10: "ztailpacking",
    0x20: "fragments",
    0x40: "xattr_prefixes",
    0x80: "48bit",
    0x100: "metabox",
}
"""Features by the names that dump.erofs has for them; some bits have two meanings."""

UNREAD = frozenset({"48bit", "metabox"})
PLAIN, PACKED_FULL, INLINE, PACKED_COMPACT, CHUNKS = range(5)  # layouts of data
CHUNK_BITS, HAS_INDEXES = 0x1F, 0x20  # of a file in chunks
HOLE = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Volume:
    """The volume, and how it is laid out. Numbers of inodes are where they are, in slots."""

    image: Image
    superblock: Superblock
    root: int
    inodes: int  # where they begin, in bytes
    packed: int  # number of the inode that all fragments are in, 0 for none
    xattrs: XattrTable
    packers: list[Packer] = field(default_factory=list)

    def inode(self, number: int) -> Inode:
        """Read an inode, and find where its data lies."""
        return self._inode(number, self._packer())

    def _packer(self) -> Packer:
        if not self.packers:
            self.packers.append(self._made(self.fragments))
        return self.packers[0]

    def _made(self, fragments: Callable[[], Image]) -> Packer:
        superblock = self.superblock
        return Packer(self.image, superblock.block_size, "0padding" in superblock.features, fragments)

    def fragments(self) -> Image:
        """Return what is in the inode that all fragments are in."""
        if not self.packed:
            raise damaged("erofs: there are no fragments, but a file is one")
        return self._inode(self.packed, self._made(_no_fragments)).data

    def _inode(self, number: int, packer: Packer) -> Inode:
        start = self.inodes + number * SLOT
        (form,) = unpack_from("<H", bytes(cut(self.image, start, 2, f"erofs: inode {number}")))
        kind = EXTENDED if form & 1 else COMPACT
        raw = kind.unpack(bytes(cut(self.image, start, kind.size, f"erofs: inode {number}")))
        if form & 1:
            _, xattrs, mode, size, union, _, uid, gid, mtime, links = raw
        else:
            _, xattrs, mode, links, size, union, _, uid, gid = raw
            mtime = self.superblock.created or 0
        if not stat.S_IFMT(mode):
            raise damaged(f"inode {number} is not in use")
        after = start + kind.size + size_of(xattrs)
        is_device = stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
        has_data = stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)
        data = self._data(form >> 1 & 7, union, after, checked_size(size), packer) if has_data else b""
        return Inode(
            number=number,
            mode=mode,
            uid=uid,
            gid=gid,
            links=links,
            mtime=mtime,
            data=b"" if stat.S_ISLNK(mode) else data,
            target=bytes(data[:MAX_TARGET]).decode(errors="surrogateescape") if stat.S_ISLNK(mode) else "",
            device=device(union) if is_device else (0, 0),
            xattrs=self.xattrs.read(start + kind.size, size_of(xattrs)),
        )

    def _data(self, layout: int, union: int, after: int, size: int, packer: Packer) -> Image:
        """Return what is in a file, directory or link, whose attributes end at `after`."""
        unit = self.superblock.block_size
        if not size:
            return b""
        if layout == PLAIN:
            return cut(self.image, union * unit, size, "erofs: data")
        if layout == INLINE:
            whole = (size - 1) // unit * unit
            pieces = [(union * unit, whole), (after, size - whole)]
            for offset, length in pieces:
                if length:
                    cut(self.image, offset, length, "erofs: data")
            return joined(self.image, [piece for piece in pieces if piece[1]])
        if layout == CHUNKS:
            return sparse(self.image, self._chunks(union, after, size), size)
        if layout in (PACKED_FULL, PACKED_COMPACT):
            place = Place(after + -after % 8, layout == PACKED_COMPACT)
            contents = PackedFile(packer, place, size)
            return Extents(contents, [(0, size)], budget_of(self.image))
        raise FormatError(f"erofs: the layout {layout} of data is not read", "make it with erofs-utils 1.8")

    def _chunks(self, form: int, after: int, size: int) -> list[Run]:
        """Return where the chunks of a file are."""
        unit = self.superblock.block_size
        length = unit << (form & CHUNK_BITS)
        if form & ~(CHUNK_BITS | HAS_INDEXES):
            raise FormatError(
                f"erofs: chunks of the form {form:#x} are not read", "make it with erofs-utils 1.8"
            )
        entry = 8 if form & HAS_INDEXES else 4
        count = -(-size // length)
        budget_of(self.image).spend(STEPS, count)
        raw = bytes(cut(self.image, after + -after % entry, entry * count, "erofs: chunks"))
        numbers = array("I", raw)
        blocks = numbers[1::2] if entry == 8 else numbers
        if entry == 8 and any(one >> 16 for one in numbers[0::2]):
            raise FormatError("erofs: data on other devices is not read", "join the devices into one image")
        runs: list[Run] = []
        for at, block in zip(range(0, size, length), blocks, strict=True):
            if block != HOLE:
                some = min(length, size - at)
                cut(self.image, block * unit, some, "erofs: chunk")
                runs.append((at, block * unit, some))
        return runs

    def entries(self, directory: Inode) -> Iterator[tuple[bytes, int]]:
        """Yield a directory's entries: each block begins with them, and ends with their names."""
        budget = budget_of(self.image)
        for block in chunks(directory.data, self.superblock.block_size):
            first = DIRECTORY_ENTRY.unpack(block[: DIRECTORY_ENTRY.size].ljust(DIRECTORY_ENTRY.size, b"\0"))[
                1
            ]
            if not 0 < first <= len(block) or first % DIRECTORY_ENTRY.size:
                raise damaged(f"erofs: a directory's first name is at offset {first} of a block")
            count = first // DIRECTORY_ENTRY.size
            budget.spend(STEPS, count)
            found = [DIRECTORY_ENTRY.unpack_from(block, n * DIRECTORY_ENTRY.size)[:2] for n in range(count)]
            ends = [*(offset for _, offset in found[1:]), len(block)]
            for (number, offset), end in zip(found, ends, strict=True):
                if not first <= offset < end <= len(block):
                    raise damaged(f"erofs: a directory's name from {offset} to {end} of a block")
                yield block[offset:end].partition(b"\0")[0], number


def _no_fragments() -> Image:
    raise damaged("erofs: what all fragments are in is a fragment itself")


def read_erofs(image: Image) -> FileSystem:
    """Read the superblock, all inodes and directories. Raises FormatError when that cannot begin."""
    volume = read_volume(image)
    return read_tree(volume.superblock, volume)


def read_volume(image: Image) -> Volume:
    """Read the superblock. Raises FormatError for one that is missing, contradicts itself, or is not read."""
    raw = bytes(cut(image, START, SUPERBLOCK.size, "erofs: superblock"))
    (
        magic, checksum, compat, bits, _, root, _, created, _, blocks, inodes, xattrs,
        uuid, label, incompat, algorithms, devices, _, directory_bits, prefixes, prefix, packed, _,
    ) = SUPERBLOCK.unpack(raw)  # fmt: skip
    if magic != MAGIC:
        raise FormatError(
            f"erofs: no superblock: its magic is {magic:#010x}, not {MAGIC:#010x}", "give an EROFS"
        )
    unknown = incompat & ~sum(INCOMPAT)
    names = [
        *(name for bit, name in COMPAT.items() if compat & bit),
        *(name for bit, name in INCOMPAT.items() if incompat & bit),
    ]
    unread = [name for name in names if name in UNREAD]
    unread += ["device_table"] if devices else []
    unread += [f"{unknown:#x}"] if unknown else []
    unread += ["directory blocks of another size"] if directory_bits else []
    if unread:
        raise FormatError(f"erofs: the feature {unread[0]} is not read", "make it with erofs-utils 1.8")
    if not 9 <= bits <= 16:
        raise damaged(f"erofs: blocks of 2^{bits} bytes are not possible")
    unit = 1 << bits
    known = "big_pcluster" in names and algorithms  # without, the field is a distance of lz4's
    packs = [name for number, name in enumerate(ALGORITHMS) if algorithms >> number & 1] if known else []
    superblock = Superblock(
        variant="erofs",
        label=label.partition(b"\0")[0].decode(errors="replace"),
        uuid=str(UUID(bytes=uuid)) if any(uuid) else "",
        size=blocks * unit,
        block_size=unit,
        features=tuple(names),
        compression=tuple(packs or (["lz4"] if "0padding" in names else [])),
        created=created,
        is_sound="sb_chksum" not in names or _checksum(image, unit) == checksum,
    )
    start = prefix * 4
    plain = Volume(image, superblock, root, inodes * unit, packed, XattrTable(image, 0, ()))
    source = image
    if prefixes and "fragments" in names and packed:
        source = charged(plain.fragments(), budget_of(image))
    table = XattrTable(image, xattrs * unit, read_prefixes(source, start, prefixes))
    return Volume(image, superblock, root, inodes * unit, packed, table)


def _checksum(image: Image, unit: int) -> int:
    """Return the checksum of the superblock's block, without the field that has it."""
    end = max(unit, START + SUPERBLOCK.size)
    raw = bytes(image[START:end])
    return crc32c(raw[:4] + bytes(4) + raw[8:])
