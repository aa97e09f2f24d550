"""What must hold of an OVA: a tar of an OVF descriptor, a manifest, and the disks."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.attempt import attempt
from pipeline.checks.finding import Fault, Rules, Severity
from pipeline.checks.kind import Kind, Member
from pipeline.errors import FormatError
from pipeline.formats import tar
from pipeline.formats.fields import Image, chunks
from pipeline.formats.ovf import Ovf, read_manifest, read_ovf

SPEC = "DMTF DSP0243, Open Virtualization Format 1.1"
AGAIN = "make it again: a tar in the order descriptor, manifest, disks"
rule = Rules["Ova"]()


@dataclass(frozen=True, slots=True)
class Ova:
    """The files of the tar, in its order, the descriptor, and the manifest's digests, if it has any."""

    files: tuple[tar.Member, ...]
    ovf: Ovf
    manifest: dict[str, tuple[str, str]] | FormatError | None

    @property
    def in_short(self) -> str:
        """What the tree says of it."""
        return ", ".join(self.ovf.systems)

    @property
    def disks(self) -> tuple[str, ...]:
        """The names of the files in which the descriptor's disks are."""
        wanted = {disk.file for disk in self.ovf.disks}
        return tuple(each.name for each in self.ovf.files if each.identifier in wanted)

    def file(self, name: str) -> tar.Member | None:
        """Return the file of that name."""
        return next((file for file in self.files if file.name == name), None)


def read_ova(image: Image) -> Ova:
    """Read a tar and its descriptor. Raises FormatError where one of them cannot be read."""
    files = tuple(tar.read_tar(image))
    descriptor = next((file for file in files if file.name.lower().endswith(".ovf")), None)
    if descriptor is None or descriptor.image is None:
        raise FormatError("OVA: the tar has no .ovf file", AGAIN)
    manifest = next((file for file in files if file.name.lower().endswith(".mf")), None)
    digests = attempt(read_manifest, manifest.image) if manifest and manifest.image is not None else None
    return Ova(files, read_ovf(descriptor.image), digests)


@rule("OVA001", "its descriptor comes first", spec=f"{SPEC}, §5.3", fix=AGAIN)
def descriptor_is_first(ova: Ova) -> Iterator[Fault]:
    """Who reads it as a stream has to know what comes before it comes."""
    if not ova.files[0].name.lower().endswith(".ovf"):
        yield f"the first file is {ova.files[0].name!r}, no .ovf"


@rule("OVA002", "its files are in the descriptor's order", lenient=True, spec=f"{SPEC}, §5.3", fix=AGAIN)
def files_are_in_order(ova: Ova) -> Iterator[Fault]:
    """Behind descriptor, manifest and certificate come the files, as References lists them."""
    ends = (".ovf", ".mf", ".cert")
    if not ova.files[0].name.lower().endswith(ends[0]):
        return  # OVA001 says so
    heads = [next((end for end in ends if file.name.lower().endswith(end)), "") for file in ova.files]
    listed = [file.name for file in ova.ovf.files]
    names = [file.name for file, head in zip(ova.files, heads, strict=True) if not head]
    wanted = [name for name in listed if name in names] + [name for name in names if name not in listed]
    first = sorted(filter(None, heads), key=ends.index)
    if names != wanted or heads[: len(first)] != first:
        yield f"the order is {', '.join(file.name for file in ova.files)}"


@rule("OVA003", "its manifest is right", spec=f"{SPEC}, §5.1, manifest", fix=AGAIN)
def digests_are_right(ova: Ova) -> Iterator[Fault]:
    """What imports it compares, and refuses what differs."""
    if isinstance(ova.manifest, FormatError):
        raise ova.manifest
    for name, (algorithm, wanted) in (ova.manifest or {}).items():
        file = ova.file(name)
        if file is None or file.image is None:
            yield f"the manifest has a digest of {name!r}, which is not there"
            continue
        digest = hashlib.new(algorithm.lower(), usedforsecurity=False)
        for chunk in chunks(file.image):
            digest.update(chunk)
        if digest.hexdigest() != wanted:
            yield f"{name} has the {algorithm} digest {digest.hexdigest()}, the manifest says {wanted}"


@rule(
    "OVA004",
    "its manifest has a SHA-256 digest of each file",
    severity=Severity.WARNING,
    spec=f"{SPEC}, §5.1, manifest; DSP0243 2.1 for SHA-256",
    fix="make it again, with a manifest",
)
def has_digests(ova: Ova) -> Iterator[Fault]:
    """Without one nobody notices damage, and SHA-1 tells of no forgery."""
    digests = {} if ova.manifest is None or isinstance(ova.manifest, FormatError) else ova.manifest
    lacking = [
        file.name
        for file in ova.files
        if not file.name.lower().endswith((".mf", ".cert")) and digests.get(file.name, ("SHA1",))[0] == "SHA1"
    ]
    if lacking and not isinstance(ova.manifest, FormatError):
        yield f"there is no SHA-256 digest of {', '.join(lacking)}"


@rule("OVA005", "what its descriptor names is there", spec=f"{SPEC}, §7.1 and §9.1", fix=AGAIN)
def names_are_there(ova: Ova) -> Iterator[Fault]:
    """A disk is found by its id, in a file of that name and size."""
    for each in ova.ovf.files:
        file = ova.file(each.name)
        if file is None or file.image is None:
            yield f"the descriptor refers to the file {each.name!r}, which is not there"
        elif each.size is not None and each.size != len(file.image):
            yield f"the descriptor says that {each.name} has {each.size} bytes, it has {len(file.image)}"
    known = {each.identifier for each in ova.ovf.files}
    for disk in ova.ovf.disks:
        if disk.file and disk.file not in known:
            yield f"the disk {disk.identifier!r} is in the file {disk.file!r}, which is not listed"
    if not ova.ovf.disks:
        yield "the descriptor has no disk"


@rule(
    "OVA006",
    "it is a plain tar",
    lenient=True,
    spec=f"{SPEC}, §5.3 (USTAR)",
    fix="make it with `tar --format=ustar`",
)
def is_ustar(ova: Ova) -> Iterator[Fault]:
    """Some that import it read nothing but files of the plainest format."""
    for file in ova.files:
        if file.kind not in tar.REGULAR:
            yield f"{file.name} is of type {file.kind.decode('latin-1')!r}, no plain file"
        elif file.magic != b"ustar\x0000":
            yield f"the header of {file.name} is not in the format ustar"


def _members(ova: Ova) -> Iterator[Member]:
    """Yield the files; the disks of the descriptor are looked into."""
    disks = set(ova.disks)
    for file in ova.files:
        if file.image is not None:
            yield Member(file.name, file.image, file.offset + tar.BLOCK, None if file.name in disks else "")


OVA = Kind("ova", "OVA of a virtual machine", "OVA000", read_ova, tuple(rule.table), _members)
