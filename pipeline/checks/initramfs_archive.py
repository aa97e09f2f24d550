"""Owns what an initramfs is to the rules: its archives, their members, and the tree that Linux makes of them.

Must not know what should be in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.finding import Fault
from pipeline.errors import FormatError
from pipeline.formats import cpio_reader
from pipeline.formats import initramfs as archives
from pipeline.formats.compression import compression_of
from pipeline.formats.cpio_reader import Entry
from pipeline.formats.fields import Image, budget_of
from pipeline.formats.initramfs import Segment
from pipeline.formats.magic import describe
from pipeline.formats.tree import Tree


@dataclass(frozen=True, slots=True)
class Initramfs:
    """The archives that it is made of, their members in order, and the tree that Linux makes of them."""

    segments: tuple[Segment, ...]
    entries: tuple[Entry, ...]
    tree: Tree

    @property
    def is_early(self) -> bool:
        """Whether there is nothing in it but what Linux looks for before it unpacks: microcode, tables."""
        names = [plain(entry.name) for entry in self.entries]
        return all(name == "kernel" or name.startswith("kernel/") for name in names if name)


def is_archive(image: Image) -> bool:
    """Tell whether Linux would try to unpack these bytes: an archive, or something packed."""
    start = image[cpio_reader.skip_zeros(image, 0) :]
    return bool(compression_of(start)) or bytes(start[:4]) == b"0707"


def read_initramfs(image: Image) -> Initramfs:
    """Unpack and read, as Linux does. Raises FormatError when it is no archive, packed or not."""
    if not is_archive(image):
        raise FormatError(
            f"the initramfs is {describe(image)}, no archive that Linux unpacks",
            "make a newc archive, and pack it with zstd",
        )
    segments = archives.read_initramfs(image)
    entries = tuple(entry for segment in segments for entry in segment.entries)
    # where a name is there twice, Linux takes the last one
    members = {plain(entry.name): entry for entry in entries}
    return Initramfs(segments, entries, Tree(members, budget_of(image)))


def plain(name: str) -> str:
    """Return a name as paths are looked up: Linux unpacks `./a` and `/a` to `a`."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def is_one_zstd_archive(initramfs: Initramfs) -> Iterator[Fault]:
    """One archive, packed in one way: what else there is came in unnoticed."""
    found = [segment.compression or "nothing" for segment in initramfs.segments]
    if found != ["zstd"]:
        yield (
            f"the initramfs is not one archive packed with zstd: it has {len(found)}, "
            f"packed with {', '.join(dict.fromkeys(found))}",
            "compress one cpio archive with zstd",
        )


def checksums_are_right(initramfs: Initramfs) -> Iterator[Fault]:
    """Linux stops at a member whose checksum is wrong, and boots with what it has until then."""
    for entry in initramfs.entries:
        if not entry.is_sound:
            yield f"the checksum of {entry.name!r} is wrong", "make the archive again"
