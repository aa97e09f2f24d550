"""What lies in an ISO or on a disk: boot images, partitions and files, each once.

The same blocks are often an El Torito image, a partition and a file: they are one member, whose facts say so.
Blocks are taken apart once: what overlaps others is not looked into.
"""

import re
import stat
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipeline.checks.attempt import or_none
from pipeline.checks.fat.volume import read_cut_off
from pipeline.checks.kind import Member
from pipeline.checks.medium.iso import HARD_DISK, BootImage, Iso, volume_size
from pipeline.checks.medium.partitions import Partitions, Place
from pipeline.formats import eltorito
from pipeline.formats.budget import MEMBERS, Spent
from pipeline.formats.fields import Image
from pipeline.formats.iso9660 import Iso9660
from pipeline.formats.iso9660_directory import Member as File
from pipeline.formats.iso9660_directory import contents
from pipeline.formats.magic import Format, recognise
from pipeline.formats.udf import Udf

EFI_IMAGE = "efi.img"
VOLUME_DESCRIPTOR = 16 * 2048  # bytes; a partition around it is the ISO itself
MAX_OTHERS = 2000  # files whose names say nothing of booting, but that may be recognised all the same
HEAD = 1024  # bytes that are looked at of each of them

BOOTS = re.compile(
    r"\.(efi|img|raw|iso|fat|vfat|cpio|addon)$|(^|/)(vmlinu|linux|bzimage|kernel|zimage|initr|memtest)",
    re.IGNORECASE,
)
INITRAMFS = re.compile(r"(^|/)(initr|[^/]*(ucode|microcode))|\.cpio", re.IGNORECASE)
LOOKED_INTO = frozenset({Format.PE, Format.BZIMAGE, Format.FAT, Format.ISO9660, Format.CPIO})
FILE_SYSTEMS = {
    Format.FAT: "fat",
    Format.EXT: "ext",
    Format.EROFS: "erofs",
    Format.SQUASHFS: "squashfs",
}
DISKS = frozenset({Format.GPT, Format.MBR})
PACKED = frozenset({Format.GZIP, Format.ZSTD, Format.XZ, Format.LZMA, Format.BZIP2, Format.LZ4, Format.LZO})


@dataclass(slots=True)
class _Claims:
    """Which bytes have been looked into; nested images that share them would never end."""

    taken: list[tuple[int, int]] = field(default_factory=list)  # offset and end

    def take(self, pieces: tuple[tuple[int, int], ...]) -> bool:
        """Take these pieces (offset, size); False when one of them is taken already."""
        spans = [(offset, offset + size) for offset, size in pieces if size]
        if any(self._meets(span) for span in spans):
            return False
        for span in spans:
            insort(self.taken, span)
        return True

    def _meets(self, span: tuple[int, int]) -> bool:
        at = bisect_left(self.taken, span)
        before = at > 0 and self.taken[at - 1][1] > span[0]
        return before or (at < len(self.taken) and self.taken[at][0] < span[1])


def of_iso(iso: Iso) -> Iterator[Member]:
    """Yield boot images, partitions, and the files and directories of the file system.

    Raises Spent behind the last, where that has more.
    """
    known = {file.path.casefold() for file in iso.members}
    others = iso.udf.members if isinstance(iso.udf, Udf) else ()
    others = tuple(file for file in others if file.path.casefold() not in known)
    files = (*iso.members, *others)
    single = [(file.path[1:], *file.extents[0]) for file in files if len(file.extents) == 1]
    names = {offset: path for path, offset, size in reversed(single) if size}
    images = _images(iso, {offset: size for _, offset, size in single if size})
    paths = {file.path[1:] for file in files}
    claims = _Claims()
    for offset, member in images.items():
        yield _claimed(replace(member, name=names.get(offset) or _name(member, paths)), claims)
    seen = {names[offset] for offset in images if offset in names}
    rest = (file for file in files if file.path != "/" and file.path[1:] not in seen)
    in_udf = {file.path[1:] for file in others}
    for member in _files(iso, rest, claims):
        yield replace(member, facts={**member.facts, "udf": 1}) if member.name in in_udf else member
    if any(isinstance(one, Iso9660 | Udf) and not one.complete for one in (iso.files, iso.udf)):
        raise Spent(MEMBERS)


def _files(iso: Iso, files: Iterable[File], claims: _Claims) -> Iterator[Member]:
    """Yield files and directories; those that may be part of booting are looked into."""
    others = 0
    for file in files:
        member = _file(iso, file)
        if member is None:
            continue
        if member.kind is None:
            hinted = bool(BOOTS.search(file.path) or INITRAMFS.search(file.path))
            others += not hinted
            wanted = (hinted or others <= MAX_OTHERS) and _is_looked_into(file.path, member.image, hinted)
            if not (wanted and claims.take(file.extents)):
                member = replace(member, kind="")
        yield member


