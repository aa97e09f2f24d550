"""What the bytes of a medium are spent on: from the ISO down to the files in what it packs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import zstandard

from pipeline.checks.catalog import recognise, take_apart
from pipeline.checks.compressed import Packed
from pipeline.checks.initramfs.read import Initramfs
from pipeline.checks.kind import Node
from pipeline.checks.quoting import shown
from pipeline.formats.fields import CHUNK, Image

REST = "structure, padding, free space"
OTHERS = "others"
LEVEL = 3  # of zstd: what is compared is how well files pack, not how well this does

TONES: Mapping[str, str] = {
    "iso": "medium",
    "disk": "medium",
    "fat": "medium",
    "packed": "initramfs",
    "uki": "uki",
    "efi": "uki",
    "kernel": "kernel",
    "bzimage": "kernel",
    "initramfs": "initramfs",
    "elf": "program",
}
"""What kinds of artifacts are to somebody who looks for what is large; all others are data."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A part of a medium: it takes `stored` bytes of it, and is `size` bytes once it is unpacked.

    Of what lies in a compressed archive nobody can say what it takes there: that is `estimated`. `parts` are
    the largest first, and take all of `stored` where there are any. `tone` is one of `TONES`, data or rest.
    """

    name: str
    what: str
    tone: str
    stored: int
    size: int
    estimated: bool = False
    parts: tuple["Spent", ...] = ()

    @property
    def short(self) -> str:
        """What it is called where there is little room: the last part of a path."""
        return self.name.rpartition("/")[2]

    def walk(self, depth: int = 0) -> Iterator[tuple[int, "Spent"]]:
        """Yield it and all below it, each with how deep it lies."""
        yield depth, self
        for part in self.parts:
            yield from part.walk(depth + 1)


def spent_on(node: Node) -> Spent:
    """Return what a medium that was taken apart is spent on.

    The files in a compressed archive share what it takes by what each takes when it is compressed alone.
    Raises FormatError for bytes that are no longer there.
    """
    return _spent(node, len(node.member.image), estimated=False)


def _spent(node: Node, stored: int, *, estimated: bool, carried: bool = False) -> Spent:
    if not carried and _carries(node):
        node, carried = take_apart(node.member.image, node.name), True
    kind = node.kind.name if node.kind else ""
    size, packs = len(node.member.image), _packs(node)
    children = [(child, weight) for child in _disjoint(node) if (weight := _weight(child, packed=packs))]
    whole = sum(weight for _, weight in children)
    if not packs:
        whole = max(whole, size)
    parts = [
        _spent(child, stored * weight // whole, estimated=estimated or packs, carried=carried)
        for child, weight in children
    ]
    rest = stored - sum(part.stored for part in parts)
    if parts and rest:
        unpacked = rest if packs else size - sum(part.size for part in parts)
        parts.append(Spent(REST, "", "rest", rest, max(unpacked, 0), estimated or packs))
    parts.sort(key=lambda part: (-part.stored, part.name))
    what = node.kind.title if node.kind else ""
    return Spent(shown(node.name), what, TONES.get(kind, "data"), stored, size, estimated, tuple(parts))


def _carries(node: Node) -> bool:
    """Tell whether it is an image of its own, as the UKI that another one installs: no rule looks into it."""
    return node.kind is None and recognise(node.member.image) == "uki"


def _packs(node: Node) -> bool:
    """Tell whether what lies in it takes fewer bytes there than it has."""
    artifact = node.artifact
    if isinstance(artifact, Initramfs):
        return any(segment.compression for segment in artifact.segments)
    return isinstance(artifact, Packed)


def _disjoint(node: Node) -> Iterator[Node]:
    """Yield the parts that share no bytes with one before them."""
    taken = 0
    anywhere = [child for child in node.parts if child.member.offset is None]
    placed = [child for child in node.parts if child.member.offset is not None]
    for child in sorted(placed, key=lambda child: child.member.offset or 0):
        offset = child.member.offset or 0
        if offset >= taken:
            taken = offset + len(child.member.image)
            yield child
    yield from anywhere


def _weight(node: Node, *, packed: bool) -> int:
    image = node.member.image
    return _compressed(image) if packed and len(image) else len(image)


def _compressed(image: Image) -> int:
    """Return how many bytes an image takes that is compressed alone."""
    packer = zstandard.ZstdCompressor(level=LEVEL).compressobj(size=len(image))
    found = sum(len(packer.compress(bytes(image[at : at + CHUNK]))) for at in range(0, len(image), CHUNK))
    return found + len(packer.flush())
