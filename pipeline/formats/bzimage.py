"""Owns reading the x86 boot header of a Linux bzImage.

Must not know what a kernel is wanted for. The EFI stub's own header is read by `pe`.

Specification: Linux, Documentation/arch/x86/boot.rst https://docs.kernel.org/arch/x86/boot.html
"""

from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.fields import Image, cut, unpack

MAGIC_OFFSET = 0x202
SECTOR_SIZE = 512  # bytes

XLF_KERNEL_64 = 1 << 0
XLF_EFI_HANDOVER_64 = 1 << 3


@dataclass(frozen=True, slots=True)
class BzImage:
    """The boot header; offsets are bytes from the start of the file."""

    protocol: tuple[int, int]  # major, minor
    version: str  # as `uname -r` shows it, without what follows it; empty when the header names none
    relocatable: bool
    xloadflags: int
    compression: str  # of the payload, or "" for one that is not known
    size: int  # bytes that the header says the file has, at least

    @property
    def is_64_bit(self) -> bool:
        """Whether it has the 64-bit entry point."""
        return bool(self.xloadflags & XLF_KERNEL_64)

    @property
    def has_efi_handover(self) -> bool:
        """Whether it has the 64-bit EFI handover entry point."""
        return bool(self.xloadflags & XLF_EFI_HANDOVER_64)


def is_bzimage(image: Image) -> bool:
    """Say whether the boot header's magic is where it should be."""
    return bytes(image[MAGIC_OFFSET : MAGIC_OFFSET + 4]) == b"HdrS"


def read_bzimage(image: Image) -> BzImage:
    """Read the boot header. Raises FormatError when there is none, or one older than protocol 2.12.

    Protocol 2.12 (Linux 3.8, 2013) brought `xloadflags`, without which nobody can say whether a kernel
    is a 64-bit one.
    """
    if not is_bzimage(image):
        found = bytes(image[MAGIC_OFFSET : MAGIC_OFFSET + 4])
        raise FormatError(
            f"bzImage: no boot header: {found!r} at offset {MAGIC_OFFSET:#x}, not b'HdrS'",
            "give a bzImage, often called vmlinuz",
        )
    (protocol,) = unpack("<H", image, 0x206, "bzImage: boot header")
    major, minor = protocol >> 8, protocol & 0xFF
    if (major, minor) < (2, 12):
        raise FormatError(
            f"bzImage: boot protocol {major}.{minor:02} is older than 2.12",
            "give a kernel of Linux 3.8 or later",
        )
    setup_sectors, paragraphs = unpack("<BxxI", image, 0x1F1, "bzImage: boot header")
    (version_offset,) = unpack("<H", image, 0x20E, "bzImage: boot header")
    relocatable, _, xloadflags = unpack("<BBH", image, 0x234, "bzImage: boot header")
    payload_offset, _ = unpack("<II", image, 0x248, "bzImage: boot header")
    setup_size = ((setup_sectors or 4) + 1) * SECTOR_SIZE
    return BzImage(
        protocol=(major, minor),
        version=_read_version(image, version_offset),
        relocatable=bool(relocatable),
        xloadflags=xloadflags,
        compression=_compression(cut(image, setup_size + payload_offset, 8, "bzImage: payload")),
        size=setup_size + paragraphs * 16,
    )


def _read_version(image: Image, offset: int) -> str:
    if offset == 0:
        return ""
    text = bytes(image[offset + SECTOR_SIZE :][:256]).partition(b"\0")[0].decode("ascii", errors="replace")
    return text.partition(" ")[0]


def _compression(payload: Image) -> str:
    magics = {
        "gzip": b"\x1f\x8b",
        "bzip2": b"BZh",
        "lzma": b"\x5d\x00\x00",
        "xz": b"\xfd7zXZ",
        "lzo": b"\x89LZO",
        "lz4": b"\x02\x21\x4c\x18",
        "zstd": b"\x28\xb5\x2f\xfd",
    }
    return next((name for name, magic in magics.items() if bytes(payload).startswith(magic)), "")
