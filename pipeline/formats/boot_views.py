"""What file systems, ISOs and archives hold, as `boot_files` has it."""

import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from pipeline.errors import FormatError
from pipeline.formats import fat, fat_directory, iso9660_directory
from pipeline.formats.boot_files import Files, parts_of, with_parents
from pipeline.formats.budget import STEPS
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image, budget_of
from pipeline.formats.filesystem import FileSystem
from pipeline.formats.iso9660 import Iso9660


def of_entries(entries: Iterable[Entry]) -> Files:
    """Return the members of a tar or cpio archive; of several with one name, the last."""
    members = {"/".join(parts_of(entry.name)): entry for entry in entries}
    members.pop("", None)
    return _of_modes(
        {
            path: (
                entry.mode,
                entry.data,
                bytes(entry.data[:4096]).decode(errors="surrogateescape") if stat.S_ISLNK(entry.mode) else "",
            )
            for path, entry in members.items()
        }
    )


def of_file_system(system: FileSystem) -> Files:
    """Return what is in an ext2 to ext4, EROFS or squashfs."""
    return _of_modes(
        {
            file.path: (file.inode.mode, file.inode.data, file.inode.target)
            for file in system.files
            if file.path
        }
    )


def _of_modes(members: Mapping[str, tuple[int, Image, str]]) -> Files:
    files, links, folders, others = dict[str, Image](), dict[str, str](), set[str](), set[str]()
    for path, (mode, data, target) in members.items():
        if stat.S_ISREG(mode):
            files[path] = data
        elif stat.S_ISLNK(mode):
            links[path] = target
        elif stat.S_ISDIR(mode):
            folders.add(path)
        else:
            others.add(path)
    return Files(files, links, folders | with_parents(members), others)


def of_fat(volume: fat.Volume) -> Files:
    """Return what is in a FAT file system. Raises FormatError where its directories are damaged."""
    table = fat.read_table(volume)
    return of_fat_entries(volume, table, fat_directory.walk(volume, table))


def of_fat_entries(volume: fat.Volume, table: Sequence[int], entries: Iterable[fat_directory.Entry]) -> Files:
    """Return what its entries name in a FAT file system; files whose chains are broken are left out."""
    files, folders = dict[str, Image](), set[str]()
    for entry in entries:
        if entry.is_directory:
            folders.add(entry.path)
        elif not entry.is_label:
            with suppress(FormatError):
                files[entry.path] = fat_directory.read_file(volume, table, entry)
    return Files(files, {}, folders | with_parents(files), ignore_case=True)


def of_iso(image: Image, iso: Iso9660) -> Files:
    """Return what is in an ISO, without files that lie outside; names differ by case only with Rock Ridge."""
    files, links, folders = dict[str, Image](), dict[str, str](), set[str]()
    for member in iso.members:
        budget_of(image).spend(STEPS)
        path = "/".join(parts_of(member.path))
        if member.is_directory:
            folders.add(path)
        elif member.target:
            links[path] = member.target
        else:
            with suppress(FormatError):
                files[path] = iso9660_directory.contents(image, member)
    return Files(files, links, folders - {""} | with_parents(files), ignore_case=not iso.has_rock_ridge)
