"""Extended attributes of ext2, ext3 and ext4, in an inode and in a block of their own.

Specification: Linux, Documentation/filesystems/ext4/attributes.rst, fs/ext4/acl.h
"""

from collections.abc import Callable
from struct import Struct, pack, unpack_from

from pipeline.formats.fields import Image
from pipeline.formats.filesystem import XATTR_PREFIXES, damaged

MAGIC = b"\0\0\2\xea"
BLOCK_HEADER = 32  # bytes
ENTRY = Struct("<BBHII4x")
ACLS = (2, 3)  # what a name begins with that is an access control list
NAMED = frozenset({0x02, 0x08})  # its entries that are for one user or group (ACL_USER, ACL_GROUP)

Xattrs = dict[str, bytes]
Values = Callable[[int], Image]
"""Returns what is in an inode that holds the value of an attribute."""


def read_body(area: bytes, values: Values) -> Xattrs:
    """Read the attributes behind the fields of an inode. Raises FormatError."""
    return _read(area, 4, 4, values) if area[:4] == MAGIC else {}


def read_block(block: bytes, values: Values) -> Xattrs:
    """Read a block of attributes. Raises FormatError."""
    if block[:4] != MAGIC:
        raise damaged(f"no block of extended attributes: it begins with {block[:4].hex()}")
    return _read(block, BLOCK_HEADER, 0, values)


def _read(area: bytes, at: int, base: int, values: Values) -> Xattrs:
    """Read the entries from `at` on, whose values are counted from `base`."""
    found: Xattrs = {}
    left = len(area)  # no two values share bytes
    while area[at : at + 4].strip(b"\0"):
        if at + ENTRY.size > len(area):
            raise damaged("an extended attribute ends behind what holds it")
        length, index, offset, inode, size = ENTRY.unpack_from(area, at)
        raw = area[at + ENTRY.size : at + ENTRY.size + length]
        name = XATTR_PREFIXES.get(index, f"{index}.") + raw.decode(errors="surrogateescape")
        if inode:
            value = bytes(values(inode)[:size])
        else:
            value = area[base + offset : base + offset + size]
            left -= size
        if len(value) != size or left < 0:
            raise damaged(f"the extended attribute {name!r} has no {size} bytes at offset {offset}")
        found[name] = _acl(value) if index in ACLS else value
        at += ENTRY.size + length + -length % 4
    return found


def _acl(value: bytes) -> bytes:
    """Return an access control list as Linux gives it to programs (`posix_acl_xattr.h`)."""
    found, at = pack("<I", 2), 4
    while at + 4 <= len(value):
        tag, permissions = unpack_from("<HH", value, at)
        is_named = tag in NAMED and at + 8 <= len(value)
        (who,) = unpack_from("<I", value, at + 4) if is_named else (0xFFFF_FFFF,)
        found += pack("<HHI", tag, permissions, who)
        at += 8 if is_named else 4
    return found
