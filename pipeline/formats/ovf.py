"""Reads what an OVA has besides disks: the OVF descriptor, and the manifest of digests.

Specification: DMTF DSP0243, Open Virtualization Format 1.1 and 2.1, §5.1 (OVF package), §6 (manifest), §7.1
(References), §9.1 (DiskSection)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.parsers import expat

from pipeline.errors import FormatError
from pipeline.formats.fields import Image

MAX_SIZE = 1 << 20  # bytes
MAX_NAMED = 1000
LINE = re.compile(r"(SHA1|SHA256|SHA512)\s*\((.+)\)\s*=\s*([0-9A-Fa-f]{40,128})\s*")
AGAIN = "export the appliance again"


@dataclass(frozen=True, slots=True)
class File:
    """A file that a descriptor refers to; `size` is None where it is not said."""

    identifier: str
    name: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Disk:
    """A virtual disk: the id of the file that it is in, "" for one that starts empty."""

    identifier: str
    file: str
    capacity: str


@dataclass(frozen=True, slots=True)
class Ovf:
    """A descriptor: the files that it refers to, in their order, its disks, and the ids of machines."""

    files: tuple[File, ...]
    disks: tuple[Disk, ...]
    systems: tuple[str, ...]


def read_ovf(image: Image) -> Ovf:
    """Read a descriptor. Raises FormatError for what is no XML, no OVF, or declares a document type."""
    if len(image) > MAX_SIZE:
        raise FormatError(f"OVF: a descriptor of {len(image)} bytes; {MAX_SIZE} are read", AGAIN)
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(bytes(image), True)
    except expat.ExpatError as error:
        raise FormatError(f"OVF: the descriptor is no XML: {error}", AGAIN) from error
    except (LookupError, ValueError) as error:  # its encoding
        raise FormatError("OVF: the descriptor is in an encoding that is not known", AGAIN) from error
    if reader.root != "Envelope":
        raise FormatError(f"OVF: the descriptor is a {reader.root!r}, no 'Envelope'", AGAIN)
    return Ovf(tuple(reader.files), tuple(reader.disks), tuple(reader.systems))


def _refuse(*_: object) -> None:
    raise FormatError("OVF: the descriptor declares a document type, which an OVF never needs", AGAIN)


class _Reader:
    """Keeps what counts of the elements as they begin, by their local names."""

    def __init__(self) -> None:
        self.root = ""
        self.files: list[File] = []
        self.disks: list[Disk] = []
        self.systems: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(" ")[2]
        said = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        self.root = self.root or local
        if len(self.files) + len(self.disks) + len(self.systems) >= MAX_NAMED:
            raise FormatError(f"OVF: it names more than {MAX_NAMED} files, disks and systems", AGAIN)
        if local == "File":
            size = said.get("size", "")
            known = int(size) if re.fullmatch(r"[0-9]{1,19}", size) else None
            self.files.append(File(said.get("id", ""), said.get("href", ""), known))
        elif local == "Disk":
            self.disks.append(Disk(said.get("diskId", ""), said.get("fileRef", ""), said.get("capacity", "")))
        elif local == "VirtualSystem":
            self.systems.append(said.get("id", ""))


def read_manifest(image: Image) -> dict[str, tuple[str, str]]:
    """Return algorithm and digest by file name. Raises FormatError, quoting the line that cannot be read."""
    if len(image) > MAX_SIZE:
        raise FormatError(f"OVF: a manifest of {len(image)} bytes; {MAX_SIZE} are read", AGAIN)
    found: dict[str, tuple[str, str]] = {}
    for number, line in enumerate(bytes(image).decode(errors="replace").splitlines(), 1):
        match = LINE.fullmatch(line)
        if match is None:
            if line.strip():
                raise FormatError(
                    f"OVF: line {number} of the manifest is {line[:80]!r}, no `SHA256(FILE)= DIGEST`", AGAIN
                )
            continue
        found[match[2]] = (match[1], match[3].lower())
    return found
