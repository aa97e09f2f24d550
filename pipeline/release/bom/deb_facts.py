"""What a Debian package says beyond its name: its source, what was linked into it, its licences and files."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.debian import deb

RELATION = re.compile(r"([a-z0-9][a-z0-9+.-]+) \(= ([^)]+)\)")
REBUILT = re.compile(r"\+b\d+$")
COPYRIGHT = re.compile(r"(?:\./)?usr/share/doc/([^/]+)(/copyright)?")
COPYRIGHT_LIMIT = 4 << 20  # bytes


@dataclass(frozen=True)
class Facts:
    """`source` is the source package's name and version, `linked` are those of which it has code in it."""

    source: tuple[str, str]
    linked: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Documents:
    """`copyright` is a package's debian/copyright, or `elsewhere` the name of the package that has it.

    `source` is the source package's name.
    """

    source: str
    copyright: bytes = b""
    elsewhere: str = ""


def facts(path: Path, name: str) -> Facts:
    """Read what the package `name` is made of (deb-control(5), Debian Policy 7.8).

    Raises FormatError for what is no package, as all functions here.
    """
    control = deb.control(path)
    said = re.match(r"(\S+)(?: \((.+)\))?$", control.get("source", name))
    source, version = said.groups() if said else (name, None)
    version = version or REBUILT.sub("", control.get("version", ""))
    built = ", ".join(control.get(each, "") for each in ("built-using", "static-built-using"))
    linked = tuple((match[1], match[2]) for match in RELATION.finditer(built))
    return Facts((source, version), linked)


def documents(path: Path, name: str) -> Documents:
    """Read the debian/copyright of the package `name` (Debian Policy 12.5): most of the package, often."""
    source, _ = facts(path, name).source
    with deb.open_archive(path) as archive:
        for member in archive:
            match = COPYRIGHT.fullmatch(member.name)
            if match is None or match[1] != name:
                continue
            if member.issym():
                target = PurePosixPath(member.linkname)
                return Documents(source, elsewhere=(target.parent if match[2] else target).name)
            if match[2] and member.isreg() and (file := archive.extractfile(member)):
                return Documents(source, file.read(COPYRIGHT_LIMIT))
    return Documents(source)


def files(path: Path) -> frozenset[tuple[str, str]]:
    """Return SHA-256 and path of each file of a package but empty ones; paths are without `usr/`."""
    found = set()
    with deb.open_archive(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() and member.size else None
            if file:
                place = member.name.removeprefix("./").removeprefix("usr/")
                found.add((hashlib.file_digest(file, "sha256").hexdigest(), place))  # type: ignore[arg-type]
    return frozenset(found)
