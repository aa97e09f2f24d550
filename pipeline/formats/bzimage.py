"""Reads the x86 boot header of a Linux bzImage.

The EFI stub's own header is read by `pe`.

Specification: Linux, Documentation/arch/x86/boot.rst https://docs.kernel.org/arch/x86/boot.html
"""

from dataclasses import dataclass

from pipeline.errors import FormatError
from pipeline.formats.compression import compression_of, decompress
from pipeline.formats.fields import Image, cut, unpack

MAGIC_OFFSET = 0x202
SECTOR_SIZE = 512  # bytes
MAX_KERNEL = 1 << 28  # bytes, unpacked

XLF_KERNEL_64 = 1 << 0


@dataclass(frozen=True, slots=True)
class BzImage:
    """The boot header; offsets are bytes from the start of the file."""

    protocol: tuple[int, int]  # major, minor
    version: str  # as `uname -r` shows it, without what follows it; empty when the header names none
    relocatable: bool
    xloadflags: int
    compression: str  # of the payload, or "" for one that is not known
    size: int  # bytes that the header says the file has, at least
    payload: tuple[int, int]  # offset and size of the packed kernel; the size is 0 where none is said
    banner: str  # the version, and who built it when: `6.12.1 (user@host) #1 SMP Tue Nov 14 …`

    @property
    def is_64_bit(self) -> bool:
        """Whether it has the 64-bit entry point."""
        return bool(self.xloadflags & XLF_KERNEL_64)


def is_bzimage(image: Image) -> bool:
    """Say whether the boot header's magic is where it should be."""
    return bytes(image[MAGIC_OFFSET : MAGIC_OFFSET + 4]) == b"HdrS"


def read_bzimage(image: Image) -> BzImage:
    """Read the boot header; fields that its protocol does not have yet are 0. FormatError when there is none.

    Protocol 2.12 (Linux 3.8, 2013) brought `xloadflags`, 2.08 the payload, 2.05 relocatable kernels.
    """
    if not is_bzimage(image):
        found = bytes(image[MAGIC_OFFSET : MAGIC_OFFSET + 4])
        raise FormatError(
            f"bzImage: no boot header: {found!r} at offset {MAGIC_OFFSET:#x}, not b'HdrS'",
            "give a bzImage, often called vmlinuz",
        )
    (protocol,) = unpack("<H", image, 0x206, "bzImage: boot header")
    major, minor = protocol >> 8, protocol & 0xFF
    setup_sectors, paragraphs = unpack("<BxxI", image, 0x1F1, "bzImage: boot header")
    (version_offset,) = unpack("<H", image, 0x20E, "bzImage: boot header")
    relocatable = xloadflags = payload_offset = payload_size = 0
    if protocol >= 0x205:
        (relocatable,) = unpack("<B", image, 0x234, "bzImage: boot header")
    if protocol >= 0x208:
        payload_offset, payload_size = unpack("<II", image, 0x248, "bzImage: boot header")
    if protocol >= 0x20C:
        (xloadflags,) = unpack("<H", image, 0x236, "bzImage: boot header")
    setup_size = ((setup_sectors or 4) + 1) * SECTOR_SIZE
    start = setup_size + payload_offset
    text = (
        bytes(image[version_offset + SECTOR_SIZE : version_offset + SECTOR_SIZE + 256])
        if version_offset
        else b""
    )
    banner = text.partition(b"\0")[0].decode("ascii", errors="replace").strip()
    return BzImage(
        protocol=(major, minor),
        version=banner.partition(" ")[0],
        relocatable=bool(relocatable),
        xloadflags=xloadflags,
        compression=compression_of(cut(image, start, 8, "bzImage: payload")) if protocol >= 0x208 else "",
        size=setup_size + paragraphs * 16,
        payload=(start, payload_size),
        banner=banner,
    )


def unpack_kernel(image: Image, header: BzImage, limit: int = MAX_KERNEL) -> Image:
    """Return the kernel itself, an ELF file. FormatError when it lies outside, or cannot be unpacked."""
    offset, size = header.payload
    payload = cut(image, offset, size or len(image) - offset, "bzImage: payload")
    return decompress(payload, limit)[0]
