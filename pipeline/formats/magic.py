"""Says what a file is, from its first bytes, so that a message can name what was given instead."""

from enum import Enum
from typing import Literal

from pipeline.errors import FormatError
from pipeline.formats.bzimage import is_bzimage
from pipeline.formats.fields import Image
from pipeline.formats.pe import machine_name, read_pe
from pipeline.formats.vhd import is_vhd


class Format(Enum):
    """What a file is, as a noun phrase."""

    EMPTY = "an empty file"
    BZIMAGE = "a Linux bzImage"
    SCRIPT = "a script"
    PE = "an EFI program"
    ELF = "an ELF file"
    CPIO = "an uncompressed cpio archive"
    CPIO_ODC = "a cpio archive in the old format odc"
    CPIO_BINARY = "a cpio archive in the old binary format"
    TAR = "a tar archive"
    GZIP = "a gzip file"
    ZSTD = "a zstd file"
    XZ = "an xz file"
    LZMA = "an lzma file"
    BZIP2 = "a bzip2 file"
    LZ4 = "an lz4 file"
    LZO = "an lzop file"
    AR = "a Debian package or a static library"
    ARM64_IMAGE = "a Linux Image for arm64"
    FAT = "a FAT image"
    ISO9660 = "an ISO 9660 image"
    GPT = "a disk image with a GPT"
    MBR = "a disk image with an MBR"
    BMP = "a BMP picture"
    HFS = "an HFS+ file system, for Macs"
    UDF = "a UDF file system"
    APM = "a disk image with an Apple partition map, for Macs"
    SQUASHFS = "a squashfs file system"
    EXT = "an ext2, ext3 or ext4 file system"
    EROFS = "an EROFS file system"
    VERITY = "a tree of dm-verity"
    QCOW2 = "a qcow2 disk image"
    VHD = "a VHD disk image"
    VHDX = "a VHDX disk image"
    VMDK = "a VMDK disk image"


MARKS = (
    (0, b"#!", Format.SCRIPT),
    (0, b"MZ", Format.PE),
    (0, b"\x7fELF", Format.ELF),
    (0, b"070701", Format.CPIO),
    (0, b"070702", Format.CPIO),
    (0, b"070707", Format.CPIO_ODC),
    (0, b"\x1f\x8b", Format.GZIP),
    (0, b"\x28\xb5\x2f\xfd", Format.ZSTD),
    (0, b"\xfd7zXZ", Format.XZ),
    (0, b"\x5d\x00\x00", Format.LZMA),
    (0, b"BZh", Format.BZIP2),
    (0, b"\x02\x21\x4c\x18", Format.LZ4),
    (0, b"\x04\x22\x4d\x18", Format.LZ4),
    (0, b"\x89LZO\0", Format.LZO),
    (0, b"!<arch>\n", Format.AR),
    (0, b"BM", Format.BMP),
    (0, b"hsqs", Format.SQUASHFS),
    (0, b"verity\0\0", Format.VERITY),
    (0, b"QFI\xfb", Format.QCOW2),
    (0, b"KDMV", Format.VMDK),
    (0, b"# Disk DescriptorFile", Format.VMDK),
    (0, b"vhdxfile", Format.VHDX),
    (257, b"ustar", Format.TAR),
    (1080, b"\x53\xef", Format.EXT),
    (1024, b"\xe2\xe1\xf5\xe0", Format.EROFS),
    (56, b"ARM\x64", Format.ARM64_IMAGE),
    (0x8001, b"CD001", Format.ISO9660),
    (512, b"EFI PART", Format.GPT),
    (4096, b"EFI PART", Format.GPT),
    (54, b"FAT1", Format.FAT),
    (82, b"FAT32", Format.FAT),
    (0x8001, b"BEA01", Format.UDF),
    (1024, b"H+\0\4", Format.HFS),
    (1024, b"HX\0\5", Format.HFS),
    (512, b"PM\0\0", Format.APM),
    (2048, b"PM\0\0", Format.APM),
)
"""Where which bytes stand; the first that fits counts. An ISO has a GPT and an MBR too, often a PE header."""


def recognise(image: Image) -> Format | None:
    """Return what a file is, None when its bytes mean nothing known."""
    if not len(image):
        return Format.EMPTY
    head = bytes(image[:1024])
    if is_vhd(image):  # the disk itself begins in front of its footer
        return Format.VHD
    if head[0x202:0x206] == b"HdrS" and is_bzimage(image):
        return Format.BZIMAGE
    for offset, mark, known in MARKS:
        inside = offset + len(mark) <= len(head)
        found = head[offset : offset + len(mark)] if inside else bytes(image[offset : offset + len(mark)])
        if found == mark and not (known is Format.PE and is_iso9660(image)):
            return known
    if head[510:512] == b"\x55\xaa":
        if _looks_like_fat(head):
            return Format.FAT
        return Format.MBR if _looks_like_mbr(head, len(image)) else None
    return Format.CPIO_BINARY if _looks_like_old_cpio(head) else None


def is_iso9660(image: Image) -> bool:
    """Say whether there is a volume descriptor in sector 16."""
    return bytes(image[0x8001:0x8006]) == b"CD001"


def _looks_like_fat(head: bytes) -> bool:
    """Tell a boot sector with a BIOS parameter block from one with a partition table."""
    sector_size = int.from_bytes(head[11:13], "little")
    return head[:1] in (b"\xeb", b"\xe9") and sector_size in (512, 1024, 2048, 4096) and head[16] in (1, 2, 3)


def _looks_like_old_cpio(head: bytes) -> bool:
    """Tell a header of 13 numbers of 2 bytes with a name behind it, which ends at its first NUL."""
    order: Literal["little", "big"] = "little" if head[:2] == b"\xc7\x71" else "big"
    size = int.from_bytes(head[20:22], order)
    return int.from_bytes(head[:2], order) == 0o070707 and head.find(b"\0", 26) == 25 + size


def _looks_like_mbr(head: bytes, size: int) -> bool:
    """Tell a partition table from code of another boot sector.

    Something is there, and flags are known, or all that is there lies inside the image, as EDK II wants it.
    """
    records = [head[at : at + 16] for at in range(446, 510, 16)]
    used = [record for record in records if record[4]]
    ends = (int.from_bytes(one[8:12], "little") + int.from_bytes(one[12:], "little") for one in used)
    are_known = all(record[0] in (0, 0x80) for record in records)
    return bool(used) and (are_known or max(ends) * 512 <= size)


def describe(image: Image) -> str:
    """Return a noun phrase such as `an ELF file`, or the first bytes when they mean nothing known."""
    known = recognise(image)
    head = bytes(image[:128])
    if known is None:
        return f"a file of no known format (it starts with {head[:8].hex()})"
    if known is Format.SCRIPT:
        return f"a script ({head.splitlines()[0][:60].decode(errors='replace')})"
    return _describe_pe(image) if known is Format.PE else known.value


def _describe_pe(image: Image) -> str:
    try:
        parsed = read_pe(image)
    except FormatError:
        return "a file that starts like an EFI program, but is not one"
    names = {section.name for section in parsed.sections}
    kind = "a UKI" if ".linux" in names else "an EFI program"
    return f"{kind} for {machine_name(parsed.machine)}"
