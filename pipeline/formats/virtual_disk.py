"""Virtual disks: blocks that lie in a file in any order, packed or not at all, read as the disk they make up.

Readers of one format each are `qcow2`, `vhd` and `vmdk`, and `tar` for members with holes; they say where a
block lies, and read what that takes when it is asked for.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.budget import STEPS, UNPACKED, Budget
from pipeline.formats.fields import Extents, Image, Virtual, budget_of, charged, cut

SECTOR = 512
MAX_SIZE = 1 << 62  # bytes: more cannot be counted here
KEPT = 1 << 23  # bytes that are kept, in case they are asked for again

Unpack = Callable[[bytes, int], bytes]
"""Gets what is packed and how many bytes come out of it. Raises FormatError for what is damaged."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a block lie in the file, from `offset` on.

    Of a packed one `packed` is the number of bytes there, and the block is what comes out, from `skip` on.
    """

    offset: int
    packed: int = 0
    skip: int = 0


Find = Callable[[int, Budget], Place | None]
"""Says where the block of a number lies, None for one of zeros."""


class Kept:
    """The last results of something that is asked for again and again, up to KEPT bytes of them."""

    def __init__(self) -> None:
        self.found: OrderedDict[int, bytes] = OrderedDict()
        self.size = 0

    def get(self, key: int, make: Callable[[], bytes]) -> bytes:
        """Return what was made for a key, or make it."""
        if key not in self.found:
            self.found[key] = make()
            self.size += len(self.found[key])
            while self.size > KEPT and len(self.found) > 1:
                self.size -= len(self.found.popitem(last=False)[1])
        self.found.move_to_end(key)
        return self.found[key]


class Container:
    """The file that a disk lies in, read for whoever pays: one budget looks at it, another extracts."""

    def __init__(self, image: Image) -> None:
        self.image: Extents = image if isinstance(image, Extents) else charged(image, budget_of(image))

    def read(self, offset: int, size: int, budget: Budget, what: str) -> bytes:
        """Return bytes of it; FormatError, naming `what`, where they are missing."""
        piece = cut(self.image, offset, size, what)
        return bytes(piece if budget is self.image.budget else charged(piece, budget))


def as_it_is(packed: bytes, _size: int) -> bytes:
    """Return what was never packed, of a format that packs nothing."""
    return packed


class Blocks(Virtual):
    """A disk of blocks of `block_size` bytes; what is packed unpacks to `unpacked` bytes, if to others."""

    def __init__(
        self,
        container: Container,
        block_size: int,
        find: Find,
        unpack: Unpack = as_it_is,
        unpacked: int = 0,
    ) -> None:
        self.container, self.block_size, self.find, self.unpack = container, block_size, find, unpack
        self.unpacked = unpacked or block_size
        self.kept = Kept()

    def read_at(self, offset: int, size: int, budget: Budget) -> bytes:
        """Return what is on the disk at `offset`."""
        parts, end = [], offset + size
        while offset < end:
            budget.spend(STEPS)
            number, start = divmod(offset, self.block_size)
            count = min(self.block_size - start, end - offset)
            parts.append(self._part(number, start, count, budget))
            offset += count
        return b"".join(parts)

    def _part(self, number: int, start: int, count: int, budget: Budget) -> bytes:
        place = self.find(number, budget)
        if place is None:
            return bytes(count)
        if not place.packed:
            return self.container.read(place.offset + start, count, budget, f"block {number} of the disk")
        data = self.kept.get(place.offset, lambda: self._unpacked(number, place, budget))
        return data[place.skip + start : place.skip + start + count]

    def _unpacked(self, number: int, place: Place, budget: Budget) -> bytes:
        packed = self.container.read(place.offset, place.packed, budget, f"block {number} of the disk")
        budget.spend(UNPACKED, self.unpacked)
        try:
            data = self.unpack(packed, self.unpacked)
        except FormatError as error:
            raise FormatError(
                f"block {number} of the disk, packed at offset {place.offset:#x}: {error.message}", error.hint
            ) from error
        return data


def disk_of(blocks: Virtual, size: int, budget: Budget) -> Extents:
    """Return what is on a disk of `size` bytes. Raises FormatError for more than any reader counts."""
    return Extents(blocks, [(0, checked_size(size))], budget)


def checked_size(size: int) -> int:
    """Return the size of a disk. Raises FormatError for one that no reader here can count."""
    if size > MAX_SIZE:
        raise FormatError(
            f"the disk has {size} bytes, more than any disk ({MAX_SIZE})",
            "the file is damaged: make it again",
        )
    return size


def elsewhere(what: str, name: str) -> FormatError:
    """Return what is said to who asks for a disk of which parts lie in another file, `what`."""
    return FormatError(
        f"the disk is not all in this file: {what} is {name!r}",
        "put it into one file where both are, with `qemu-img convert`",
    )
