"""What an initramfs is to the rules: its archives, their members, and the tree that Linux makes of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.checks.finding import Fault, Rules
from pipeline.errors import FormatError
from pipeline.formats.compression import LZ4_FRAME, compression_of
from pipeline.formats.cpio_reader import Entry, skip_zeros
from pipeline.formats.fields import Image, budget_of
from pipeline.formats.initramfs import EARLY, FOREIGN, Segment, unpack
from pipeline.formats.magic import describe, recognise
from pipeline.formats.tree import Lost, Tree, grow, plain

DRACUT = "early_cpio"  # the mark that dracut puts into what Linux looks for early


@dataclass(frozen=True, slots=True)
class Initramfs:
    """The archives that it is made of, their members in order, and the tree that Linux makes of them.

    `lost` are the members that it leaves out, `fault` is why it stops before the end, None where it does not,
    `doubts` is damage that it does not notice, and `programs` the paths of what it is for.
    """

    segments: tuple[Segment, ...]
    entries: tuple[Entry, ...]
    tree: Tree
    lost: Lost
    fault: FormatError | None
    doubts: tuple[FormatError, ...]
    programs: tuple[str, ...]

    @property
    def is_early(self) -> bool:
        """Whether there is nothing in it but what Linux looks for before it unpacks: microcode, tables."""
        names = {plain(entry.name) for entry in self.entries} - {"", DRACUT}
        return all(f"{name}/".startswith(EARLY) for name in names)


def is_archive(image: Image) -> bool:
    """Tell whether these bytes are meant to be unpacked: an archive, or something packed."""
    start = image[skip_zeros(image, 0) :]
    head = bytes(start[:4])
    return bool(compression_of(start)) or head in (b"0707", LZ4_FRAME) or recognise(start) in FOREIGN


def read_initramfs(image: Image, programs: tuple[str, ...]) -> Initramfs:
    """Unpack and read, as Linux does. Raises FormatError when nothing comes out of it."""
    if not is_archive(image):
        raise FormatError(
            f"the initramfs is {describe(image)}, not an archive that Linux unpacks",
            "make a newc archive, and pack it with zstd",
        )
    unpacked = unpack(image)
    entries = tuple(entry for segment in unpacked.segments for entry in segment.entries)
    reasons = (unpacked.fault,) if unpacked.fault else unpacked.doubts
    if not entries and reasons:
        raise reasons[0]
    tree, lost = grow(entries, budget_of(image))
    return Initramfs(unpacked.segments, entries, tree, lost, unpacked.fault, unpacked.doubts, programs)


rule = Rules[Initramfs]()


@rule(
    "CPIO019",
    "Linux unpacks all of it",
    lenient=True,
    spec="Linux, init/initramfs.c (unpack_to_rootfs, do_reset) and lib/decompress_*.c",
    fix="fill each part up to a multiple of 4 before the next is joined to it, or make it again",
)
def linux_unpacks_all(initramfs: Initramfs) -> Iterator[Fault]:
    """Linux boots with what it has unpacked until it stops, and what follows is not there."""
    fault = initramfs.fault
    if fault:
        count = len(initramfs.entries)
        yield f"{fault.message}: Linux stops there, and keeps the members before it: {count}", fault.hint
    for doubt in initramfs.doubts:
        yield doubt.message, doubt.hint
    for entry, taken in initramfs.lost:
        if taken:
            yield (
                f"{entry.name!r} is left out: /{taken} is a directory already, and has something in it",
                f"take /{taken} out of the archive before, or put it there under another name",
            )


@rule(
    "CPIO013",
    "it is one archive, packed with zstd",
    policy="appliance",
    spec="Linux, init/initramfs.c (unpack_to_rootfs)",
    fix="compress one cpio archive with zstd",
)
def is_one_zstd_archive(initramfs: Initramfs) -> Iterator[Fault]:
    """One archive, packed in one way: what else there is came in unnoticed."""
    found = [segment.compression or "nothing" for segment in initramfs.segments]
    if found != ["zstd"]:
        yield (
            f"the initramfs is not one archive packed with zstd: it has {len(found)}, "
            f"packed with {', '.join(dict.fromkeys(found))}"
        )


@rule(
    "CPIO016",
    "checksums are right",
    spec="Linux, Documentation/driver-api/early-userspace/buffer-format.rst, c_chksum; "
    "Linux, init/initramfs.c (do_copy)",
    fix="make the archive again; with magic 070701 it needs no checksums",
)
def checksums_are_right(initramfs: Initramfs) -> Iterator[Fault]:
    """Linux stops at a member whose checksum is wrong, and boots with what it has until then."""
    for entry in initramfs.entries:
        if not entry.is_sound:
            yield f"the checksum of {entry.name!r} is wrong"
