"""What must hold of a tar with a raw disk, which Google's Compute Engine takes packed with gzip."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.finding import Fault, Rules
from pipeline.checks.kind import Kind, Member, Node
from pipeline.formats import tar
from pipeline.formats.fields import Image

SPEC = "Google Cloud, Compute Engine, Manually import boot disks, Create a compressed archive"
NAME = "disk.raw"
GIB = 1 << 30
AGAIN = "make it with `tar --format=oldgnu -Sczf image.tar.gz disk.raw`"
rule = Rules["Archive"]()
whole = Rules[Node]()


@dataclass(frozen=True, slots=True)
class Archive:
    """The members of the tar."""

    files: tuple[tar.Member, ...]


def read_archive(image: Image) -> Archive:
    """Read a tar. Raises FormatError where it is damaged."""
    return Archive(tuple(tar.read_tar(image)))


def is_archive(image: Image) -> bool:
    """Say whether the first member of a tar is a raw disk by its name."""
    return tar.first_name(image).lower().endswith(".raw")


@rule("GCE001", "it has one file, disk.raw", lenient=True, spec=SPEC, fix=AGAIN)
def is_named(archive: Archive) -> Iterator[Fault]:
    """Compute Engine looks for that name alone."""
    names = [file.name for file in archive.files]
    if names != [NAME]:
        yield f"the tar has {', '.join(names)}; Compute Engine takes {NAME} and nothing else"


@rule(
    "GCE002",
    "the disk is a whole number of GiB",
    lenient=True,
    spec=SPEC,
    fix="pad it with `truncate -s %1G disk.raw`",
)
def is_whole(archive: Archive) -> Iterator[Fault]:
    """Compute Engine refuses an image of another size."""
    for file in archive.files:
        if file.name == NAME and file.image is not None and (len(file.image) % GIB or not len(file.image)):
            yield f"the disk has {len(file.image)} bytes, no whole number of GiB"


@rule("GCE003", "it is in GNU's old format", lenient=True, spec=SPEC, fix=AGAIN)
def is_old_gnu(archive: Archive) -> Iterator[Fault]:
    """Compute Engine asks for it by name."""
    for file in archive.files:
        if file.magic != b"ustar  \0":
            yield f"the header of {file.name} is not in the format oldgnu"


@whole("GCE004", "it is packed with gzip", lenient=True, spec=SPEC, fix=AGAIN)
def is_packed(_node: Node) -> Iterator[Fault]:
    """Compute Engine takes only a .tar.gz."""
    yield "the tar is not packed"


def _members(archive: Archive) -> Iterator[Member]:
    for file in archive.files:
        if file.image is not None:
            yield Member(file.name, file.image)


GCE = Kind(
    "gce",
    "tar with a raw disk",
    "GCE000",
    read_archive,
    tuple(rule.table),
    _members,
    as_a_whole=tuple(whole.table),
)
