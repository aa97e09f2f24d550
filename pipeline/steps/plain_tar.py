"""Reads the tar of a root file system, and writes it as all makers of file systems understand it alike.

They differ in what they make of the order of members, of folders that are not named, and of names in other
letters than ASCII: so there is one order, every folder is named, and names are bytes.

Specification: POSIX.1-2024, pax ("pax Interchange Format"); libarchive, tar(5) (SCHILY.xattr)
"""

import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import PipelineError

XATTR = "SCHILY.xattr."
NAMESPACES = ("security.", "system.", "trusted.", "user.")
ACL = "SCHILY.acl."
RAW = {"hdrcharset": "BINARY"}
"""Has names taken as bytes: libarchive would convert them to the locale, and a container has none."""

KINDS = {
    tarfile.REGTYPE: tarfile.REGTYPE,
    tarfile.AREGTYPE: tarfile.REGTYPE,
    tarfile.CONTTYPE: tarfile.REGTYPE,
    tarfile.GNUTYPE_SPARSE: tarfile.REGTYPE,
    tarfile.DIRTYPE: tarfile.DIRTYPE,
    tarfile.SYMTYPE: tarfile.SYMTYPE,
    tarfile.LNKTYPE: tarfile.LNKTYPE,
    tarfile.CHRTYPE: tarfile.CHRTYPE,
    tarfile.BLKTYPE: tarfile.BLKTYPE,
    tarfile.FIFOTYPE: tarfile.FIFOTYPE,
}
"""What a member may be, and what it is written as."""


@dataclass(frozen=True)
class Member:
    """A member of the tree: `name` is its path, "" for the root; `given` as the tar had it, None for a folder
    that it did not name. `plain` is what is written."""

    name: str
    plain: tarfile.TarInfo
    given: tarfile.TarInfo | None

    @property
    def xattrs(self) -> dict[str, str]:
        """Its extended attributes; values as Python keeps bytes that are no UTF-8."""
        headers = self.plain.pax_headers
        return {key.removeprefix(XATTR): value for key, value in headers.items() if key.startswith(XATTR)}


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar. Raises PipelineError for what is none, also where that is seen only while it is read."""
    try:
        with tarfile.open(path, "r:", errors="surrogateescape") as tar:
            yield tar
    except tarfile.TarError as error:
        raise PipelineError(
            f"{path.name} cannot be read as a tar: {error}", "give an uncompressed tar that is whole"
        ) from error


def read_tree(tar: tarfile.TarFile, epoch: int) -> list[Member]:
    """Return the members, the root first, each folder before what is in it, hard links last; else by name.

    Times are those of the tar, but not after `epoch` (seconds since 1970); folders that it does not name get
    that. Raises PipelineError for names that lead out of the tree, that occur twice or lie in what is no
    folder, for hard links to no file, and for kinds of members that no file system keeps.
    """
    found: dict[str, Member] = {}
    for given in tar:
        name = _name(given.name)
        if name in found:
            raise PipelineError(f"the tree has {name or '/'!r} twice", "keep one of them")
        found[name] = Member(name, _plain(given, name, epoch), given)
    for name in list(found):
        for parent in _parents(name):
            there = found.setdefault(parent, Member(parent, _folder(parent, epoch), None))
            if not there.plain.isdir():
                raise PipelineError(
                    f"the tree's {name!r} lies in {parent!r}, which is no folder",
                    f"name it by the path that {parent!r} leads to",
                )
    for member in found.values():
        if member.plain.islnk():
            _take_over(member, found.get(member.plain.linkname))
    return sorted(
        found.values(), key=lambda one: (one.plain.islnk(), one.name.split("/") if one.name else [])
    )


def write_tree(tar: tarfile.TarFile, members: Iterable[Member], out: Path) -> None:
    """Write the members to the tar `out`, with the contents that they have in `tar`."""
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as plain:
        for member in members:
            data = tar.extractfile(member.given) if member.given and member.plain.isreg() else None
            plain.addfile(member.plain, data)


def _name(given: str) -> str:
    """Return a member's path without `./` and slashes at its end."""
    path = PurePosixPath(given)
    if path.is_absolute() or ".." in path.parts:
        raise PipelineError(f"the tree's {given!r} leads out of it", "name its members from the root on")
    return "" if path == PurePosixPath() else str(path)


def _parents(name: str) -> list[str]:
    """Return the folders that a path lies in, "" for the root."""
    return ["" if str(one) == "." else str(one) for one in PurePosixPath(name).parents]


def _plain(given: tarfile.TarInfo, name: str, epoch: int) -> tarfile.TarInfo:
    kind = KINDS.get(given.type)
    if kind is None or any(key.startswith(ACL) for key in given.pax_headers):
        what = f"of the type {given.type!r}" if kind is None else "with an access control list"
        raise PipelineError(
            f"the tree's {given.name!r} is a member {what}, which not every file system keeps",
            "leave it out, or make it when the system starts (tmpfiles.d)",
        )
    plain = _info(name, kind, given.mode, min(int(given.mtime), epoch))
    plain.uid, plain.gid, plain.size = given.uid, given.gid, given.size if kind == tarfile.REGTYPE else 0
    plain.devmajor, plain.devminor = given.devmajor, given.devminor
    plain.linkname = _name(given.linkname) if kind == tarfile.LNKTYPE else given.linkname
    attributes = {key: value for key, value in given.pax_headers.items() if key.startswith(XATTR)}
    for key in attributes:
        if not key.removeprefix(XATTR).startswith(NAMESPACES):
            raise PipelineError(
                f"the tree's {given.name!r} has the extended attribute {key.removeprefix(XATTR)!r}, "
                "which is in no namespace that Linux has",
                f"begin its name with one of {', '.join(NAMESPACES)}",
            )
    plain.pax_headers = _headers(attributes, name + plain.linkname)
    return plain


def _take_over(link: Member, target: Member | None) -> None:
    """Give a hard link what its file has: makers of file systems set the one inode once more by it."""
    if target is None or not target.plain.isreg():
        raise PipelineError(
            f"the tree's {link.name!r} is a hard link to {link.plain.linkname!r}, which is no file in it",
            "put the file itself there",
        )
    one, other = link.plain, target.plain
    one.mode, one.uid, one.gid, one.mtime = other.mode, other.uid, other.gid, other.mtime
    attributes = {key: value for key, value in other.pax_headers.items() if key.startswith(XATTR)}
    one.pax_headers = _headers(attributes, one.name + one.linkname)


def _folder(name: str, epoch: int) -> tarfile.TarInfo:
    plain = _info(name, tarfile.DIRTYPE, 0o755, epoch)
    plain.pax_headers = _headers({}, name)
    return plain


def _info(name: str, kind: bytes, mode: int, mtime: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name or "./")
    info.type, info.mode, info.mtime = kind, mode & 0o7777, mtime
    return info


def _headers(attributes: Mapping[str, str], names: str) -> dict[str, str]:
    """Return a member's extended header: attributes by name, and the character set where it matters."""
    plain = names.isascii() and all(value.isascii() for value in attributes.values())
    return dict(sorted(attributes.items())) | ({} if plain else RAW)
