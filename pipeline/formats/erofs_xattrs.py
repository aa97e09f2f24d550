"""Extended attributes of EROFS: those of an inode alone, and those that several share.

Specification: Linux, fs/erofs/erofs_fs.h (`erofs_xattr_ibody_header`, `erofs_xattr_entry`,
`erofs_xattr_long_prefix`) and fs/erofs/xattr.c
"""

from struct import Struct, unpack_from

from pipeline.formats.budget import STEPS
from pipeline.formats.fields import Image, budget_of, cut
from pipeline.formats.filesystem import XATTR_PREFIXES, damaged

HEADER = 12  # bytes, of which one is how many shared ones there are
ENTRY = Struct("<BBH")
LONG = 0x80  # a flag of what a name begins with: the number of a longer one
LARGEST = ENTRY.size + 0xFF + 0xFFFF  # bytes of an entry

Xattrs = dict[str, bytes]


def size_of(count: int) -> int:
    """Return the bytes behind an inode that are its attributes; `count` stands in the inode."""
    return HEADER + 4 * (count - 1) if count else 0


class XattrTable:
    """The attributes that several inodes share, which begin at `start`; what has been read is kept.

    `prefixes` are the longer beginnings of names, by their numbers.
    """

    def __init__(self, image: Image, start: int, prefixes: tuple[str, ...]) -> None:
        self.image, self.start, self.prefixes = image, start, prefixes
        self.shared: dict[int, tuple[str, bytes]] = {}

    def read(self, start: int, size: int) -> Xattrs:
        """Return the attributes in `size` bytes at `start`, behind an inode. Raises FormatError."""
        area = bytes(cut(self.image, start, size, "erofs: extended attributes"))
        if not area:
            return {}
        count = area[4]
        at = HEADER + 4 * count
        if at > len(area):
            raise damaged(f"an inode shares {count} extended attributes, which its {size} bytes cannot name")
        found = dict(self._shared(*unpack_from("<I", area, HEADER + 4 * index)) for index in range(count))
        while at + ENTRY.size <= len(area) and area[at : at + ENTRY.size].strip(b"\0"):
            budget_of(self.image).spend(STEPS)
            name, value, length = self._entry(area[at:] if at else area)
            found[name] = value
            at += length
        return found

    def _shared(self, number: int) -> tuple[str, bytes]:
        if number not in self.shared:
            start = self.start + 4 * number
            head = bytes(cut(self.image, start, ENTRY.size, "erofs: shared extended attribute"))
            length, _, size = ENTRY.unpack(head)
            raw = bytes(
                cut(self.image, start, ENTRY.size + length + size, "erofs: shared extended attribute")
            )
            self.shared[number] = self._entry(raw)[:2]
        return self.shared[number]

    def _entry(self, raw: bytes) -> tuple[str, bytes, int]:
        """Return the name and value that `raw` begins with, and how many bytes they take."""
        length, index, size = ENTRY.unpack_from(raw)
        end = ENTRY.size + length + size
        if end > len(raw):
            raise damaged(f"an extended attribute of {end} bytes does not lie in the {len(raw)} there are")
        if index & LONG and index ^ LONG >= len(self.prefixes):
            raise damaged(f"there is no prefix {index ^ LONG} of names of extended attributes")
        prefix = self.prefixes[index ^ LONG] if index & LONG else XATTR_PREFIXES.get(index, f"{index}.")
        name = raw[ENTRY.size : ENTRY.size + length].decode(errors="surrogateescape")
        return prefix + name, raw[ENTRY.size + length : end], end + -end % 4


def read_prefixes(image: Image, start: int, count: int) -> tuple[str, ...]:
    """Return the longer beginnings of names, which are listed at `start`. Raises FormatError."""
    found: list[str] = []
    for _ in range(count):
        (size,) = unpack_from("<H", bytes(cut(image, start, 2, "erofs: prefix")))
        raw = bytes(cut(image, start + 2, size, "erofs: prefix"))
        found.append(
            XATTR_PREFIXES.get(raw[:1][0] if raw else 0, "") + raw[1:].decode(errors="surrogateescape")
        )
        start += 2 + size + -(2 + size) % 4
    return tuple(found)
