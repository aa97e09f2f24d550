"""Fills a FAT file system with a tree: of any size, with what FAT can hold of it.

Specification: Microsoft FAT Specification (2005), whose sections are named here; mkfs.fat(8), mtools(1)
"""

import posixpath
import re
import tarfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.steps.efi_image import mtools_environment
from pipeline.steps.plain_tar import Member
from pipeline.steps.runner import Context

SECTOR = 512
TRACK = 8  # sectors: mtools wants whole tracks, and sizes are whole blocks of 4 KiB
FAT16_CLUSTERS = range(4085 + 16, 65525 - 16)
"""By the cluster rule (§3.5) a volume with fewer is FAT12, one with more FAT32; some distance is left."""
FAT32_LEAST = 65525 + 16
CLUSTERS = (*((16, 1 << power) for power in range(5)), *((32, 1 << power) for power in range(3, 7)))
"""Bits of a table's entry and sectors of a cluster, in the order they are tried: from 512 MiB on FAT32."""
ROOT_ENTRIES = 512
ENTRY = 32  # bytes
LETTERS_AN_ENTRY = 13  # of a long name (§7)
LONGEST_NAME = 255
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|]|[. ]$')
DEVICES = re.compile(r"(CON|PRN|AUX|NUL|CLOCK\$|COM\d|LPT\d)(\..*)?", re.IGNORECASE)
"""Names that DOS keeps for devices, in any folder; mtools gives such a file another name."""
LABEL = re.compile(r"[A-Z0-9_-]")


@dataclass(frozen=True)
class Shape:
    """A FAT volume: `bits` of an entry of its tables, sizes in sectors of 512 bytes."""

    bits: int
    total: int
    cluster: int
    reserved: int
    root_entries: int  # 0 for FAT32


def not_in_a_label(label: str) -> str:
    """Return the characters of a label that FAT has no place for, "" for a good one."""
    return "".join(letter for letter in label if not LABEL.match(letter))


