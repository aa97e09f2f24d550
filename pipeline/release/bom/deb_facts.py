"""What a Debian package says of itself beyond its name: its source, what was linked into it, its licences."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.debian import deb

RELATION = re.compile(r"([a-z0-9][a-z0-9+.-]+) \(= ([^)]+)\)")
REBUILT = re.compile(r"\+b\d+$")
COPYRIGHT = re.compile(r"(?:\./)?usr/share/doc/([^/]+)(/copyright)?")
COPYRIGHT_LIMIT = 4 << 20  # bytes


@dataclass(frozen=True)
class Facts:
    """`source` is the source package's name and version, `linked` are those of which it has code in it.

    `copyright` is its debian/copyright; where that is another package's, `documented_by` names that one.
    `files` are the SHA-256 of its files but empty ones, and their paths without `usr/`, which all are below.
    """

    source: tuple[str, str]
    linked: tuple[tuple[str, str], ...]
    copyright: bytes
    documented_by: str = ""
    files: frozenset[tuple[str, str]] = field(default_factory=frozenset)


def read(path: Path, name: str, *, with_files: bool) -> Facts:
    """Read the package `name`; of its files only if `with_files`, as that is most of the work.

    Specification: deb-control(5), Debian Policy 7.8 and 12.5. Raises FormatError for what is no package.
    """
    control = deb.control(path)
    said = re.match(r"(\S+)(?: \((.+)\))?$", control.get("source", name))
    source, version = said.groups() if said else (name, None)
    version = version or REBUILT.sub("", control.get("version", ""))
    built = ", ".join(control.get(each, "") for each in ("built-using", "static-built-using"))
    found, documented_by, files = b"", "", set[tuple[str, str]]()
    with deb.open_archive(path) as archive:
        for member in archive:
            match = COPYRIGHT.fullmatch(member.name)
            file = archive.extractfile(member) if member.isreg() else None
            if match and match[1] == name:
                if match[2] and file:
                    found = file.read(COPYRIGHT_LIMIT)
                elif member.issym():
                    documented_by = member.linkname.rstrip("/").rpartition("/")[2]
            elif file and with_files and member.size:
                place = member.name.removeprefix("./").removeprefix("usr/")
                files.add((hashlib.file_digest(file, "sha256").hexdigest(), place))  # type: ignore[arg-type]
            if (found or documented_by) and not with_files:
                break
    linked = tuple((match[1], match[2]) for match in RELATION.finditer(built))
    return Facts((source, version), linked, found, documented_by, frozenset(files))
