"""Where in an image a /boot lies that Heads verifies, and whether its owner can sign it as it is."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats import ext4, gpt, heads
from pipeline.formats.boot_files import Files
from pipeline.formats.boot_views import of_file_system
from pipeline.formats.fields import Image
from pipeline.formats.filesystem import FileSystem

LISTS = (heads.HASHES, heads.TREE)
MAGIC_AT = ext4.START + 0x38
MOST_SAID = 5  # differences between a /boot and its lists


@dataclass(frozen=True)
class SignedBoot:
    """An ext4 with a /boot: its place in the image in bytes, what is in it, and when its lists were made.

    `time` is in seconds since 1970.
    """

    offset: int
    size: int
    files: Files
    time: int

    @property
    def text(self) -> bytes:
        """What the owner signs: the digests of all lists, also those that a Heads has added."""
        names = (name for name in self.files.files if name.startswith(heads.OWN) and "/" not in name)
        return heads.signed_text({name: bytes(self.files.image(name)) for name in names})

    @property
    def listed(self) -> int:
        """How many files the signature vouches for."""
        return len(heads.read_hashes(self.files.read(heads.HASHES)))

    @property
    def signature(self) -> bytes:
        """The signature that is there, nothing where there is none."""
        return self.files.read(heads.SIGNATURE) if self.files.is_file(heads.SIGNATURE) else b""


def boot_in(image: Image) -> SignedBoot:
    """Return the one /boot with Heads' lists in a raw disk, or in an ext4, if these say what is in it.

    Raises FormatError for none such and several, and for lists that are stale.
    """
    boots = [boot for offset, size in _places(image) for boot in _boot(image, offset, size)]
    if not boots:
        raise FormatError(
            f"no ext4 in it has {heads.HASHES} and {heads.TREE} at its top",
            "write `heads = true` into [boot] of its recipe, and build it again",
        )
    if len(boots) > 1:
        raise FormatError(
            f"it has {len(boots)} partitions with lists of Heads, which starts one of them",
            "name the file system of one /boot instead",
        )
    return boots[0]


def _places(image: Image) -> Iterator[tuple[int, int]]:
    """Yield where in an image ext4s are, from which byte and how many: itself, or its partitions."""
    if _is_ext4(image):
        yield 0, len(image)
        return
    block = gpt.find_sector_size(image)
    if block is None:
        raise FormatError("is neither an ext4 nor a disk with a GPT", "name one of these, or an ISO")
    for partition in gpt.read_table(image, 1, block).partitions:
        offset, size = partition.first_lba * block, (partition.last_lba - partition.first_lba + 1) * block
        if _is_ext4(image[offset : offset + size]):
            yield offset, size


def _is_ext4(image: Image) -> bool:
    return bytes(image[MAGIC_AT : MAGIC_AT + 2]) == ext4.MAGIC.to_bytes(2, "little")


def _boot(image: Image, offset: int, size: int) -> Iterator[SignedBoot]:
    system = ext4.read_ext4(image[offset : offset + size])
    files = of_file_system(system)
    if all(files.is_file(name) for name in LISTS):
        times = [file.inode.mtime for file in system.files if file.path == heads.HASHES]
        _check(system, files)
        yield SignedBoot(offset, size, files, times[0])


def _check(system: FileSystem, files: Files) -> None:
    """Raise FormatError unless lists and files say the same, so that Heads takes what is signed."""
    if "needs_recovery" in system.superblock.features:
        raise FormatError(
            "its /boot was not unmounted: the journal has changes that are not in their places",
            "run e2fsck(8) on it first",
        )
    if system.faults:
        raise FormatError(f"its /boot is damaged: {system.faults[0].message}", "check it with e2fsck(8)")
    wrong = [each.message for each in heads.differences(files, *(files.read(name) for name in LISTS))]
    if wrong:
        more = [f"and {len(wrong) - MOST_SAID} more"] if len(wrong) > MOST_SAID else []
        raise FormatError(
            "the lists are not of what is in its /boot:\n    " + "\n    ".join([*wrong[:MOST_SAID], *more]),
            "build it again: a signature vouches for what the lists say",
        )
