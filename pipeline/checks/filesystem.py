"""What must hold of the file systems of Linux: ext2 to ext4, EROFS and squashfs. Members can be taken out."""

import re
import stat
from collections.abc import Iterator, Mapping
from itertools import islice

from pipeline.checks.attempt import or_none
from pipeline.checks.boot.rules import RULES
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.kind import Kind, Member
from pipeline.checks.quoting import shown
from pipeline.formats.budget import MEMBERS, Spent
from pipeline.formats.erofs import read_erofs
from pipeline.formats.ext4 import NEEDS_RECOVERY, read_ext4
from pipeline.formats.fields import Extents, Image, Virtual
from pipeline.formats.filesystem import File, FileSystem
from pipeline.formats.magic import Format, recognise
from pipeline.formats.squashfs import read_squashfs

EXT = "Linux, Documentation/filesystems/ext4/super.rst, inodes.rst and directory.rst"
EROFS = "Linux, Documentation/filesystems/erofs.rst"
SQUASHFS = "Linux, Documentation/filesystems/squashfs.rst"
MAX_SHOWN = 8

BOOTS = re.compile(
    r"\.(efi|img|raw|iso|fat|vfat|cpio|addon)$|^(vmlinu|linux|bzimage|kernel|zimage|initr|memtest|[^.]*ucode)",
    re.IGNORECASE,
)
"""Names of what may be part of booting: the rest of a system is not looked into."""

INITRAMFS = re.compile(r"^(initr|[^/]*(ucode|microcode))|\.cpio", re.IGNORECASE)
LOOKED_INTO = frozenset({Format.PE, Format.BZIMAGE, Format.FAT, Format.ISO9660, Format.CPIO})
PACKED = frozenset({Format.GZIP, Format.ZSTD, Format.XZ, Format.LZMA, Format.BZIP2, Format.LZ4, Format.LZO})

rule = Rules[FileSystem]()


def is_there(system: FileSystem) -> Iterator[Fault]:
    """Linux mounts no file system that is larger than what it lies in: a copy may have been cut off."""
    size, there = system.superblock.size, len(system.image)
    if size > there:
        yield f"the file system is cut off: its superblock says {size} bytes, there are {there}"


def can_be_read(system: FileSystem) -> Iterator[Fault]:
    """What cannot be found is not there for Linux either. What is in files is not read for this."""
    for fault in system.faults[:MAX_SHOWN]:
        yield fault.message, fault.hint
    if len(system.faults) > MAX_SHOWN:
        yield f"{len(system.faults) - MAX_SHOWN} more files and directories cannot be read"


def is_sound(system: FileSystem) -> Iterator[Fault]:
    """Linux mounts no file system whose superblock has another checksum than it says."""
    if not system.superblock.is_sound:
        yield "the superblock's checksum is wrong"


for prefix, spec in (("EXT", EXT), ("EROFS", EROFS), ("SQFS", SQUASHFS)):
    rule(f"{prefix}001", "all of it is there", spec=spec, fix="copy it again, whole")(is_there)
    rule(
        f"{prefix}002",
        "its directories and inodes can be read",
        spec=spec,
        fix="make the file system again",
    )(can_be_read)
    if prefix != "SQFS":
        rule(
            f"{prefix}003", "its superblock's checksum is right", spec=spec, fix="make the file system again"
        )(is_sound)


@rule(
    "EXT004",
    "its journal was written back",
    severity=Severity.WARNING,
    spec="Linux, Documentation/filesystems/ext4/journal.rst",
    fix="let `e2fsck -fp` look at it, or unmount it where it is mounted",
)
def is_clean(system: FileSystem) -> Iterator[Fault]:
    """What the journal holds is not in its place yet: it was in use, and is read here as it stands."""
    if NEEDS_RECOVERY in system.superblock.features:
        yield "the file system was not unmounted: its journal has changes that are not in their places"


def members(system: FileSystem) -> Iterator[Member]:
    """Yield all files and directories; what may be part of booting is looked into.

    Raises Spent behind the last, where there are more.
    """
    for file in islice(system.files, 1, None):
        kind = _kind(file) if stat.S_ISREG(file.inode.mode) and BOOTS.search(_last(file)) else ""
        image = file.inode.data if stat.S_ISREG(file.inode.mode) else b""
        yield Member(file.path, image, _offset(system.image, image), kind, facts=_facts(file))
    if not system.complete:
        raise Spent(MEMBERS)


def _last(file: File) -> str:
    return file.path.rpartition("/")[2]


def _kind(file: File) -> str | None:
    """Return None for what its content says is part of booting, else that nobody looks into it."""
    known = or_none(recognise, file.inode.data)
    if known in PACKED:
        return None if INITRAMFS.search(_last(file)) else ""
    return None if known in LOOKED_INTO else ""


def _offset(around: Image, image: Image) -> int | None:
    """Return where a file lies in the file system, None where it is packed or in pieces."""
    is_one = isinstance(image, Extents) and len(image.pieces) == 1 and not isinstance(image.file, Virtual)
    if not (is_one and isinstance(image, Extents) and isinstance(around, Extents) and around.pieces):
        return None
    offset = image.pieces[0][0] - around.pieces[0][0]
    return offset if len(around.pieces) == 1 and image.file is around.file else None


def _facts(file: File) -> Mapping[str, str | int]:
    """Return what the file system says of a file."""
    inode = file.inode
    found: dict[str, str | int] = {
        "mode": stat.filemode(inode.mode),
        "owner": f"{inode.uid}:{inode.gid}",
        "mtime": inode.mtime,
    }
    if inode.target:
        found["target"] = inode.target
    if stat.S_ISCHR(inode.mode) or stat.S_ISBLK(inode.mode):
        found["device"] = f"{inode.device[0]}:{inode.device[1]}"
    if inode.links > 1 and not stat.S_ISDIR(inode.mode):
        found["inode"], found["links"] = inode.number, inode.links
    return found | {f"xattr {shown(name)}": value.hex() for name, value in inode.xattrs.items()}


EXT_KIND, EROFS_KIND, SQUASHFS_KIND = (
    Kind(name, title, f"{prefix}000", read, (*rule.of(prefix), *of_boot), members)
    for name, title, prefix, read, of_boot in (
        ("ext", "ext file system", "EXT", read_ext4, RULES),
        ("erofs", "EROFS file system", "EROFS", read_erofs, ()),
        ("squashfs", "squashfs file system", "SQFS", read_squashfs, ()),
    )
)