def _claimed(member: Member, claims: _Claims) -> Member:
    """Return the member, not to be looked into when others lie there."""
    span = (member.offset or 0, len(member.image))
    return member if member.kind == "" or claims.take((span,)) else replace(member, kind="")


def _images(iso: Iso, sizes: Mapping[int, int]) -> dict[int, Member]:
    """Return boot images and partitions by where they begin; `sizes` are those of files that begin there."""
    found: dict[int, Member] = {}
    for boot in iso.boot_images:
        offset, entry = boot.entry.offset, boot.entry
        facts: dict[str, str | int] = {
            "el_torito": boot.number,
            "platform": entry.platform,
            "bootable": int(entry.bootable),
            "emulation": entry.media,
        }
        image = boot.image
        if not boot.volume and entry.media == eltorito.NO_EMULATION and offset in sizes:
            image = iso.image[offset : offset + max(sizes[offset], entry.size)]
        kind, read = _kind_of_boot_image(boot), None
        if boot.volume > len(image) and not iso.is_whole:
            read = read_cut_off
        found.setdefault(offset, Member(boot.name, image, offset, kind, read, facts))
    for place in iso.partitions.places:
        if place.offset <= VOLUME_DESCRIPTOR < place.offset + place.size:
            continue
        member = found.get(place.offset) or _of_place(iso.image, place, inside_iso=True)
        found[place.offset] = replace(member, facts={**place.facts, **member.facts})
    return found


def _name(member: Member, taken: set[str]) -> str:
    """Return the name of what is no file: that of our own boot image, or where it is pointed at from."""
    is_both = "el_torito" in member.facts and "partition" in member.facts
    is_efi = member.facts.get("platform") == eltorito.PLATFORM_EFI
    return EFI_IMAGE if is_both and is_efi and EFI_IMAGE not in taken else member.name


def _kind_of_boot_image(boot: BootImage) -> str | None:
    """Return what a boot image has to be: code for a BIOS looks like anything."""
    is_efi = boot.entry.platform == eltorito.PLATFORM_EFI
    if recognise(boot.image) is Format.FAT and (is_efi or boot.volume):
        return "fat"
    emulates_disk = boot.entry.media == HARD_DISK
    return None if is_efi or emulates_disk else ""


def _is_looked_into(path: str, image: Image, hinted: bool) -> bool:
    """Say whether a file may be part of booting, by its name and content: a CD has many of no concern."""
    known = recognise(image if hinted else bytes(image[:HEAD]))
    if known in PACKED:
        return INITRAMFS.search(path) is not None
    if known in DISKS:
        return path.lower().endswith((".img", ".raw"))
    return known in LOOKED_INTO and (hinted or known is not Format.PE)


def _file(iso: Iso, file: File) -> Member | None:
    """Return a member of the file system, None for a file that is not whole."""
    mode = file.mode or (stat.S_IFDIR | 0o755 if file.is_directory else stat.S_IFREG | 0o444)
    facts: dict[str, str | int] = {"mode": stat.filemode(mode)}
    if file.target:
        facts["target"] = file.target
    image = or_none(contents, iso.image, file) if file.extents else b""
    if image is None:
        return None
    offset = file.extents[0][0] if len(file.extents) == 1 else None
    return Member(file.path[1:], image, offset, None if file.extents else "", facts=facts)


def of_disk(disk: Partitions) -> Iterator[Member]:
    """Yield the partitions; where both tables have one at the same place, it is one."""
    found: dict[int, Member] = {}
    for place in disk.places:
        if place.offset:
            member = found.get(place.offset) or _of_place(disk.image, place, inside_iso=False)
            found[place.offset] = replace(member, facts={**place.facts, **member.facts})
    claims = _Claims()
    for member in found.values():
        yield _claimed(member, claims)


def _of_place(image: Image, place: Place, *, inside_iso: bool) -> Member:
    """Return a partition; a boot sector in it is not that of another disk."""
    part = image[place.offset : place.offset + place.size]
    kinds = FILE_SYSTEMS if inside_iso else {**FILE_SYSTEMS, Format.ISO9660: "iso"}
    known = recognise(part)
    if known is Format.FAT:  # firmware reads what lies in the partition, but it is one file system
        part = image[place.offset : place.offset + max(place.size, volume_size(part))]
    read = read_cut_off if known is Format.FAT and len(part) < place.size else None
    return Member(place.name, part, place.offset, kinds.get(known, "") if known else "", read)