def shape(members: Sequence[Member], size: int, room: int, output: str) -> Shape:
    """Return the volume of `size` bytes, or the least with `room` left if that is 0.

    FAT16 is what every firmware reads and what starts soonest: FAT32 is for what that does not hold. Raises
    PipelineError for a size that does not hold the tree, and for what FAT cannot hold of it.
    """
    _check(members)
    for bits, cluster in CLUSTERS:
        needed = _clusters(members, cluster * SECTOR, bits) + -(-room // (cluster * SECTOR))
        least, most = (FAT16_CLUSTERS.start, FAT16_CLUSTERS.stop) if bits == 16 else (FAT32_LEAST, 1 << 28)
        root = max(ROOT_ENTRIES, -(-_entries(members, "") // 16) * 16) if bits == 16 else 0
        reserved = cluster if bits == 16 else 32
        plain = Shape(bits, 0, cluster, reserved, root)
        total = size // SECTOR or _total(plain, max(needed, least))
        if _fitting(plain, total) in range(max(needed, least), most):
            return Shape(bits, total, cluster, reserved, root)
        if size and needed <= least and _fitting(plain, total) < least and bits == 16 and cluster == 1:
            raise PipelineError(
                f"{output}: FAT of {size} bytes is less than FAT16's least, {_total(plain, least) * SECTOR}",
                "give it at least that size",
            )
    least_size = shape(members, 0, room, output).total * SECTOR if size else 0
    raise PipelineError(
        f"{output}: FAT of {size} bytes is too small for its content, which takes {least_size}"
        if size
        else f"{output}: the tree is more than a FAT file system holds",
        "give it a larger size, or leave `size` out for the least that fits" if size else "put less into it",
    )


def _total(plain: Shape, clusters: int) -> int:
    """Return the sectors of the volume with that many clusters, in whole tracks, so that they fit."""
    clusters += TRACK  # what rounding up adds needs room in the tables, too
    tables = 2 * -(-(clusters + 2) * plain.bits // 8 // SECTOR)
    total = plain.reserved + tables + plain.root_entries * ENTRY // SECTOR + clusters * plain.cluster
    return -(-total // TRACK) * TRACK


def _fitting(plain: Shape, total: int) -> int:
    """Return no more clusters than fit into that many sectors with two tables for them."""
    data = total - plain.reserved - plain.root_entries * ENTRY // SECTOR
    clusters = max(data, 0) // plain.cluster
    tables = 2 * -(-(clusters + 2) * plain.bits // 8 // SECTOR)
    return max(data - tables, 0) // plain.cluster


def _clusters(members: Sequence[Member], cluster: int, bits: int) -> int:
    """Return the clusters of so many bytes that files and folders take."""
    files = sum(-(-one.plain.size // cluster) for one in members if one.plain.isreg())
    links = sum(-(-_size_of(one, members) // cluster) for one in members if one.plain.islnk())
    counts = _counts(members)
    folders = [one.name for one in members if one.plain.isdir() and (one.name or bits == 32)]
    return files + links + sum(-(-max(counts[name] * ENTRY, 1) // cluster) for name in folders)


def _size_of(link: Member, members: Sequence[Member]) -> int:
    return next(one.plain.size for one in members if one.name == link.plain.linkname)


def _counts(members: Sequence[Member]) -> Counter[str]:
    """Return how many entries of 32 bytes each folder has: one a name, more for a long one (§7)."""
    counts = Counter[str]()
    for member in members:
        if member.name:
            folder, name = posixpath.split(member.name)
            counts[folder] += 2 + -(-len(name) // LETTERS_AN_ENTRY)
            if member.plain.isdir():
                counts[member.name] += 2  # `.` and `..`
    counts[""] += 1  # the label
    return counts


def _entries(members: Sequence[Member], folder: str) -> int:
    return _counts(members)[folder]


def _check(members: Sequence[Member]) -> None:
    """Raise PipelineError for the first member that FAT cannot hold."""
    seen: dict[str, str] = {}
    for member in members:
        name = posixpath.basename(member.name)
        why = ""
        if not (member.plain.isreg() or member.plain.isdir() or member.plain.islnk()):
            why = "FAT has files and folders only, and this is a link, a device or a pipe"
        elif found := FORBIDDEN.search(name):
            why = f"FAT has no name with {found.group()!r} there"
        elif not name.isascii():
            why = "its name is not in ASCII, which firmware shows in no way of its own"
        elif DEVICES.fullmatch(name):
            why = "DOS keeps that name for a device"
        elif len(name) > LONGEST_NAME:
            why = f"FAT has no name of more than {LONGEST_NAME} letters"
        elif member.name.upper() in seen:
            why = f"on FAT it is the same name as {seen[member.name.upper()]!r}"
        elif member.plain.size > 0xFFFF_FFFF:
            why = "FAT has no file of 4 GiB or more"
        if why:
            raise PipelineError(
                f"the tree's {member.name!r} cannot be put on FAT: {why}", "leave it out, or rename it"
            )
        seen[member.name.upper()] = member.name


def dropped(members: Sequence[Member]) -> str:
    """Return a sentence on what the tree has and FAT does not keep, "" if nothing."""
    found = {
        "owners": sum(bool(one.plain.uid or one.plain.gid) for one in members),
        "modes": sum(one.plain.mode != (0o755 if one.plain.isdir() else 0o644) for one in members),
        "extended attributes": sum(bool(one.xattrs) for one in members),
        "hard links": sum(one.plain.islnk() for one in members),
    }
    counts = ", ".join(f"{what} ({count})" for what, count in found.items() if count)
    return f"FAT keeps no {counts}" if counts else ""


def mkfs_argv(volume: Shape, label: str, serial: str, image: str) -> list[str]:
    """Return the command that makes the empty file system; `serial` is 8 hex digits."""
    return [
        "mkfs.vfat",
        "--invariant",  # else times are the clock's
        f"-i{serial}",
        "-a",  # else tables are rounded up to whole clusters, and the tree may not fit
        f"-g64/{TRACK}",
        f"-F{volume.bits}",
        f"-s{volume.cluster}",
        f"-R{volume.reserved}",
        *([f"-r{volume.root_entries}"] if volume.root_entries else []),
        *([f"-n{label}"] if label else []),
        "-C",
        image,
        str(volume.total * SECTOR // 1024),
    ]


def make(
    ctx: Context,
    tar: tarfile.TarFile,
    members: Sequence[Member],
    volume: Shape,
    label: str,
    serial: str,
    image: Path,
) -> None:
    """Make the file system `image` with the tree in it, all entries of one time."""
    if lost := dropped(members):
        ctx.note(f"{image.name}: {lost}")
    ctx.run(mkfs_argv(volume, label, serial, str(image)))
    env = mtools_environment(ctx.params["epoch"])
    given = {member.name: member.given for member in members}
    content = ctx.work / "content"
    for member in members:
        if member.plain.isdir() and member.name:
            ctx.run(["mmd", "-i", str(image), f"::{member.name}"], env=env)
        elif not member.plain.isdir():
            source = given[member.plain.linkname] if member.plain.islnk() else member.given
            data = tar.extractfile(source) if source else None
            content.write_bytes(data.read() if data else b"")
            ctx.run(["mcopy", "-i", str(image), str(content), f"::{member.name}"], env=env)
